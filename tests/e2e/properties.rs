//! Made-up requests, valid and invalid ones, to every operation: no 5xx, and nothing that the document does not declare.

use local_dev::{
    fuzz::{self, FuzzArgs, Tally},
    stack::Stack,
};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_thousands_of_made_up_requests_is_as_documented() {
    let (data, tally) = (tempfile::tempdir().unwrap(), Tally::default());
    let mut options = fuzz::options(data.path(), &tally).unwrap();
    let place = Place::of_this_run().await;
    place.apply(&mut options);
    let stack = Stack::start(options).await.unwrap();
    let outcome = fuzz::run(&stack, FuzzArgs { seed: 1, examples: 10, release: false }).await.unwrap();
    stack.shutdown().await;
    assert!(outcome.passed, "{}", outcome.text);
    println!("{} requests to {} operations in {:.0} s", outcome.cases, outcome.operations, outcome.seconds);
    assert!(outcome.cases >= 2_000, "{} requests", outcome.cases);
    // A run whose every request is refused finds nothing.
    assert!(tally.share(200..=299) > 0.1 && tally.share(422..=422) > 0.1, "{:?}", tally.by_status());
}
