//! One suite for every place where the data may live: a local file, a server on the loopback interface that speaks the
//! remote protocol, and the server that `REMOTE_DATABASE_URL` (with `REMOTE_DATABASE_TOKEN`) names. That last database
//! is wiped for each test; it must be empty at first.

#[cfg(test)]
#[path = "storage/domain.rs"]
mod domain;
#[cfg(test)]
#[path = "storage/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "storage/lost_answers.rs"]
mod lost_answers;
#[cfg(test)]
#[path = "storage/races.rs"]
mod races;
#[cfg(test)]
#[path = "storage/schema.rs"]
mod schema;
#[cfg(test)]
#[path = "storage/targets.rs"]
mod targets;
#[cfg(test)]
#[path = "storage/values.rs"]
mod values;
#[cfg(test)]
#[path = "storage/writes.rs"]
mod writes;
