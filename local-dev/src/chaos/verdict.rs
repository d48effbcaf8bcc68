//! What must hold after everything that went wrong. Each rule looks at the evidence alone and lists what breaks it.

mod calls;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    audit::{ExecutionRow, Facts},
    journal::Pages,
    monkey::Kill,
    provider::{Call, Ending},
    receiver::Delivery,
    script::{Reply, answer_text},
    work::Run,
};
pub(super) use calls::{Reason, explain};

/// Everything that was seen during a run and found afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) demanded: Demanded,
    pub(super) runs: Vec<Run>,
    pub(super) embeddings: Vec<Run>,
    pub(super) calls: Vec<Call>,
    pub(super) most_open: usize,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) kills: Vec<Kill>,
    pub(super) restarts: usize,
    pub(super) pages: Pages,
    pub(super) facts: Facts,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demanded {
    pub(super) executions: u32,
    /// The provider's limit.
    pub(super) limit: u32,
    pub(super) kills: u32,
    pub(super) restarts: usize,
    /// How long a worker waits for the provider.
    pub(super) provider_timeout: Duration,
}

/// One rule and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) rule: &'static str,
    pub(super) findings: Vec<String>,
}

type Rule = fn(&Evidence) -> Vec<String>;

const RULES: [(&str, Rule); 8] = [
    ("as much trouble was made as was asked for", trouble),
    ("every execution reached a terminal status", ended),
    ("none has two results or two finishing transactions", ended_once),
    ("every further provider call is explained by a retry or a kill", calls::explained),
    ("the provider's limit was never exceeded", limited),
    ("every end was delivered, under one id and with valid signatures", delivered),
    ("counters and roll-ups equal a full recount", recounted),
    ("nothing is left waiting, dispatched, running or leased", nothing_left),
];

/// Applies every rule.
pub(super) fn judge(evidence: &Evidence) -> Vec<Judged> {
    RULES.map(|(rule, findings)| Judged { rule, findings: findings(evidence) }).into()
}

/// A run without trouble proves nothing.
fn trouble(evidence: &Evidence) -> Vec<String> {
    let mut findings = vec![];
    let Demanded { executions, limit, kills, restarts, .. } = evidence.demanded;
    let mut at_least = |what: &str, count: usize, wanted: usize| {
        if count < wanted {
            findings.push(format!("{count} {what} instead of {wanted}"));
        }
    };
    at_least("executions", evidence.runs.len(), executions as usize);
    at_least("kills", evidence.kills.len(), kills as usize);
    at_least("kills of busy processes", evidence.kills.iter().filter(|kill| kill.was_busy).count(), kills as usize / 5);
    at_least("restarts of the queue server", evidence.restarts, restarts);
    at_least("calls at once", evidence.most_open, limit.min(executions) as usize / 2);
    at_least("messages that were delivered twice", evidence.pages.repeated, 1);
    findings
}

fn ended(evidence: &Evidence) -> Vec<String> {
    let rows = rows_by_id(evidence);
    let known: BTreeSet<_> = all_runs(evidence).map(|run| run.id.as_str()).collect();
    let unknown = rows.keys().filter(|id| !known.contains(*id));
    let mut findings: Vec<_> = unknown.map(|id| format!("execution {id} was never asked for")).collect();
    for run in all_runs(evidence) {
        match rows.get(run.id.as_str()) {
            None => findings.push(format!("execution {} is gone", run.id)),
            Some(row) if !is_terminal(&row.status) => {
                findings.push(format!("execution {} is {} after {} attempts", row.id, row.status, row.attempts));
            }
            Some(_) => {}
        }
    }
    findings
}

/// The witness inside the database saw one end of each row and no change after it; the workers logged at most one; and
/// a result is what the provider answered to this very execution.
fn ended_once(evidence: &Evidence) -> Vec<String> {
    let mut findings = vec![];
    let mut ends = BTreeMap::<&str, usize>::new();
    for end in &evidence.facts.ends {
        *ends.entry(&end.id).or_default() += 1;
        if !matches!(end.from.as_str(), "pending" | "running" | "retrying") {
            let (id, attempt) = (&end.id, end.attempt);
            findings.push(format!("{id} was {} and became {} in attempt {attempt}", end.from, end.to));
        }
    }
    let executions = rows_by_id(evidence).into_values().map(|row| (&row.id, &row.status));
    let jobs = evidence.facts.jobs.iter().map(|row| (&row.id, &row.status));
    for (id, status) in executions.chain(jobs) {
        let count = ends.get(id.as_str()).copied().unwrap_or_default();
        if count != usize::from(is_terminal(status)) {
            findings.push(format!("{id} is {status} and was ended {count} times"));
        }
    }
    let mut logged = BTreeMap::<&str, usize>::new();
    for attempt in &evidence.pages.attempts {
        *logged.entry(&attempt.id).or_default() += usize::from(is_terminal(&attempt.outcome));
    }
    let twice = logged.into_iter().filter(|(_, count)| *count > 1);
    findings.extend(twice.map(|(id, count)| format!("workers logged {count} ends of {id}")));
    findings.extend(results(evidence));
    findings
}

