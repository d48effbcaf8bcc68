//! What a run looked like, for people and for programs.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use serde_json::{Value, json};

use super::{
    ChaosArgs,
    provider::{Call, Ending},
    verdict::{Evidence, Judged, Reason, explain},
};

/// So many findings of one rule are printed.
const SHOWN: usize = 10;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    seconds: f64,
    executions: BTreeMap<String, usize>,
    cancellations: usize,
    embeddings: BTreeMap<String, usize>,
    attempts: usize,
    calls: usize,
    replies: BTreeMap<&'static str, usize>,
    abandoned: usize,
    reasons: BTreeMap<Reason, usize>,
    duplicate_calls: usize,
    most_open: usize,
    /// Kills and those of busy processes by function.
    kills: BTreeMap<String, (usize, usize)>,
    restarts: usize,
    messages: usize,
    repeated: usize,
    jobs: BTreeMap<String, usize>,
    deliveries: usize,
    accepted: usize,
    warnings: usize,
    errors: usize,
}

impl Figures {
    pub(super) fn of(evidence: &Evidence, duration: Duration) -> Self {
        let explanations = explain(evidence);
        let mut kills = BTreeMap::<String, (usize, usize)>::new();
        for kill in &evidence.kills {
            let (all, busy) = kills.entry(kill.function.clone()).or_default();
            *all += 1;
            *busy += usize::from(kill.was_busy);
        }
        let has_left = |call: &&Call| matches!(call.ending, Ending::Left(_));
        Self {
            seconds: duration.as_secs_f64(),
            executions: count(evidence.facts.executions.iter().map(|row| row.status.clone())),
            cancellations: evidence.runs.iter().filter(|run| run.is_cancelled).count(),
            embeddings: count(evidence.facts.embeddings.iter().map(|row| row.status.clone())),
            attempts: evidence.facts.executions.iter().map(|row| row.attempts as usize).sum(),
            calls: evidence.calls.len(),
            replies: count(evidence.calls.iter().map(|call| call.reply.name())),
            abandoned: evidence.calls.iter().filter(has_left).count(),
            reasons: explanations.reasons,
            duplicate_calls: explanations.duplicates,
            most_open: evidence.most_open,
            kills,
            restarts: evidence.restarts,
            messages: evidence.pages.messages,
            repeated: evidence.pages.repeated,
            jobs: count(evidence.facts.jobs.iter().map(|row| row.status.clone())),
            deliveries: evidence.deliveries.len(),
            accepted: evidence.deliveries.iter().filter(|delivery| delivery.is_accepted).count(),
            warnings: evidence.pages.warnings,
            errors: evidence.pages.errors,
        }
    }

    fn kills(&self) -> (usize, usize) {
        self.kills.values().fold((0, 0), |(all, busy), (more, more_busy)| (all + more, busy + more_busy))
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let (kills, busy) = self.kills();
        let by_function = self.kills.iter().map(|(name, (all, busy))| format!("{name} {all} ({busy})"));
        let by_function: Vec<_> = by_function.collect();
        let reasons = self.reasons.iter().map(|(reason, count)| format!("{count} {}", name_of(*reason)));
        let reasons: Vec<_> = reasons.collect();
        vec![
            ("duration", format!("{:.1} s", self.seconds)),
            ("executions", format!("{}; {} asked to cancel", listed(&self.executions), self.cancellations)),
            ("embeddings", listed(&self.embeddings)),
            ("kills", format!("{kills}, {busy} of busy processes: {}", by_function.join(", "))),
            ("queue server restarts", self.restarts.to_string()),
            ("messages", format!("{}, {} of them again", self.messages, self.repeated)),
            ("attempts at executions", self.attempts.to_string()),
            ("provider calls", format!("{}: {}", self.calls, listed(&self.replies))),
            ("  without listener", format!("{} (the client had left)", self.abandoned)),
            ("  beyond the first", reasons.join(", ")),
            ("  after a good answer", format!("{} (duplicates)", self.duplicate_calls)),
            ("  open at once", format!("{} at most", self.most_open)),
            ("webhooks", listed(&self.jobs)),
            ("deliveries", format!("{}, {} accepted", self.deliveries, self.accepted)),
            ("log", format!("{} warnings, {} errors", self.warnings, self.errors)),
        ]
    }

    fn json(&self) -> Value {
        let (kills, busy) = self.kills();
        json!({
            "seconds": (self.seconds * 10.0).round() / 10.0,
            "executions": self.executions,
            "cancellations": self.cancellations,
            "embeddings": self.embeddings,
            "attempts": self.attempts,
            "kills": {"all": kills, "busy": busy, "byFunction": self.kills},
            "queueServerRestarts": self.restarts,
            "messages": {"all": self.messages, "repeated": self.repeated},
            "providerCalls": {
                "all": self.calls,
                "byReply": self.replies,
                "clientLeft": self.abandoned,
                "beyondTheFirst":
                    self.reasons.iter().map(|(reason, count)| (name_of(*reason), *count)).collect::<BTreeMap<_, _>>(),
                "duplicates": self.duplicate_calls,
                "mostOpen": self.most_open,
            },
            "webhooks": {"byStatus": self.jobs, "deliveries": self.deliveries, "accepted": self.accepted},
            "log": {"warnings": self.warnings, "errors": self.errors},
        })
    }
}

/// The table that is printed.
pub(super) fn text(args: &ChaosArgs, figures: &Figures, judged: &[Judged]) -> String {
    let ChaosArgs { seed, executions, concurrency, .. } = args;
    let mut text = format!("\nChaos with seed {seed}: {executions} executions, provider limit {concurrency}\n\n");
    for (name, value) in figures.lines() {
        line(&mut text, format_args!("  {name:<24}{value}"));
    }
    text.push('\n');
    for Judged { rule, findings } in judged {
        line(&mut text, format_args!("  {:<8}{rule}", if findings.is_empty() { "holds" } else { "BROKEN" }));
        for finding in findings.iter().take(SHOWN) {
            line(&mut text, format_args!("            {finding}"));
        }
        if findings.len() > SHOWN {
            line(&mut text, format_args!("            and {} more", findings.len() - SHOWN));
        }
    }
    text
}

/// The same as one document.
pub(super) fn document(args: &ChaosArgs, figures: &Figures, judged: &[Judged]) -> Value {
    let rules = judged.iter().map(|judged| json!({"rule": judged.rule, "findings": judged.findings}));
    json!({
        "test": "chaos",
        "setting": {
            "seed": args.seed,
            "executions": args.executions,
            "kills": args.kills,
            "providerLimit": args.concurrency,
            "build": if args.release { "optimised" } else { "debug" },
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
        },
        "figures": figures.json(),
        "passed": judged.iter().all(|judged| judged.findings.is_empty()),
        "rules": rules.collect::<Vec<_>>(),
    })
}

const fn name_of(reason: Reason) -> &'static str {
    match reason {
        Reason::BadAnswer => "after a bad answer",
        Reason::TimedOut => "after a time-out",
        Reason::Killed => "after a kill",
        Reason::Lost => "after a lost claim",
        Reason::Unexplained => "unexplained",
    }
}

fn count<K: Ord>(items: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn listed<K: std::fmt::Display>(counts: &BTreeMap<K, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{line}");
}
