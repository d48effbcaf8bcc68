//! A few runs over real processes.

#[test]
fn placeholder() {}
