//! A schema in the subset of JSON Schema that a vendor takes, when its meaning survives that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    ANNOTATIONS, annotated, merge,
    references::{definition, split},
    types::{type_of, types},
};

/// Why a schema does not fit, in words that complete "the schema was sent as words since ...".
pub(crate) type Reason = &'static str;

/// The subset that a vendor takes.
pub(crate) struct Subset {
    /// Keywords that narrow a value and that the vendor knows. All others become part of the description.
    pub(crate) limits: &'static [&'static str],
    /// Formats of strings that the vendor knows.
    pub(crate) formats: &'static [&'static str],
    /// `minItems` may be no larger than this.
    pub(crate) largest_min_items: u64,
    /// Every object must be closed, so that maps with open keys have no place.
    pub(crate) closes_objects: bool,
    /// `prefixItems` is known.
    pub(crate) has_tuples: bool,
    /// A value may have a list of types; otherwise each type becomes a choice.
    pub(crate) has_type_lists: bool,
    /// Enumerations may hold true and false, not only strings and numbers.
    pub(crate) enumerates_booleans: bool,
    /// A schema may refer to itself from members that are not required.
    pub(crate) has_recursion: bool,
    /// So many members may be optional, over the whole schema.
    pub(crate) max_optional: usize,
    /// So many values may be of several types, over the whole schema.
    pub(crate) max_unions: usize,
}

/// Keywords that shape values in a way that no vendor can express.
const INEXPRESSIBLE: [&str; 7] =
    ["$dynamicRef", "$recursiveRef", "dependentSchemas", "else", "if", "patternProperties", "then"];

/// Keywords that only narrow a value.
const NARROWING: [&str; 20] = [
    "contains",
    "dependentRequired",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "pattern",
    "propertyNames",
    "uniqueItems",
];

const ANY_TYPE: Reason = "it lets a value be of any type";
const CONTRADICTION: Reason = "its parts say different things with one keyword";
const NO_SCHEMA: Reason = "a part of it is no schema";
const RECURSION: Reason = "it refers to itself where the vendor does not allow that";
const UNKNOWN_REFERENCE: Reason = "it has a reference that the vendor cannot follow";
const ENUMERATION: Reason = "it enumerates values other than the vendor takes";
const OPEN_KEYS: Reason = "it has an object with open keys";

/// Puts a schema into the subset.
pub(crate) fn fit(schema: &Value, subset: &Subset) -> Result<Value, Reason> {
    let root = schema.as_object().ok_or(ANY_TYPE)?;
    let mut conversion = Conversion { root, subset, references: BTreeSet::new(), optional: 0, unions: 0 };
    let mut fitted = conversion.schema(root)?;
    let mut definitions = Map::new();
    while let Some((name, reference)) = conversion.next_reference(&definitions) {
        let target = definition(root, &reference).and_then(Value::as_object).ok_or(UNKNOWN_REFERENCE)?;
        definitions.insert(name, Value::Object(conversion.schema(target)?));
    }
    if conversion.optional > subset.max_optional {
        return Err("it has more optional members than the vendor takes");
    }
    if conversion.unions > subset.max_unions {
        return Err("it has more values of several types than the vendor takes");
    }
    if refers_to_itself(&fitted, &definitions, subset.has_recursion) {
        return Err(RECURSION);
    }
    if !definitions.is_empty() {
        fitted.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(Value::Object(fitted))
}

/// A conversion under way.
struct Conversion<'a> {
    root: &'a Map<String, Value>,
    subset: &'a Subset,
    /// The references met so far, as they were written.
    references: BTreeSet<String>,
    optional: usize,
    unions: usize,
}

