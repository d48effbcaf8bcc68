use std::time::Instant;

use super::*;
use crate::chaos::{
    audit::{End, JobRow},
    journal::LoggedAttempt,
    provider::Kind,
};

/// Two executions after a good run: the first was tried twice, since its worker was killed; the second failed at once.
fn evidence() -> Evidence {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let run = |number: u32| Run {
        id: format!("e{number}"),
        marker: format!("run-{number}"),
        destinations: vec!["d".to_owned()],
        is_cancelled: false,
    };
    let call = |marker: &str, number, process, reply, arrived, ending| Call {
        marker: marker.to_owned(),
        number,
        kind: Kind::Text,
        process: Some(process),
        arrived: at(arrived),
        reply,
        ending,
    };
    let row = |id: &str, status: &str, attempts, result: Option<&str>| ExecutionRow {
        id: id.to_owned(),
        status: status.to_owned(),
        attempts,
        result: result.map(str::to_owned),
    };
    let end =
        |id: &str, attempt, to: &str| End { id: id.to_owned(), attempt, from: "running".to_owned(), to: to.to_owned() };
    let job = |number: u32| JobRow {
        id: format!("j{number}"),
        status: "completed".to_owned(),
        attempts: 1,
        execution: format!("e{number}"),
        destination: "d".to_owned(),
    };
    let delivery = |number: u32, status: &str, is_accepted| Delivery {
        destination: "d".to_owned(),
        id: format!("j{number}"),
        execution: format!("e{number}"),
        status: status.to_owned(),
        problems: vec![],
        is_accepted,
    };
    let logged =
        |id: &str, attempt, outcome: &str| LoggedAttempt { id: id.to_owned(), attempt, outcome: outcome.to_owned() };
    Evidence {
        demanded: Demanded { executions: 2, limit: 2, kills: 1, restarts: 2, provider_timeout: Duration::from_secs(2) },
        runs: vec![run(1), run(2)],
        embeddings: vec![],
        calls: vec![
            call("run-1", 1, 7, Reply::Good, 0, Ending::Left(at(50))),
            call("run-1", 2, 8, Reply::Good, 100, Ending::Answered(at(300))),
            call("run-2", 1, 8, Reply::NotJson, 100, Ending::Answered(at(200))),
        ],
        most_open: 2,
        deliveries: vec![delivery(1, "completed", false), delivery(1, "completed", true), delivery(2, "failed", true)],
        kills: vec![Kill { function: "job-execution".to_owned(), process: 7, was_busy: true, at: at(50) }],
        restarts: 2,
        pages: Pages {
            attempts: vec![logged("e1", 2, "completed"), logged("e2", 1, "failed")],
            messages: 40,
            repeated: 2,
            ..Pages::default()
        },
        facts: Facts {
            ends: vec![
                end("e1", 2, "completed"),
                end("e2", 1, "failed"),
                end("j1", 1, "completed"),
                end("j2", 1, "completed"),
            ],
            executions: vec![row("e1", "completed", 2, Some("Answer 2 to run-1")), row("e2", "failed", 1, None)],
            jobs: vec![job(1), job(2)],
            ..Facts::default()
        },
    }
}

/// The findings by rule of a run that is good but for one thing.
fn broken(spoil: impl FnOnce(&mut Evidence)) -> BTreeMap<&'static str, Vec<String>> {
    let mut evidence = evidence();
    spoil(&mut evidence);
    let judged = judge(&evidence).into_iter().filter(|judged| !judged.findings.is_empty());
    judged.map(|judged| (judged.rule, judged.findings)).collect()
}

/// Exactly this rule finds exactly one thing.
#[track_caller]
fn breaks(rule: Rule, spoil: impl FnOnce(&mut Evidence)) {
    let name = RULES.iter().find(|(_, known)| std::ptr::fn_addr_eq(*known, rule)).unwrap().0;
    let found = broken(spoil);
    let counts: Vec<_> = found.iter().map(|(rule, findings)| (*rule, findings.len())).collect();
    assert_eq!(counts, [(name, 1)], "{found:?}");
}

