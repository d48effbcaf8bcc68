//! Prints a template's tree with data.

use std::{borrow::Cow, fmt::Write};

use serde_json::Value;

use super::parse::{Name, Node};

/// Prints the nodes, with `data` as the outermost context.
pub(super) fn render(nodes: &[Node], data: &Value) -> String {
    let mut out = String::new();
    print_nodes(nodes, &Context { value: data, outer: None }, &mut out);
    out
}

/// The values around a tag, innermost first.
struct Context<'c> {
    value: &'c Value,
    outer: Option<&'c Context<'c>>,
}

fn print_nodes(nodes: &[Node], context: &Context<'_>, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Value(name) => {
                if let Some(value) = context.find(name) {
                    print_value(&value, out);
                }
            }
            Node::Section { name, inverted, body } => {
                let value = context.find(name).filter(|value| is_truthy(value));
                match value.as_deref() {
                    None if *inverted => print_nodes(body, context, out),
                    None => {}
                    Some(_) if *inverted => {}
                    Some(Value::Array(items)) => {
                        for item in items {
                            print_nodes(body, &context.with(item), out);
                        }
                    }
                    Some(value) => print_nodes(body, &context.with(value), out),
                }
            }
        }
    }
}

fn print_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        other => write!(out, "{other}").expect("writing to a string cannot fail"),
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
    fn find(&self, name: &Name) -> Option<Cow<'_, Value>> {
        let (first, rest) = match name {
            Name::Current => return Some(Cow::Borrowed(self.value)),
            Name::Path { first, rest } => (first, rest),
        };
        let mut contexts = std::iter::successors(Some(self), |context| context.outer);
        let mut found = contexts.find_map(|context| member(context.value, first))?;
        for part in rest {
            found = match found {
                Cow::Borrowed(Value::String(text)) if part == "length" => {
                    Cow::Owned(text.encode_utf16().count().into())
                }
                Cow::Borrowed(value) => member(value, part)?,
                Cow::Owned(_) => return None,
            };
        }
        Some(found)
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