fn results(evidence: &Evidence) -> Vec<String> {
    let is_good = |call: &&Call| call.reply == Reply::Good && matches!(call.ending, Ending::Answered(_));
    let answers: BTreeSet<_> =
        evidence.calls.iter().filter(is_good).map(|call| answer_text(&call.marker, call.number)).collect();
    let rows = rows_by_id(evidence);
    let mut findings = vec![];
    for run in all_runs(evidence) {
        let Some(row) = rows.get(run.id.as_str()) else { continue };
        let is_as_it_should = match &row.result {
            // An answer names the execution that it was given to.
            Some(text) => row.status == "completed" && answers.contains(text) && text.ends_with(&run.marker),
            None => row.status != "completed",
        };
        if !is_as_it_should {
            findings.push(format!("execution {} is {} with the result {:?}", row.id, row.status, row.result));
        }
    }
    findings
}

fn limited(evidence: &Evidence) -> Vec<String> {
    let (most, limit) = (evidence.most_open, evidence.demanded.limit);
    if most <= limit as usize { vec![] } else { vec![format!("{most} calls were open at once, {limit} are allowed")] }
}

/// One job, one id and at least one accepted delivery for each destination of each ended execution; no delivery, accepted
/// or not, with anything wrong about it; nothing for anybody else.
fn delivered(evidence: &Evidence) -> Vec<String> {
    let mut findings = vec![];
    let mut jobs = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for job in &evidence.facts.jobs {
        jobs.entry((&job.execution, &job.destination)).or_default().push(&job.id);
    }
    let mut deliveries = BTreeMap::<(&str, &str), Vec<&Delivery>>::new();
    for delivery in &evidence.deliveries {
        deliveries.entry((&delivery.execution, &delivery.destination)).or_default().push(delivery);
        findings.extend(delivery.problems.iter().map(|problem| format!("delivery {}: {problem}", delivery.id)));
    }
    let rows = rows_by_id(evidence);
    for run in &evidence.runs {
        let Some(row) = rows.get(run.id.as_str()).filter(|row| is_terminal(&row.status)) else { continue };
        for destination in &run.destinations {
            let pair = (run.id.as_str(), destination.as_str());
            let subject = format!("execution {} and destination {destination}", run.id);
            let ids = jobs.remove(&pair).unwrap_or_default();
            if ids.len() != 1 {
                findings.push(format!("{subject}: {} jobs", ids.len()));
            }
            let attempts = deliveries.remove(&pair).unwrap_or_default();
            if !attempts.iter().any(|delivery| delivery.is_accepted) {
                findings.push(format!("{subject}: never delivered in {} attempts", attempts.len()));
            }
            let other_id = attempts.iter().find(|delivery| !ids.contains(&delivery.id.as_str()));
            findings.extend(
                other_id.map(|delivery| format!("{subject}: delivered as {}, the job is {ids:?}", delivery.id)),
            );
            let other_status = attempts.iter().find(|delivery| delivery.status != row.status);
            findings.extend(
                other_status.map(|delivery| format!("{subject}: told {}, it is {}", delivery.status, row.status)),
            );
        }
    }
    findings.extend(jobs.into_keys().map(|(execution, to)| format!("a job for execution {execution} to {to}")));
    findings
        .extend(deliveries.into_keys().map(|(execution, to)| format!("a delivery for execution {execution} to {to}")));
    findings
}

/// Maintenance repairs what differs, so that it had to do so is a finding as well.
fn recounted(evidence: &Evidence) -> Vec<String> {
    let repairs = evidence.pages.repairs.iter().map(|repair| format!("repaired while it ran: {repair}"));
    evidence.facts.differences.iter().cloned().chain(repairs).collect()
}

fn nothing_left(evidence: &Evidence) -> Vec<String> {
    evidence.facts.leftovers.clone()
}

fn all_runs(evidence: &Evidence) -> impl Iterator<Item = &Run> {
    evidence.runs.iter().chain(&evidence.embeddings)
}

fn rows_by_id(evidence: &Evidence) -> BTreeMap<&str, &ExecutionRow> {
    let Facts { executions, embeddings, .. } = &evidence.facts;
    executions.iter().chain(embeddings).map(|row| (row.id.as_str(), row)).collect()
}

fn is_terminal(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "terminated")
}
