//! The work that must survive: deployments with webhooks, and executions created in bursts through the public API.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{
    StreamExt, TryStreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender},
    stream,
};
use serde_json::{Value, json};

use super::{
    Scene,
    provider::{MARKER, MODEL},
    receiver::Receiver,
};
use crate::api::Api;

const PROMPTS: usize = 3;
const DESTINATIONS: usize = 4;
const DEPLOYMENTS: usize = 6;
/// Requests at once within a burst.
const SENDERS: usize = 6;
/// So many executions in a hundred are cancelled: half of them soon after they were created, half while they run.
const CANCELLED: u64 = 4;
/// How long a cancellation waits for its execution to run.
const WAITS_TO_RUN: Duration = Duration::from_secs(10);

/// One embedding comes with so many executions.
const EXECUTIONS_PER_EMBEDDING: u64 = 20;
/// The name of the embedding deployment.
const EMBEDDING: &str = "chaos";

/// What is run.
#[derive(Debug)]
pub(super) struct Deployment {
    name: String,
    /// Ids of the settings of its webhook destinations.
    destinations: Vec<String>,
}

/// One execution, or one embedding, that the API has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: String,
    /// Stands in its input, and in every call of the provider.
    pub(super) marker: String,
    /// Who must be told when it ends.
    pub(super) destinations: Vec<String>,
    /// Whether somebody asked to cancel it.
    pub(super) is_cancelled: bool,
}

/// Stores the provider's key and limit, prompts, destinations, and deployments with one or two destinations each.
pub(super) async fn set_up(api: &Api, receiver: &Receiver, limit: u32) -> Result<Vec<Deployment>> {
    for setting in [
        json!({"type": "provider-limits", "data": {"provider": "ollama", "max_running": limit}}),
        json!({"type": "llm-api-key", "data": {"provider": "ollama", "api_key": "local"}}),
        json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": "local-key"}}),
    ] {
        api.post("/api/v1/settings", &setting).await?;
    }
    api.post("/api/v1/deployment-embeddings", &json!({"name": EMBEDDING, "model": "voyage-3.5"})).await?;
    let mut prompts = vec![];
    for number in 0..PROMPTS {
        let prompt = json!({"name": format!("chaos-{number}"), "prompt": format!("Prompt {number}: do as told.")});
        prompts.push(text(&api.post("/api/v1/prompts", &prompt).await?, "id")?);
    }
    let mut destinations = vec![];
    for number in 0..DESTINATIONS {
        let data = json!({"name": format!("chaos-{number}"), "url": receiver.url(number)});
        let created = api.post("/api/v1/settings", &json!({"type": "webhook-destination", "data": data})).await?;
        let id = text(&created, "id")?;
        receiver.expect(number, &id, &text(&created, "secret")?);
        destinations.push(id);
    }
    let mut deployments = vec![];
    for number in 0..DEPLOYMENTS {
        let mut told = vec![destinations[number % DESTINATIONS].clone()];
        if number % 2 == 1 {
            told.push(destinations[(number + 1) % DESTINATIONS].clone());
        }
        let name = format!("chaos-{number}");
        let deployment = json!({
            "name": name, "promptId": prompts[number % PROMPTS], "promptVersion": 1, "provider": "ollama",
            "model": MODEL, "webhookDestinationIds": told,
        });
        api.post("/api/v1/deployments", &deployment).await?;
        deployments.push(Deployment { name, destinations: told });
    }
    Ok(deployments)
}

/// Creates the executions in bursts, never many more than are being worked on, and passes on which are to be cancelled.
pub(super) async fn create(
    api: &Api,
    deployments: &[Deployment],
    scene: &Scene<'_>,
    to_cancel: UnboundedSender<Run>,
) -> Result<()> {
    let Scene { args, dice, progress, .. } = scene;
    let (mut next, wanted) = (0, u64::from(args.executions));
    for burst in 0_u64.. {
        if next == wanted {
            break;
        }
        while progress.backlog() > u64::from(args.concurrency) * 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let size = dice.throw(format_args!("size of burst {burst}"), 5..=40).min(wanted - next);
        let mut created = stream::iter(next..next + size)
            .map(|number| create_one(api, deployments, number, scene))
            .buffer_unordered(SENDERS);
        while let Some(run) = created.next().await {
            let run = run?;
            if run.is_cancelled {
                to_cancel.unbounded_send(run).context("nobody cancels any more")?;
            }
        }
        next += size;
        tokio::time::sleep(dice.pause(format_args!("pause after burst {burst}"), 0..=400)).await;
    }
    Ok(())
}

async fn create_one(api: &Api, deployments: &[Deployment], number: u64, scene: &Scene<'_>) -> Result<Run> {
    let dice = scene.dice;
    let marker = format!("{MARKER}{number:06}");
    let choice = dice.throw(format_args!("deployment of {marker}"), 0..=deployments.len() as u64 - 1);
    let deployment = &deployments[usize::try_from(choice)?];
    let path = format!("/api/v1/deployments/run/{}", deployment.name);
    let created = api.post(&path, &json!({"userInput": format!("{marker}; please"), "traceId": marker})).await?;
    let id = text(&created, "executionId")?;
    let is_cancelled = dice.happens(format_args!("cancel {marker}"), CANCELLED);
    let run = Run { id, marker, destinations: deployment.destinations.clone(), is_cancelled };
    scene.progress.created(run.clone());
    if number.is_multiple_of(EXECUTIONS_PER_EMBEDDING) {
        embed(api, number, scene).await?;
    }
    Ok(run)
}

async fn embed(api: &Api, number: u64, scene: &Scene<'_>) -> Result<()> {
    // Apart from the numbers of executions.
    let marker = format!("{MARKER}9{number:06}");
    let path = format!("/api/v1/deployment-embeddings/run/{EMBEDDING}");
    let id = text(&api.post(&path, &json!({"inputs": marker})).await?, "jobId")?;
    scene.progress.embedding_created(Run { id, marker, destinations: vec![], is_cancelled: false });
    Ok(())
}

/// Cancels what it is told to, each in its own time, until nothing more comes.
pub(super) async fn cancel(api: &Api, scene: &Scene<'_>, runs: UnboundedReceiver<Run>) -> Result<()> {
    runs.map(Ok).try_for_each_concurrent(None, async |run| cancel_one(api, scene, &run).await).await
}

async fn cancel_one(api: &Api, scene: &Scene<'_>, run: &Run) -> Result<()> {
    let (dice, Run { id, marker, .. }) = (scene.dice, run);
    if dice.happens(format_args!("cancel {marker} while it runs"), 50) {
        let runs = async {
            while !scene.provider.is_asked(marker) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // It may have ended in a moment in which nobody looked.
        let _ = tokio::time::timeout(WAITS_TO_RUN, runs).await;
    } else {
        tokio::time::sleep(dice.pause(format_args!("cancel {marker} after"), 0..=1_000)).await;
    }
    match api.delete(&format!("/api/v1/executions/{id}")).await? {
        // 400: it had ended before.
        204 | 400 => Ok(()),
        status => bail!("the cancellation of {id} was answered with {status}"),
    }
}

fn text(answer: &Value, member: &str) -> Result<String> {
    Ok(answer[member].as_str().with_context(|| format!("no {member} in {answer}"))?.to_owned())
}