#[test]
fn a_good_run_breaks_no_rule() {
    assert_eq!(broken(|_| ()), BTreeMap::new());
}

#[test]
fn too_little_trouble_is_no_proof() {
    breaks(trouble, |seen| seen.demanded.executions = 3);
    breaks(trouble, |seen| seen.demanded.kills = 2);
    breaks(trouble, |seen| seen.restarts = 1);
    breaks(trouble, |seen| seen.most_open = 0);
    breaks(trouble, |seen| seen.pages.repeated = 0);
    let found = broken(|seen| {
        seen.demanded.kills = 5;
        seen.kills.iter_mut().for_each(|kill| kill.was_busy = false);
    });
    assert_eq!(found["as much trouble was made as was asked for"].len(), 2, "{found:?}");
}

#[test]
fn executions_that_vanish_appear_or_stay_open_are_found() {
    let ended = "every execution reached a terminal status";
    let found = broken(|seen| drop(seen.facts.executions.remove(1)));
    assert_eq!(found[ended], ["execution e2 is gone"]);
    let found = broken(|seen| drop(seen.runs.remove(1)));
    assert_eq!(found[ended], ["execution e2 was never asked for"]);
    let found = broken(|seen| seen.facts.executions[1].status = "running".to_owned());
    assert_eq!(found[ended], ["execution e2 is running after 1 attempts"]);
}

#[test]
fn a_second_end_is_found_wherever_it_shows() {
    let end = |from: &str| End { id: "e1".to_owned(), attempt: 2, from: from.to_owned(), to: "completed".to_owned() };
    breaks(ended_once, |seen| seen.facts.ends.push(end("running")));
    let found = broken(|seen| seen.facts.ends.push(end("completed")));
    assert_eq!(found.into_values().map(|findings| findings.len()).collect::<Vec<_>>(), [2]);
    breaks(ended_once, |seen| seen.facts.ends.retain(|end| end.id != "j2"));
    breaks(ended_once, |seen| seen.pages.attempts[1].id = "e1".to_owned());
}

#[test]
fn a_result_must_be_an_answer_to_this_execution() {
    breaks(ended_once, |seen| seen.facts.executions[0].result = Some("Answer 1 to run-1".to_owned()));
    breaks(ended_once, |seen| seen.facts.executions[0].result = Some("Answer 1 to run-2".to_owned()));
    breaks(ended_once, |seen| seen.facts.executions[0].result = None);
    breaks(ended_once, |seen| seen.facts.executions[1].result = Some("Answer 2 to run-1".to_owned()));
}

#[test]
fn a_further_call_needs_a_reason() {
    breaks(calls::explained, |seen| seen.kills[0].process = 8);
    breaks(calls::explained, |seen| seen.kills[0].function = "job-webhook".to_owned());
    breaks(calls::explained, |seen| seen.kills[0].at += Duration::from_secs(1));
    breaks(calls::explained, |seen| seen.calls[0].ending = Ending::Open);
    breaks(calls::explained, |seen| seen.facts.executions[0].attempts = 1);
    breaks(calls::explained, |seen| seen.calls[2].marker = String::new());
}

#[test]
fn each_reason_is_recognised() {
    let reasons = |spoil: fn(&mut Evidence)| {
        let mut evidence = evidence();
        evidence.kills[0].process = 99;
        spoil(&mut evidence);
        let explained = explain(&evidence);
        (explained.reasons.into_keys().collect::<Vec<_>>(), explained.duplicates)
    };
    assert_eq!(reasons(|seen| seen.kills[0].process = 7), (vec![Reason::Killed], 0));
    assert_eq!(reasons(|_| ()), (vec![Reason::Unexplained], 0));
    let answered = |seen: &mut Evidence| seen.calls[0].ending = Ending::Answered(seen.calls[0].arrived);
    assert_eq!(
        reasons(|seen| seen.demanded.provider_timeout = Duration::from_millis(540)),
        (vec![Reason::TimedOut], 0)
    );
    assert_eq!(
        reasons(|seen| seen.pages.attempts[1] =
            LoggedAttempt { id: "e1".to_owned(), attempt: 1, outcome: "lost".to_owned() }),
        (vec![Reason::Lost], 0)
    );
    let mut bad = evidence();
    answered(&mut bad);
    assert_eq!((explain(&bad).duplicates, explain(&bad).reasons[&Reason::Killed]), (1, 1));
    bad.calls[0].reply = Reply::ServerError;
    assert_eq!((explain(&bad).duplicates, explain(&bad).reasons[&Reason::BadAnswer]), (0, 1));
}

