//! Why an execution's provider was called more than once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{Evidence, all_runs, rows_by_id};
use crate::chaos::{
    provider::{Call, Ending},
    script::Reply,
};

/// What a call has to have gone through so that another one may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::chaos) enum Reason {
    /// Its answer was none that helps: 429, 500, or garbage.
    BadAnswer,
    /// The worker waited for its whole time and gave up.
    TimedOut,
    /// The process that made it was killed before the next call.
    Killed,
    /// The worker said that it had lost its claim.
    Lost,
    /// Nothing of all that.
    Unexplained,
}

/// What explains the calls beyond the first of every execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::chaos) struct Explanations {
    /// How often each reason made another call necessary.
    pub(in crate::chaos) reasons: BTreeMap<Reason, usize>,
    /// Further calls for an execution that had been given a good answer already.
    pub(in crate::chaos) duplicates: usize,
    findings: Vec<String>,
}

/// A worker's time starts before its call arrives, on a busy machine long before. No scripted answer comes so late.
const TIMER_SLACK: Duration = Duration::from_millis(500);

/// The findings of the rule.
pub(super) fn explained(evidence: &Evidence) -> Vec<String> {
    explain(evidence).findings
}

/// Looks at each call together with the one that followed it.
pub(in crate::chaos) fn explain(evidence: &Evidence) -> Explanations {
    let mut explanations = Explanations::default();
    let mut by_marker = BTreeMap::<&str, Vec<&Call>>::new();
    for call in &evidence.calls {
        by_marker.entry(&call.marker).or_default().push(call);
    }
    let lost: BTreeSet<&str> = (evidence.pages.attempts.iter())
        .filter(|attempt| attempt.outcome == "lost")
        .map(|attempt| attempt.id.as_str())
        .collect();
    let rows = rows_by_id(evidence);
    for run in all_runs(evidence) {
        let Some(calls) = by_marker.remove(run.marker.as_str()) else { continue };
        for pair in calls.windows(2) {
            let reason = reason(evidence, pair[0], pair[1], lost.contains(run.id.as_str()));
            *explanations.reasons.entry(reason).or_default() += 1;
            let was_answered = matches!(pair[0].ending, Ending::Answered(_));
            explanations.duplicates += usize::from(was_answered && pair[0].reply == Reply::Good);
            if reason == Reason::Unexplained {
                explanations.findings.push(format!(
                    "execution {}: call {} ({}, {}) was followed by another one",
                    run.id,
                    pair[0].number,
                    pair[0].reply.name(),
                    if was_answered { "answered" } else { "not answered" }
                ));
            }
        }
        let attempts = rows.get(run.id.as_str()).map_or(0, |row| row.attempts as usize);
        if calls.len() > attempts {
            let count = calls.len();
            explanations.findings.push(format!("execution {}: {count} calls in {attempts} attempts", run.id));
        }
    }
    let strangers = by_marker.into_iter().map(|(marker, calls)| format!("{} calls for {marker:?}", calls.len()));
    explanations.findings.extend(strangers);
    explanations
}

fn reason(evidence: &Evidence, call: &Call, next: &Call, was_lost: bool) -> Reason {
    let overlaps = match call.ending {
        Ending::Open => true,
        Ending::Answered(at) | Ending::Left(at) => at > next.arrived,
    };
    let killed = was_killed(evidence, call, next.arrived);
    match call.ending {
        _ if overlaps => Reason::Unexplained,
        Ending::Answered(_) if call.reply != Reply::Good => Reason::BadAnswer,
        _ if killed => Reason::Killed,
        Ending::Left(at) if at - call.arrived + TIMER_SLACK >= evidence.demanded.provider_timeout => Reason::TimedOut,
        _ if was_lost => Reason::Lost,
        _ => Reason::Unexplained,
    }
}

/// Whether the process that called was killed before this moment.
fn was_killed(evidence: &Evidence, call: &Call, before: Instant) -> bool {
    let mut kills = evidence.kills.iter().filter(|kill| kill.function == call.kind.caller());
    kills.any(|kill| Some(kill.process) == call.process && kill.at <= before)
}
