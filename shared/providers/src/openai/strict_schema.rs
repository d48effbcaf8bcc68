//! JSON Schemas as OpenAI's strict mode takes them (guide "Structured outputs", section "Supported schemas"; defect
//! V-03).
//!
//! Strict mode holds the model to the schema while it writes, and for that accepts only a part of JSON Schema: every
//! object is closed and requires all its members, and every value has a type. A member that was optional therefore
//! becomes nullable. The caller, who checks the answer against the schema as written, drops nulls that it does not
//! allow (decision E-07), so an absent member comes back as absent.
//!
//! Keywords that only narrow a value (`not`, `uniqueItems`, `minProperties`, ...) are left out; the caller's check
//! still applies them. A schema that would lose structure (open maps, tuples, values of any type, conditions) is not
//! converted at all.

mod scalar;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::schema::{
    ANNOTATIONS, annotated, merge,
    references::{definition, resolved, split},
    types::types,
};

/// Limits of the guide's section "Limitations": object members, values of enumerations, levels of objects.
const MAX_PROPERTIES: usize = 5000;
const MAX_ENUM_VALUES: usize = 1000;
const MAX_DEPTH: usize = 10;

/// Keywords that shape values in a way that strict mode cannot express.
const INEXPRESSIBLE: [&str; 8] =
    ["$dynamicRef", "$recursiveRef", "dependentSchemas", "else", "if", "patternProperties", "prefixItems", "then"];

/// How a schema can be sent.
#[derive(Debug, PartialEq)]
pub(super) enum Fit {
    /// In strict mode, in this form.
    Strict(Value),
    /// Without strict mode, in this form.
    Loose(Value),
    /// Not at all: the root describes no object.
    None,
}

/// Finds the best way to send a schema. Fine-tuned models take no keywords that narrow scalars.
pub(super) fn fit(schema: &Value, is_fine_tuned: bool) -> Fit {
    let Some(root) = object_root(schema) else { return Fit::None };
    let mut conversion =
        Conversion { root: &root, is_fine_tuned, references: BTreeSet::new(), properties: 0, values: 0 };
    match conversion.whole() {
        Some(strict) => Fit::Strict(strict),
        None => Fit::Loose(Value::Object(root)),
    }
}

/// The root with `"type": "object"` in it, which both modes ask for; `None` when it describes something else. A root
/// that is only a reference is replaced by what it refers to.
fn object_root(schema: &Value) -> Option<Map<String, Value>> {
    let mut root = resolved(schema)?.clone();
    for container in ["$defs", "definitions"] {
        if let Some(definitions) = schema.get(container) {
            root.insert(container.to_owned(), definitions.clone());
        }
    }
    let is_object = match root.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.contains(&json!("object")),
        None => root.contains_key("properties"),
        _ => false,
    };
    if !is_object {
        return None;
    }
    root.insert("type".to_owned(), json!("object"));
    Some(root)
}

/// A conversion under way. Its methods give `None` for what strict mode cannot express.
struct Conversion<'a> {
    root: &'a Map<String, Value>,
    is_fine_tuned: bool,
    /// The references met so far.
    references: BTreeSet<String>,
    properties: usize,
    values: usize,
}