#[test]
fn embeddings_are_held_to_the_same_rules() {
    let with_embedding = |spoil: fn(&mut Evidence)| {
        broken(|seen| {
            let (marker, arrived) = ("run-3".to_owned(), seen.calls[0].arrived);
            let ending = Ending::Answered(arrived);
            let call = Call {
                marker: marker.clone(),
                number: 1,
                kind: Kind::Vector,
                process: Some(7),
                arrived,
                ..seen.calls[0].clone()
            };
            seen.calls.push(Call { ending, ..call.clone() });
            seen.embeddings.push(Run { id: "v".to_owned(), marker, destinations: vec![], is_cancelled: false });
            let result = Some("Answer 1 to run-3".to_owned());
            let row = ExecutionRow { id: "v".to_owned(), status: "completed".to_owned(), attempts: 1, result };
            seen.facts.embeddings.push(row);
            let (from, to) = ("running".to_owned(), "completed".to_owned());
            seen.facts.ends.push(End { id: "v".to_owned(), attempt: 1, from, to });
            spoil(seen);
        })
    };
    assert_eq!(with_embedding(|_| ()), BTreeMap::new());
    let gone = with_embedding(|seen| seen.facts.embeddings.clear());
    assert_eq!(gone["every execution reached a terminal status"], ["execution v is gone"]);
    assert_eq!(with_embedding(|seen| seen.facts.embeddings[0].result = None).len(), 1);
    let again = with_embedding(|seen| {
        seen.facts.embeddings[0].attempts = 2;
        let second = Call { number: 2, ..seen.calls[3].clone() };
        seen.calls.push(second);
    });
    assert_eq!(again.len(), 1, "a worker of executions was killed, not this one: {again:?}");
}

#[test]
fn one_call_too_many_at_once_is_found() {
    breaks(limited, |seen| seen.most_open = 3);
}

#[test]
fn a_webhook_must_arrive_as_it_should() {
    breaks(delivered, |seen| seen.deliveries[2].is_accepted = false);
    breaks(delivered, |seen| drop(seen.deliveries.remove(2)));
    breaks(delivered, |seen| seen.deliveries[0].id = "another".to_owned());
    breaks(delivered, |seen| seen.deliveries[0].problems.push("bad signature".to_owned()));
    breaks(delivered, |seen| seen.deliveries[2].status = "completed".to_owned());
    breaks(delivered, |seen| {
        let stray = Delivery { execution: "nobody".to_owned(), ..seen.deliveries[0].clone() };
        seen.deliveries.push(stray);
    });
}

#[test]
fn one_job_for_each_execution_and_destination() {
    let found = broken(|seen| {
        let second = JobRow { id: "j3".to_owned(), ..seen.facts.jobs[0].clone() };
        seen.facts.jobs.push(second);
    });
    assert_eq!(
        found["every end was delivered, under one id and with valid signatures"],
        ["execution e1 and destination d: 2 jobs"]
    );
}

#[test]
fn what_the_database_says_is_passed_on() {
    breaks(recounted, |seen| seen.pages.repairs.push("usage_sums: 2 instead of 1".to_owned()));
    breaks(recounted, |seen| seen.facts.differences.push("usage_sums lacks x".to_owned()));
    breaks(nothing_left, |seen| seen.facts.leftovers.push("execution e1 is running".to_owned()));
}
