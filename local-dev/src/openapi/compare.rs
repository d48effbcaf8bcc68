//! Finds how two OpenAPI documents differ in structure. Descriptions, examples and the way in which something equal is
//! written do not matter.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::schema::{normal, reference, resolved};

/// One difference in one line: `place: theirs -> ours`. The line is the key: it changes only when the difference does.
pub type Difference = String;

/// What a place without a value shows.
const NONE: &str = "none";

/// Every difference between the operations and schemas of two documents.
pub fn differences(contract: &Value, ours: &Value) -> BTreeSet<Difference> {
    let mut comparison = Comparison { contract, ours, found: BTreeSet::new(), seen: BTreeSet::new() };
    comparison.operations();
    comparison.schema_names();
    comparison.found
}

/// In which direction a schema's values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Request,
    Answer,
}

struct Comparison<'a> {
    contract: &'a Value,
    ours: &'a Value,
    found: BTreeSet<Difference>,
    /// Pairs of named schemas that were compared already.
    seen: BTreeSet<(Way, String, String)>,
}

impl Comparison<'_> {
    fn differ(&mut self, place: &str, contract: impl Into<String>, ours: impl Into<String>) {
        self.found.insert(format!("{place}: {} -> {}", contract.into(), ours.into()));
    }

    /// Reports a difference of two values, either of which may be absent.
    fn values(&mut self, place: &str, contract: Option<&Value>, ours: Option<&Value>) {
        if !equal(contract, ours) {
            self.differ(place, shown(contract), shown(ours));
        }
    }

    /// Reports names that only one side has, and gives those that both have.
    fn names<'n>(&mut self, place: &str, contract: &BTreeSet<&'n str>, ours: &BTreeSet<&'n str>) -> Vec<&'n str> {
        for name in contract.difference(ours) {
            self.differ(&format!("{place} {name}"), "present", NONE);
        }
        for name in ours.difference(contract) {
            self.differ(&format!("{place} {name}"), NONE, "present");
        }
        contract.intersection(ours).copied().collect()
    }

    fn schema_names(&mut self) {
        let (contract, ours) = (&self.contract["components"]["schemas"], &self.ours["components"]["schemas"]);
        self.names("schema", &keys(contract), &keys(ours));
    }

    fn operations(&mut self) {
        let (contract, ours) = (operations(self.contract), operations(self.ours));
        for (label, theirs) in &contract {
            match ours.get(label) {
                Some(own) => self.operation(label, theirs, own),
                None => self.differ(label, "present", NONE),
            }
        }
        for label in ours.keys().filter(|label| !contract.contains_key(*label)) {
            self.differ(label, NONE, "present");
        }
    }

    fn operation(&mut self, label: &str, contract: &Operation<'_>, ours: &Operation<'_>) {
        for member in ["operationId", "x-api-key-scope"] {
            self.values(&format!("{label} {member}"), contract.own.get(member), ours.own.get(member));
        }
        let (theirs, own) = (schemes(contract.own), schemes(ours.own));
        self.names(&format!("{label} security"), &as_strs(&theirs), &as_strs(&own));
        self.parameters(label, contract, ours);
        self.request_body(label, &contract.own["requestBody"], &ours.own["requestBody"]);
        let (theirs, own) = (&contract.own["responses"], &ours.own["responses"]);
        for status in self.names(&format!("{label} status"), &keys(theirs), &keys(own)) {
            let place = format!("{label} {status}");
            let theirs = resolved(self.contract, &theirs[status]);
            let own = resolved(self.ours, &own[status]);
            self.names(&format!("{place} header"), &keys(&theirs["headers"]), &keys(&own["headers"]));
            self.content(&place, &theirs["content"], &own["content"], Way::Answer);
        }
    }

    fn parameters(&mut self, label: &str, contract: &Operation<'_>, ours: &Operation<'_>) {
        let (theirs, own) = (contract.parameters(self.contract), ours.parameters(self.ours));
        let names = |map: &BTreeMap<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
        let (their_names, our_names) = (names(&theirs), names(&own));
        for name in self.names(label, &as_strs(&their_names), &as_strs(&our_names)) {
            let place = format!("{label} {name}");
            let (theirs, own) = (&theirs[name], &own[name]);
            self.flags(&format!("{place} required"), theirs, own);
            self.schema(&place, &theirs["schema"], &own["schema"], Way::Request);
        }
    }

    fn request_body(&mut self, label: &str, contract: &Value, ours: &Value) {
        let place = format!("{label} body");
        let (theirs, own) = (resolved(self.contract, contract), resolved(self.ours, ours));
        match (theirs.is_object(), own.is_object()) {
            (true, true) => {
                self.flags(&format!("{place} required"), theirs, own);
                self.content(&place, &theirs["content"], &own["content"], Way::Request);
            }
            (true, false) => self.differ(&place, "present", NONE),
            (false, true) => self.differ(&place, NONE, "present"),
            (false, false) => {}
        }
    }

    /// The member `required`, which is false when absent.
    fn flags(&mut self, place: &str, contract: &Value, ours: &Value) {
        let (theirs, own) = (contract["required"] == true, ours["required"] == true);
        if theirs != own {
            self.differ(place, theirs.to_string(), own.to_string());
        }
    }

    fn content(&mut self, place: &str, contract: &Value, ours: &Value, way: Way) {
        for media in self.names(&format!("{place} content"), &keys(contract), &keys(ours)) {
            let place = if media == "application/json" { place.to_owned() } else { format!("{place} {media}") };
            self.schema(&place, &contract[media]["schema"], &ours[media]["schema"], way);
        }
    }

    fn schema(&mut self, place: &str, contract: &Value, ours: &Value, way: Way) {
        if let (Some(theirs), Some(own)) = (reference(contract), reference(ours)) {
            if theirs != own {
                self.differ(&format!("{place} name"), theirs, own);
            }
            if !self.seen.insert((way, theirs.to_owned(), own.to_owned())) {
                return;
            }
            let way_name = if way == Way::Request { "request" } else { "answer" };
            return self.keywords(&format!("{way_name} {theirs}"), contract, ours, way);
        }
        self.keywords(place, contract, ours, way);
    }

    fn keywords(&mut self, place: &str, contract: &Value, ours: &Value, way: Way) {
        let (theirs, own) = (normal(self.contract, contract), normal(self.ours, ours));
        // One side with alternatives and one without have no keyword in common that could be compared.
        if alternatives(&theirs).is_some() != alternatives(&own).is_some() && (theirs.len() == 1 || own.len() == 1) {
            let side = |document, schema, keywords| match alternatives(keywords) {
                Some(_) => brief(resolved(document, schema)),
                None => brief(schema),
            };
            let (left, right) = (side(self.contract, contract, &theirs), side(self.ours, ours, &own));
            return self.differ(&format!("{place} schema"), left, right);
        }
        let names: BTreeSet<&String> = theirs.keys().chain(own.keys()).collect();
        for name in names {
            let (left, right) = (theirs.get(name), own.get(name));
            let here = format!("{place} {name}");
            match name.as_str() {
                "properties" => self.properties(place, left, right, way),
                "required" => {
                    let (left, right) = (texts(left), texts(right));
                    self.names(&here, &as_strs(&left), &as_strs(&right));
                }
                "enum" if left.is_some() && right.is_some() => {
                    let (left, right) = (texts(left), texts(right));
                    self.names(&here, &as_strs(&left), &as_strs(&right));
                }
                "items" | "additionalProperties" | "propertyNames" => match (left, right) {
                    (Some(left @ Value::Object(_)), Some(right @ Value::Object(_))) => {
                        let step = match name.as_str() {
                            "items" => "[]",
                            "propertyNames" => " names",
                            _ => ".*",
                        };
                        self.schema(&format!("{place}{step}"), left, right, way);
                    }
                    _ => self.values(&here, left, right),
                },
                "oneOf" | "anyOf" => match (left, right) {
                    (Some(Value::Array(left)), Some(Value::Array(right))) => self.variants(&here, left, right, way),
                    _ => self.values(&here, left, right),
                },
                // Which schema belongs to which value shows in the schemas themselves.
                "discriminator" => {
                    let property = |value: Option<&Value>| value.map(|value| value["propertyName"].clone());
                    self.values(&here, property(left).as_ref(), property(right).as_ref());
                }
                _ => self.values(&here, left, right),
            }
        }
    }

    fn properties(&mut self, place: &str, contract: Option<&Value>, ours: Option<&Value>, way: Way) {
        let (theirs, own) = (contract.unwrap_or(&Value::Null), ours.unwrap_or(&Value::Null));
        for name in self.names(&format!("{place} property"), &keys(theirs), &keys(own)) {
            self.schema(&format!("{place}.{name}"), &theirs[name], &own[name], way);
        }
    }

    /// Compares alternatives that belong together, by name or else by place.
    fn variants(&mut self, place: &str, contract: &[Value], ours: &[Value], way: Way) {
        let mut rest: Vec<&Value> = ours.iter().collect();
        for (index, theirs) in contract.iter().enumerate() {
            let same_name = rest.iter().position(|own| reference(own).is_some() && reference(own) == reference(theirs));
            let partner = same_name.or_else(|| rest.iter().position(|own| kind_of(own) == kind_of(theirs)));
            match partner {
                Some(at) => {
                    let own = rest.remove(at);
                    self.schema(&format!("{place}[{index}]"), theirs, own, way);
                }
                None => self.differ(&format!("{place}[{index}]"), shown(Some(theirs)), NONE),
            }
        }
        for own in rest {
            self.differ(place, NONE, shown(Some(own)));
        }
    }
}