impl Conversion<'_> {
    /// Name and reference of a definition that was met and is not converted yet.
    fn next_reference(&self, converted: &Map<String, Value>) -> Option<(String, String)> {
        self.references.iter().find_map(|reference| {
            let (_, name) = split(reference)?;
            (!converted.contains_key(name)).then(|| (name.to_owned(), reference.clone()))
        })
    }

    fn schema(&mut self, schema: &Map<String, Value>) -> Result<Map<String, Value>, Reason> {
        if INEXPRESSIBLE.iter().any(|keyword| schema.contains_key(*keyword)) {
            return Err("it has conditions or patterns of keys");
        }
        if let Some(reference) = schema.get("$ref") {
            return self.reference(schema, reference.as_str().ok_or(NO_SCHEMA)?);
        }
        if let Some(parts) = schema.get("allOf") {
            let parts = parts.as_array().ok_or(NO_SCHEMA)?;
            return self.schema(&merge::all_of(schema, parts).ok_or(CONTRADICTION)?);
        }
        if schema.contains_key("anyOf") || schema.contains_key("oneOf") {
            return self.choice(schema);
        }
        self.value(schema)
    }

    /// A reference stands alone; a description beside it is left out. All definitions go into `$defs`.
    fn reference(&mut self, schema: &Map<String, Value>, reference: &str) -> Result<Map<String, Value>, Reason> {
        let is_alone = schema.keys().all(|keyword| keyword == "$ref" || ANNOTATIONS.contains(&keyword.as_str()));
        if !is_alone {
            return Err(UNKNOWN_REFERENCE);
        }
        if reference == "#" {
            return Ok(only("$ref", json!("#")));
        }
        let (container, name) = split(reference).ok_or(UNKNOWN_REFERENCE)?;
        let other = if container == "$defs" { "definitions" } else { "$defs" };
        let is_ambiguous = self.root.get(other).is_some_and(|definitions| definitions.get(name).is_some());
        if is_ambiguous || definition(self.root, reference).is_none() {
            return Err(UNKNOWN_REFERENCE);
        }
        self.references.insert(reference.to_owned());
        Ok(only("$ref", json!(format!("#/$defs/{name}"))))
    }

    /// `oneOf` becomes `anyOf`. What stands beside the choices holds for each of them.
    fn choice(&mut self, schema: &Map<String, Value>) -> Result<Map<String, Value>, Reason> {
        let choices = match (schema.get("anyOf"), schema.get("oneOf")) {
            (Some(choices), None) | (None, Some(choices)) => choices.as_array().ok_or(NO_SCHEMA)?,
            _ => return Err(CONTRADICTION),
        };
        let mut shared = schema.clone();
        shared.retain(|keyword, _| {
            !matches!(keyword.as_str(), "anyOf" | "oneOf") && !ANNOTATIONS.contains(&keyword.as_str())
        });
        let mut converted = Vec::with_capacity(choices.len());
        for choice in choices {
            let choice = choice.as_object().ok_or(ANY_TYPE)?.clone();
            let choice = if shared.is_empty() { choice } else { merge::both(choice, &shared).ok_or(CONTRADICTION)? };
            converted.push(Value::Object(self.schema(&choice)?));
        }
        if converted.is_empty() {
            return Err(NO_SCHEMA);
        }
        self.unions += 1;
        let mut fitted = annotated(schema);
        fitted.insert("anyOf".to_owned(), Value::Array(converted));
        Ok(fitted)
    }

    /// A value of one or several types.
    fn value(&mut self, schema: &Map<String, Value>) -> Result<Map<String, Value>, Reason> {
        let types = types(schema).ok_or(ANY_TYPE)?;
        let may_be = |name: &str| types.iter().any(|present| present == name);
        if schema.contains_key("enum") || schema.contains_key("const") {
            return self.enumeration(schema);
        }
        if types.len() > 1 && !self.subset.has_type_lists {
            return self.choice_of_types(schema, &types);
        }
        let mut fitted = annotated(schema);
        match types.as_slice() {
            [only] => drop(fitted.insert("type".to_owned(), json!(only))),
            several => {
                self.unions += 1;
                fitted.insert("type".to_owned(), json!(several));
            }
        }
        if may_be("object") {
            self.object(schema, &mut fitted)?;
        }
        if may_be("array") {
            self.array(schema, &mut fitted)?;
        }
        self.limits(schema, &mut fitted);
        Ok(fitted)
    }

    /// A choice with one schema per type.
    fn choice_of_types(&mut self, schema: &Map<String, Value>, types: &[String]) -> Result<Map<String, Value>, Reason> {
        let mut choices = Vec::with_capacity(types.len());
        for name in types {
            let mut choice = schema.clone();
            choice.retain(|keyword, _| !ANNOTATIONS.contains(&keyword.as_str()) && name != "null");
            choice.insert("type".to_owned(), json!(name));
            choices.push(Value::Object(self.value(&choice)?));
        }
        self.unions += 1;
        let mut fitted = annotated(schema);
        fitted.insert("anyOf".to_owned(), Value::Array(choices));
        Ok(fitted)
    }

    /// Listed values, by their types; null becomes a choice beside the others.
    fn enumeration(&mut self, schema: &Map<String, Value>) -> Result<Map<String, Value>, Reason> {
        let mut fitted = annotated(schema);
        let values = match (schema.get("const"), schema.get("enum")) {
            (Some(value), _) => std::slice::from_ref(value),
            (None, values) => values.and_then(Value::as_array).ok_or(NO_SCHEMA)?.as_slice(),
        };
        if values.is_empty() || values.iter().any(|value| type_of(value).is_none()) {
            return Err(ENUMERATION);
        }
        let mut choices = Vec::new();
        for kind in ["string", "integer", "number", "boolean", "null"] {
            let of_kind: Vec<&Value> = values.iter().filter(|value| type_of(value) == Some(kind)).collect();
            match (kind, of_kind.as_slice()) {
                (_, []) => {}
                ("boolean", [only]) if self.subset.enumerates_booleans => {
                    choices.push(json!({"type": kind, "enum": [only]}));
                }
                ("boolean", [_]) => return Err(ENUMERATION),
                ("boolean" | "null", _) => choices.push(json!({"type": kind})),
                _ => choices.push(json!({"type": kind, "enum": of_kind})),
            }
        }
        match choices.as_slice() {
            [Value::Object(only)] => fitted.extend(only.clone()),
            _ => {
                self.unions += 1;
                fitted.insert("anyOf".to_owned(), Value::Array(choices));
            }
        }
        Ok(fitted)
    }

    fn object(&mut self, schema: &Map<String, Value>, fitted: &mut Map<String, Value>) -> Result<(), Reason> {
        let none = Map::new();
        let properties = match schema.get("properties") {
            Some(properties) => properties.as_object().ok_or(NO_SCHEMA)?,
            None => &none,
        };
        let required = match schema.get("required") {
            Some(names) => names.as_array().ok_or(NO_SCHEMA)?.as_slice(),
            None => &[],
        };
        let is_described = |name: &Value| name.as_str().is_some_and(|name| properties.contains_key(name));
        if !required.iter().all(is_described) {
            return Err("it requires a member that it does not describe");
        }
        let mut converted = Map::with_capacity(properties.len());
        for (name, property) in properties {
            let property = self.schema(property.as_object().ok_or(ANY_TYPE)?)?;
            converted.insert(name.clone(), Value::Object(property));
            self.optional += usize::from(!required.contains(&json!(name)));
        }
        let additional = schema.get("additionalProperties");
        if self.subset.closes_objects {
            // Closing what was open by default loses nothing that the schema names.
            match additional {
                None | Some(Value::Bool(true)) if !properties.is_empty() => {}
                Some(Value::Bool(false)) => {}
                _ => return Err(OPEN_KEYS),
            }
            fitted.insert("additionalProperties".to_owned(), json!(false));
        } else if let Some(additional) = additional {
            let additional = match additional {
                Value::Bool(is_open) => json!(is_open),
                Value::Object(schema) if schema.is_empty() => json!(true),
                Value::Object(schema) => Value::Object(self.schema(schema)?),
                _ => return Err(NO_SCHEMA),
            };
            fitted.insert("additionalProperties".to_owned(), additional);
        }
        if !converted.is_empty() || self.subset.closes_objects {
            fitted.insert("properties".to_owned(), Value::Object(converted));
        }
        if !required.is_empty() {
            fitted.insert("required".to_owned(), json!(required));
        }
        Ok(())
    }

    fn array(&mut self, schema: &Map<String, Value>, fitted: &mut Map<String, Value>) -> Result<(), Reason> {
        if let Some(places) = schema.get("prefixItems") {
            if !self.subset.has_tuples {
                return Err("it has a list whose places differ");
            }
            let mut converted = Vec::new();
            for place in places.as_array().ok_or(NO_SCHEMA)? {
                converted.push(Value::Object(self.schema(place.as_object().ok_or(ANY_TYPE)?)?));
            }
            fitted.insert("prefixItems".to_owned(), Value::Array(converted));
        }
        match schema.get("items") {
            Some(Value::Object(items)) => {
                let items = self.schema(items)?;
                fitted.insert("items".to_owned(), Value::Object(items));
                Ok(())
            }
            // No more than the places before.
            Some(Value::Bool(false)) if fitted.contains_key("prefixItems") => Ok(()),
            _ => Err(ANY_TYPE),
        }
    }

    /// Keeps what the vendor knows, and tells the model the rest.
    fn limits(&self, schema: &Map<String, Value>, fitted: &mut Map<String, Value>) {
        let mut told = Map::new();
        for (keyword, value) in schema.iter().filter(|(keyword, _)| NARROWING.contains(&keyword.as_str())) {
            let is_known = match keyword.as_str() {
                "format" => value.as_str().is_some_and(|format| self.subset.formats.contains(&format)),
                "minItems" => value.as_u64().is_some_and(|count| count <= self.subset.largest_min_items),
                keyword => self.subset.limits.contains(&keyword) && value.is_number(),
            };
            let target = if is_known { &mut *fitted } else { &mut told };
            target.insert(keyword.clone(), value.clone());
        }
        if told.is_empty() {
            return;
        }
        let rules = Value::Object(told);
        let described = match fitted.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description}\n\nRules: {rules}"),
            None => format!("Rules: {rules}"),
        };
        fitted.insert("description".to_owned(), described.into());
    }
}

