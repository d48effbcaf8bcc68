//! Finds and drops the null members that a schema does not allow.
//!
//! Models like to write `null` for what they leave out. A null goes only where the schema objects to it: arrays keep
//! their items, and empty objects and arrays stay.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

/// A copy of the data without forbidden null members, or nothing when there are none.
pub(super) fn without_forbidden(validator: &Validator, data: &Value) -> Option<Value> {
    let errors: Vec<_> = validator.iter_errors(data).collect();
    let mut repair = Repair::default();
    repair.answer(&errors, data);
    if repair.drops.is_empty() {
        return None;
    }
    let mut cleaned = data.clone();
    for (object, names) in &repair.drops {
        if let Some(Value::Object(members)) = cleaned.pointer_mut(object) {
            members.retain(|name, value| !(value.is_null() && names.contains(name)));
        }
    }
    Some(cleaned)
}

/// Which nulls to drop, and how many errors that leaves.
#[derive(Default)]
struct Repair {
    /// Member names by the path of their object.
    drops: BTreeMap<String, BTreeSet<String>>,
    unanswered: usize,
}

impl Repair {
    fn answer(&mut self, errors: &[ValidationError<'_>], data: &Value) {
        for error in errors {
            let path = error.instance_path().as_str();
            if let Some((object, name)) = null_member(path, data) {
                self.drop(object, name);
                continue;
            }
            match error.kind() {
                Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                    let object = data.pointer(path);
                    for name in unexpected {
                        match object.and_then(|object| object.get(name)) {
                            Some(Value::Null) => self.drop(path, name.clone()),
                            _ => self.unanswered += 1,
                        }
                    }
                }
                Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.answer_union(context, data),
                _ => self.unanswered += 1,
            }
        }
    }

    /// Of the branches that dropping nulls would help, takes the one that it helps most.
    fn answer_union(&mut self, branches: &[Vec<ValidationError<'static>>], data: &Value) {
        let repairs = branches.iter().map(|errors| {
            let mut repair = Self::default();
            repair.answer(errors, data);
            repair
        });
        let helpful = repairs.filter(|repair| !repair.drops.is_empty());
        match helpful.min_by_key(|repair| repair.unanswered) {
            None => self.unanswered += 1,
            Some(best) => {
                self.unanswered += best.unanswered;
                for (object, names) in best.drops {
                    self.drops.entry(object).or_default().extend(names);
                }
            }
        }
    }

    fn drop(&mut self, object: &str, name: String) {
        self.drops.entry(object.to_owned()).or_default().insert(name);
    }
}

/// Splits the path of a null that is a member of an object.
fn null_member<'p>(path: &'p str, data: &Value) -> Option<(&'p str, String)> {
    let (object, name) = path.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    let is_null = data.pointer(object)?.as_object()?.get(&name)?.is_null();
    is_null.then_some((object, name))
}