struct Operation<'a> {
    own: &'a Value,
    path_item: &'a Value,
}

impl Operation<'_> {
    /// By place and name, for example `query limit`.
    fn parameters(&self, document: &Value) -> BTreeMap<String, Value> {
        let lists = [&self.path_item["parameters"], &self.own["parameters"]];
        let all = lists.into_iter().filter_map(Value::as_array).flatten().map(|entry| resolved(document, entry));
        all.map(|entry| (format!("{} {}", text(&entry["in"]), text(&entry["name"])), entry.clone())).collect()
    }
}

/// Operations by method and path, for example `GET /api/health`.
fn operations(document: &Value) -> BTreeMap<String, Operation<'_>> {
    let mut found = BTreeMap::new();
    for (path, path_item) in document["paths"].as_object().into_iter().flatten() {
        for (method, own) in path_item.as_object().into_iter().flatten() {
            if ["get", "put", "post", "delete", "patch", "head", "options"].contains(&method.as_str()) {
                let label = format!("{} {path}", method.to_ascii_uppercase());
                found.insert(label, Operation { own, path_item });
            }
        }
    }
    found
}

/// Names of the security schemes that open an operation.
fn schemes(operation: &Value) -> BTreeSet<String> {
    let ways = operation["security"].as_array().into_iter().flatten();
    ways.flat_map(keys).map(str::to_owned).collect()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

fn texts(value: Option<&Value>) -> BTreeSet<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.map(|entry| entry.as_str().map_or_else(|| entry.to_string(), str::to_owned)).collect()
}

fn as_strs(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(String::as_str).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What tells alternatives without a name apart: their type, else their text.
fn kind_of(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some(kind) => kind.to_owned(),
        None if schema.get("$ref").is_some() => "reference".to_owned(),
        None => schema.to_string(),
    }
}

fn alternatives(schema: &Map<String, Value>) -> Option<&Value> {
    schema.get("oneOf").or_else(|| schema.get("anyOf"))
}

/// A schema in few words.
fn brief(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return name.to_owned();
    }
    match ["oneOf", "anyOf"].into_iter().find_map(|name| schema[name].as_array().map(|list| (name, list))) {
        Some((name, list)) => format!("{name}({})", list.iter().map(brief).collect::<Vec<_>>().join("|")),
        None => shown(Some(schema)),
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => NONE.to_owned(),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().map(text).collect::<Vec<_>>().join("|")
        }
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Equal values; 1 and 1.0 are.
fn equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left.and_then(Value::as_f64), right.and_then(Value::as_f64)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}
