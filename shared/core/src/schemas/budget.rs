//! How much work a check may be. Schemas of users are programs: a few references inside unions double the work with every
//! level, and a pattern can be as slow as it is short. So each of their schemas counts its visits, and a check that has
//! used up its steps ends where it stands.
//!
//! The validator has no limit of its own and cannot be stopped from outside; what stops it is a keyword that unwinds.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
};

use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

use super::patterns;

/// The steps of one check: a schema meets a value, and more for values and patterns that are large.
pub const STEPS: usize = 100_000;

/// The keyword that counts. Every schema object gets it before it is compiled.
pub(super) const KEYWORD: &str = "x-steps";

/// How many bytes, members, items or options make one step more.
const OF_A_STEP: usize = 16;

/// How much matching makes one step: bytes of a text times parts of a pattern.
const MATCHING_OF_A_STEP: usize = 5_000;

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(STEPS) };
}

/// What unwinds out of the validator.
struct UsedUp;

/// Does a check with fresh steps; `None` when they did not suffice.
pub(super) fn within_steps<T>(check: impl FnOnce() -> T) -> Option<T> {
    LEFT.set(STEPS);
    match panic::catch_unwind(AssertUnwindSafe(check)) {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<UsedUp>() => None,
        Err(payload) => panic::resume_unwind(payload),
    }
}

fn spend(steps: usize) {
    match LEFT.get().checked_sub(steps) {
        Some(left) => LEFT.set(left),
        // Not `panic!`: nobody needs a line in the log.
        None => panic::resume_unwind(Box::new(UsedUp)),
    }
}

/// What a visit of one schema costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Visit {
    /// For every visit, besides one.
    options: usize,
    /// Parts of the pattern that a text is matched with.
    text_parts: usize,
    /// Parts of all patterns that names of members are matched with.
    name_parts: usize,
    /// Whether texts are compiled as patterns.
    reads_patterns: bool,
}

impl Visit {
    /// The costs of a schema; `backtracking` is what a pattern counts as where the engine may turn back.
    pub(super) fn of(schema: &Map<String, Value>, backtracking: Option<usize>) -> Self {
        let parts = |pattern: &str| backtracking.unwrap_or_else(|| patterns::parts(pattern));
        let list = |name: &str| schema.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        let named = schema.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        Self {
            options: list("enum") + list("required"),
            text_parts: schema.get("pattern").and_then(Value::as_str).map_or(0, parts),
            name_parts: named.map(|pattern| parts(pattern)).fold(0, usize::saturating_add),
            reads_patterns: schema.get("format").is_some_and(|format| format == "regex"),
        }
    }

    fn spend(self, instance: &Value) {
        let matching = |text: &str, parts: usize| text.len().saturating_mul(parts) / MATCHING_OF_A_STEP;
        let size = match instance {
            Value::String(text) => {
                let reading = if self.reads_patterns { patterns::parts(text).saturating_mul(OF_A_STEP) } else { 0 };
                (text.len() / OF_A_STEP).saturating_add(matching(text, self.text_parts)).saturating_add(reading)
            }
            Value::Array(items) => items.len() / OF_A_STEP,
            Value::Object(members) if self.name_parts > 0 => {
                members.keys().map(|name| 1 + matching(name, self.name_parts)).fold(0, usize::saturating_add)
            }
            Value::Object(members) => members.len() / OF_A_STEP,
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        };
        spend(size.saturating_add(1 + self.options / OF_A_STEP));
    }
}

impl<'i> Keyword<'i> for Visit {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        self.spend(instance);
        Ok(())
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.spend(instance);
        true
    }
}