fn only(keyword: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(keyword.to_owned(), value)])
}

/// Whether a way of references leads from a schema back to itself; with `through_required`, only ways through required
/// members count.
fn refers_to_itself(root: &Map<String, Value>, definitions: &Map<String, Value>, through_required: bool) -> bool {
    let mut ways: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    collect(root, through_required, ways.entry("#".to_owned()).or_default());
    for (name, definition) in definitions {
        let targets = ways.entry(format!("#/$defs/{name}")).or_default();
        collect(definition.as_object().unwrap_or(&Map::new()), through_required, targets);
    }
    ways.keys().any(|start| leads_back(start, &ways))
}

fn leads_back(start: &str, ways: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(place) = open.pop() {
        for next in ways.get(place).into_iter().flatten() {
            if next == start {
                return true;
            }
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    false
}

/// The references in a converted schema, without those under members that are not required if so wanted.
fn collect(schema: &Map<String, Value>, only_required: bool, targets: &mut BTreeSet<String>) {
    targets.extend(schema.get("$ref").and_then(Value::as_str).map(str::to_owned));
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if let Some(property) = property.as_object().filter(|_| !only_required || required.contains(&json!(name))) {
            collect(property, only_required, targets);
        }
    }
    let lists = ["anyOf", "prefixItems"].iter().filter_map(|keyword| schema.get(*keyword)?.as_array()).flatten();
    let single = ["items", "additionalProperties"].iter().filter_map(|keyword| schema.get(*keyword));
    for part in lists.chain(single).filter_map(Value::as_object) {
        collect(part, only_required, targets);
    }
}

#[cfg(test)]
mod tests;
