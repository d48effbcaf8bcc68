//! What breaks things: kills single processes and restarts the queue server.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{Scene, dice::Dice};
use crate::{
    host::{Host, Process},
    stack::Stack,
    template::Template,
};

/// How often the queue server is restarted.
pub(super) const RESTARTS: usize = 2;
/// How far the kills may be ahead of the work, so that they fall into all of it.
const AHEAD: f64 = 0.03;
/// How often in a hundred a busy process is preferred, where there is one.
const PREFERS_BUSY: u64 = 75;

/// One kill of a living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) function: String,
    pub(super) process: u64,
    pub(super) was_busy: bool,
    /// When the process had ended.
    pub(super) at: Instant,
}

/// The functions that no person calls: those behind queues and on schedules.
pub(super) fn job_functions(template: &Template) -> Vec<String> {
    let mapped = template.mappings.iter().map(|mapping| mapping.function.clone());
    let scheduled = template.schedules.iter().map(|schedule| schedule.function.clone());
    mapped.chain(scheduled).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Kills living processes of `functions`, one at a time, at random moments over the whole of the work.
pub(super) async fn kill(host: &Host, functions: &[String], scene: &Scene<'_>) -> Result<()> {
    let Scene { args, dice, progress, .. } = scene;
    let mut kills = 0;
    for turn in 0_u64.. {
        if kills >= args.kills {
            break;
        }
        tokio::time::sleep(dice.pause(format_args!("pause before kill {turn}"), 20..=250)).await;
        if f64::from(kills) / f64::from(args.kills) > progress.share() + AHEAD {
            continue;
        }
        if let Some(kill) = kill_one(host, functions, *dice, turn).await {
            kills += 1;
            progress.killed(kill);
        }
    }
    Ok(())
}

/// Chooses a function with living processes, then one of these.
async fn kill_one(host: &Host, functions: &[String], dice: Dice, turn: u64) -> Option<Kill> {
    let alive: Vec<_> = functions.iter().map(|function| (function, host.processes(function))).collect();
    let alive: Vec<_> = alive.into_iter().filter(|(_, processes)| !processes.is_empty()).collect();
    let (function, processes) = pick(&alive, dice, format!("function of kill {turn}"))?;
    let busy: Vec<Process> = processes.iter().copied().filter(|process| process.is_busy).collect();
    let prefers_busy = !busy.is_empty() && dice.happens(format_args!("busy in kill {turn}"), PREFERS_BUSY);
    let candidates = if prefers_busy { &busy } else { processes };
    let process = pick(candidates, dice, format!("process of kill {turn}"))?;
    let killed = host.kill_one(function, process.id).await?;
    Some(Kill { function: (*function).clone(), process: killed.id, was_busy: killed.is_busy, at: Instant::now() })
}

fn pick<T>(items: &[T], dice: Dice, subject: String) -> Option<&T> {
    let last = u64::try_from(items.len()).ok()?.checked_sub(1)?;
    items.get(usize::try_from(dice.throw(subject, 0..=last)).ok()?)
}

/// Takes the queue server away, with everything in it, when a third and when two thirds of the work are done.
pub(super) async fn restart_queue_server(stack: &Stack, scene: &Scene<'_>) -> Result<()> {
    for number in 1..=RESTARTS {
        while scene.progress.share() < number as f64 / (RESTARTS + 1) as f64 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stack.stop_queue_server().await;
        tokio::time::sleep(scene.dice.pause(format_args!("absence {number}"), 300..=1_500)).await;
        stack.start_queue_server().await.context("the queue server does not come back")?;
        scene.progress.restarted();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_behind_a_queue_or_on_a_schedule_can_be_killed() {
        let template = Template::load(&crate::build::workspace_root().unwrap()).unwrap();
        let functions = job_functions(&template);
        for function in ["job-execution", "job-maintenance"] {
            assert!(functions.iter().any(|known| known == function), "{functions:?}");
        }
        assert!(functions.iter().all(|function| function.starts_with("job-")), "{functions:?}");
    }

    #[test]
    fn picks_are_spread_over_all_items() {
        let picked: BTreeSet<_> = (0..50).filter_map(|turn| pick(&[1, 2, 3], Dice::new(1), turn.to_string())).collect();
        assert_eq!(picked.len(), 3);
        assert_eq!(pick::<u8>(&[], Dice::new(1), "none".to_owned()), None);
    }
}
