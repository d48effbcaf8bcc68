//! Prints a template's tree with data.

use std::{borrow::Cow, fmt::Write};

use serde_json::Value;

use super::{
    MAX_OUTPUT_BYTES, MAX_STEPS, TemplateError,
    parse::{Name, Node},
};

/// Names and texts of this many bytes cost one step more.
const BYTES_OF_A_STEP: usize = 32;

/// Prints the nodes, with `data` as the outermost context.
pub(super) fn render(nodes: &[Node], data: &Value) -> Result<String, TemplateError> {
    let mut printer = Printer { out: String::new(), steps_left: MAX_STEPS };
    printer.nodes(nodes, &Context { value: data, outer: None })?;
    Ok(printer.out)
}

/// Prints as long as neither text nor work gets out of hand: a few lists inside each other repeat a section as often as
/// the product of their lengths.
struct Printer {
    out: String,
    steps_left: usize,
}

/// The values around a tag, innermost first.
struct Context<'c> {
    value: &'c Value,
    outer: Option<&'c Context<'c>>,
}

impl Printer {
    fn nodes(&mut self, nodes: &[Node], context: &Context<'_>) -> Result<(), TemplateError> {
        for node in nodes {
            self.step(0)?;
            match node {
                Node::Text(text) => self.text(text)?,
                Node::Value(name) => {
                    if let Some(value) = context.find(name, self)? {
                        self.value(&value)?;
                    }
                }
                Node::Section { name, inverted, body } => {
                    let value = context.find(name, self)?.filter(|value| is_truthy(value));
                    match value.as_deref() {
                        None if *inverted => self.nodes(body, context)?,
                        None => {}
                        Some(_) if *inverted => {}
                        Some(Value::Array(items)) => {
                            for item in items {
                                self.step(0)?;
                                self.nodes(body, &context.with(item))?;
                            }
                        }
                        Some(value) => self.nodes(body, &context.with(value))?,
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), TemplateError> {
        match value {
            Value::Null => Ok(()),
            Value::String(text) => self.text(text),
            other => {
                write!(self.out, "{other}").expect("writing to a string cannot fail");
                self.text("")
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.out.len() + text.len() > MAX_OUTPUT_BYTES {
            return Err(TemplateError::Endless);
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Counts one step, and more for what takes as long as it has bytes.
    fn step(&mut self, bytes: usize) -> Result<(), TemplateError> {
        let steps = 1 + bytes / BYTES_OF_A_STEP;
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(TemplateError::Endless)?;
        Ok(())
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

impl Context<'_> {
    fn with<'c>(&'c self, value: &'c Value) -> Context<'c> {
        Context { value, outer: Some(self) }
    }

    /// Looks the first part up from the innermost value outwards, and each further part only inside the one before.
    fn find(&self, name: &Name, printer: &mut Printer) -> Result<Option<Cow<'_, Value>>, TemplateError> {
        let (first, rest) = match name {
            Name::Current => return Ok(Some(Cow::Borrowed(self.value))),
            Name::Path { first, rest } => (first, rest),
        };
        let mut found = None;
        for context in std::iter::successors(Some(self), |context| context.outer) {
            printer.step(first.len())?;
            found = member(context.value, first);
            if found.is_some() {
                break;
            }
        }
        for part in rest {
            printer.step(part.len())?;
            found = match found {
                Some(Cow::Borrowed(Value::String(text))) if part == "length" => {
                    printer.step(text.len())?;
                    Some(Cow::Owned(text.encode_utf16().count().into()))
                }
                Some(Cow::Borrowed(value)) => member(value, part),
                Some(Cow::Owned(_)) | None => return Ok(None),
            };
        }
        Ok(found)
    }
}

/// A member of an object, or an array's item or length.
fn member<'v>(value: &'v Value, name: &str) -> Option<Cow<'v, Value>> {
    match value {
        Value::Object(members) => members.get(name).map(Cow::Borrowed),
        Value::Array(items) if name == "length" => Some(Cow::Owned(items.len().into())),
        Value::Array(items) => items.get(index(name)?).map(Cow::Borrowed),
        _ => None,
    }
}

/// An array index in its only spelling: digits without a leading zero.
fn index(name: &str) -> Option<usize> {
    let is_canonical = name == "0" || !name.starts_with(['0', '+']);
    name.parse().ok().filter(|_| is_canonical)
}