impl Conversion<'_> {
    fn whole(&mut self) -> Option<Value> {
        // The root may be neither a choice nor an enumeration.
        if ["anyOf", "oneOf", "enum", "const"].iter().any(|keyword| self.root.contains_key(*keyword)) {
            return None;
        }
        let mut strict = self.schema(self.root, 1)?;
        let mut done = BTreeSet::new();
        while let Some(reference) = self.references.difference(&done).next().cloned() {
            if let Some((container, name)) = split(&reference) {
                let converted = self.schema(definition(self.root, &reference)?.as_object()?, 1)?;
                let definitions = strict.entry(container).or_insert_with(|| json!({}));
                definitions.as_object_mut()?.insert(name.to_owned(), Value::Object(converted));
            }
            done.insert(reference);
        }
        let is_within_limits = self.properties <= MAX_PROPERTIES && self.values <= MAX_ENUM_VALUES;
        is_within_limits.then_some(Value::Object(strict))
    }

    fn schema(&mut self, schema: &Map<String, Value>, depth: usize) -> Option<Map<String, Value>> {
        if INEXPRESSIBLE.iter().any(|keyword| schema.contains_key(*keyword)) {
            return None;
        }
        if let Some(reference) = schema.get("$ref") {
            return self.reference(schema, reference.as_str()?);
        }
        if let Some(parts) = schema.get("allOf") {
            return self.schema(&merge::all_of(schema, parts.as_array()?)?, depth);
        }
        if let Some(choices) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            return self.choice(schema, choices.as_array()?, depth);
        }
        let types = types(schema)?;
        let is_scalar = |name: &String| !matches!(name.as_str(), "object" | "array");
        if types.len() > 1 && !types.iter().all(is_scalar) {
            return self.split(schema, &types, depth);
        }
        let mut strict = annotated(schema);
        match types.as_slice() {
            [only] if only == "object" => self.object(schema, &mut strict, depth)?,
            [only] if only == "array" => self.array(schema, &mut strict, depth)?,
            _ => {
                self.values += scalar::copy(schema, &types, self.is_fine_tuned, &mut strict)?;
            }
        }
        Some(strict)
    }

    /// A reference stands alone; a description beside it is left out.
    fn reference(&mut self, schema: &Map<String, Value>, reference: &str) -> Option<Map<String, Value>> {
        let is_alone = schema.keys().all(|keyword| keyword == "$ref" || ANNOTATIONS.contains(&keyword.as_str()));
        let is_known = reference == "#" || definition(self.root, reference).is_some();
        if !is_alone || !is_known {
            return None;
        }
        self.references.insert(reference.to_owned());
        Some(single("$ref", json!(reference)))
    }

    /// `oneOf` becomes `anyOf`. A type beside the choices goes into those that have none.
    fn choice(&mut self, schema: &Map<String, Value>, choices: &[Value], depth: usize) -> Option<Map<String, Value>> {
        let is_alone = schema.keys().all(|keyword| {
            matches!(keyword.as_str(), "anyOf" | "oneOf" | "type") || ANNOTATIONS.contains(&keyword.as_str())
        });
        if !is_alone || choices.is_empty() || (schema.contains_key("anyOf") && schema.contains_key("oneOf")) {
            return None;
        }
        let mut converted = Vec::with_capacity(choices.len());
        for choice in choices {
            let mut choice = choice.as_object()?.clone();
            if let Some(kind) = schema.get("type").filter(|_| !choice.contains_key("$ref")) {
                choice.entry("type").or_insert_with(|| kind.clone());
            }
            converted.push(Value::Object(self.schema(&choice, depth)?));
        }
        let mut strict = annotated(schema);
        strict.insert("anyOf".to_owned(), Value::Array(converted));
        Some(strict)
    }

    /// One schema per type, for values that may be an object or a list or something else.
    fn split(&mut self, schema: &Map<String, Value>, types: &[String], depth: usize) -> Option<Map<String, Value>> {
        if schema.contains_key("enum") || schema.contains_key("const") {
            return None;
        }
        let mut choices = Vec::with_capacity(types.len());
        for name in types {
            let mut choice = schema.clone();
            choice.remove("description");
            choice.remove("title");
            choice.insert("type".to_owned(), json!(name));
            choices.push(Value::Object(self.schema(&choice, depth)?));
        }
        let mut strict = annotated(schema);
        strict.insert("anyOf".to_owned(), Value::Array(choices));
        Some(strict)
    }

    /// A closed object that requires all its members; those that were optional become nullable.
    fn object(&mut self, schema: &Map<String, Value>, strict: &mut Map<String, Value>, depth: usize) -> Option<()> {
        let no_properties = Map::new();
        let properties = match schema.get("properties") {
            Some(properties) => properties.as_object()?,
            None => &no_properties,
        };
        let additional = schema.get("additionalProperties");
        // Closing what was open by default, or explicitly open to anything, loses nothing that the schema names.
        let is_closable = match additional {
            None | Some(Value::Bool(true)) => !properties.is_empty(),
            Some(Value::Bool(false)) => true,
            Some(_) => false,
        };
        let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_complete = required.iter().all(|name| name.as_str().is_some_and(|name| properties.contains_key(name)));
        if !is_closable
            || !is_complete
            || depth > MAX_DEPTH
            || schema.contains_key("enum")
            || schema.contains_key("const")
        {
            return None;
        }
        self.properties += properties.len();
        let mut converted = Map::with_capacity(properties.len());
        for (name, property) in properties {
            let mut property = self.schema(property.as_object()?, depth + 1)?;
            if !required.iter().any(|required| required == name) {
                property = nullable(property);
            }
            converted.insert(name.clone(), Value::Object(property));
        }
        let names: Vec<&String> = properties.keys().collect();
        strict.insert("type".to_owned(), json!("object"));
        strict.insert("required".to_owned(), json!(names));
        strict.insert("properties".to_owned(), Value::Object(converted));
        strict.insert("additionalProperties".to_owned(), json!(false));
        Some(())
    }

    /// A list of one kind of thing.
    fn array(&mut self, schema: &Map<String, Value>, strict: &mut Map<String, Value>, depth: usize) -> Option<()> {
        let is_enumerated = schema.contains_key("enum") || schema.contains_key("const");
        let items = schema.get("items").and_then(Value::as_object).filter(|_| !is_enumerated)?;
        strict.insert("type".to_owned(), json!("array"));
        strict.insert("items".to_owned(), Value::Object(self.schema(items, depth)?));
        if !self.is_fine_tuned {
            scalar::copy_numbers(schema, &["minItems", "maxItems"], strict);
        }
        Some(())
    }
}

/// The schema, with null allowed besides.
fn nullable(mut schema: Map<String, Value>) -> Map<String, Value> {
    let nothing = json!({"type": "null"}); // not `null`, which would be a word of the macro's own
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        if !choices.contains(&nothing) {
            choices.push(nothing);
        }
        return schema;
    }
    let is_plain =
        !["$ref", "enum", "const", "properties", "items"].iter().any(|keyword| schema.contains_key(*keyword));
    match schema.get_mut("type") {
        Some(Value::String(name)) if name == "null" => schema,
        Some(Value::Array(names)) if names.contains(&json!("null")) => schema,
        Some(Value::Array(names)) if is_plain => {
            names.push(json!("null"));
            schema
        }
        Some(name) if is_plain => {
            *name = json!([name.take(), "null"]);
            schema
        }
        _ => single("anyOf", json!([schema, nothing])),
    }
}

fn single(keyword: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(keyword.to_owned(), value)])
}

#[cfg(test)]
mod tests;
