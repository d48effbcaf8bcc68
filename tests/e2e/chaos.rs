//! A small `cargo dev chaos`: a hundred executions with webhooks, ten killed processes, a queue server that forgets.

use local_dev::{
    chaos::{self, ChaosArgs},
    report::Reporter,
};

use crate::place::{Place, at_both_places};

at_both_places!(nothing_is_lost_while_processes_die_and_the_queue_forgets);

async fn nothing_is_lost_while_processes_die_and_the_queue_forgets(place: Place) {
    let args = ChaosArgs { seed: 1, executions: 100, kills: 10, concurrency: 20, release: false, json: None };
    let data = tempfile::tempdir().expect("a temporary folder");
    let ran = chaos::run(&args, data.path(), place.database(), &Reporter::silent(), false).await;
    if !ran.as_ref().is_ok_and(|outcome| outcome.passed) {
        let kept = data.keep();
        panic!(
            "{}\nDatabase and logs are in {}",
            ran.map_or_else(|error| format!("{error:#}"), |outcome| outcome.text),
            kept.display()
        );
    }
}
