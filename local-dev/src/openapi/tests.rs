use serde_json::{Value, json};

use super::compare::differences;

/// A document with one operation, whose 200 answers a `Thing`.
fn document(operation: Value, schemas: Value) -> Value {
    let mut operation = operation;
    operation["responses"]["200"] = json!({"content": {"application/json": {"schema":
        {"$ref": "#/components/schemas/Thing"}}}});
    json!({"paths": {"/things": {"get": operation}}, "components": {"schemas": schemas}})
}

fn thing(schema: Value) -> Value {
    document(json!({}), json!({"Thing": schema}))
}

fn found(contract: &Value, ours: &Value) -> Vec<String> {
    differences(contract, ours).into_iter().collect()
}

#[test]
fn another_way_to_write_the_same_is_no_difference() {
    let contract = thing(json!({
        "type": "object", "description": "A thing.", "required": ["b", "a"],
        "properties": {
            "a": {"type": "string", "const": "x"},
            "b": {"type": "integer", "minimum": 1, "examples": [3]},
            "c": {"$ref": "#/components/schemas/Text"},
            "d": {"type": "object", "additionalProperties": true},
        },
    }));
    let ours = thing(json!({
        "allOf": [
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "enum": ["x"]}}},
            {"type": "object", "required": ["b"], "properties": {
                "b": {"type": "number", "format": "int64", "minimum": 1.0},
                "c": {"type": "string", "minLength": 1},
                "d": {"type": "object", "additionalProperties": {}, "propertyNames": {"type": "string"}},
            }},
        ],
    }));
    let mut contract = contract;
    contract["components"]["schemas"]["Text"] = json!({"type": "string", "minLength": 1});
    assert_eq!(found(&contract, &ours), ["schema Text: present -> none"], "only the name is missing");
}

#[test]
fn constraints_members_and_names_are_reported_where_they_stand() {
    let contract = thing(json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": "string", "maxLength": 5}, "b": {"type": "array", "items": {"type": "string"}}},
    }));
    let ours = thing(json!({
        "type": "object",
        "properties": {"a": {"type": "string", "maxLength": 6}, "b": {"type": "array", "items": {"type": "number"}},
            "c": {"enum": ["x"]}},
    }));
    assert_eq!(
        found(&contract, &ours),
        [
            "answer Thing additionalProperties: false -> none",
            "answer Thing property c: none -> present",
            "answer Thing required a: present -> none",
            "answer Thing.a maxLength: 5 -> 6",
            "answer Thing.b[] type: string -> number",
        ]
    );
}

#[test]
fn operations_parameters_bodies_and_statuses_are_compared() {
    let schemas = json!({"Thing": {"type": "object"}, "Body": {"type": "object"}});
    let contract = document(
        json!({
            "operationId": "listThings", "security": [{"bearerAuth": []}],
            "parameters": [{"$ref": "#/components/parameters/Limit"}, {"name": "all", "in": "query"}],
            "responses": {"404": {}},
        }),
        schemas.clone(),
    );
    let mut contract = contract;
    contract["components"]["parameters"]["Limit"] =
        json!({"name": "limit", "in": "query", "schema": {"type": "integer", "default": 10}});
    contract["paths"]["/others"]["post"] = json!({});
    let ours = document(
        json!({
            "operationId": "getThings", "security": [],
            "parameters": [{"name": "limit", "in": "query", "required": true, "schema": {"type": "integer"}}],
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
            "responses": {"409": {}},
        }),
        schemas,
    );
    assert_eq!(
        found(&contract, &ours),
        [
            "GET /things body: none -> present",
            "GET /things operationId: listThings -> getThings",
            "GET /things query all: present -> none",
            "GET /things query limit default: 10 -> none",
            "GET /things query limit required: false -> true",
            "GET /things security bearerAuth: present -> none",
            "GET /things status 404: present -> none",
            "GET /things status 409: none -> present",
            "POST /others: present -> none",
        ]
    );
}

#[test]
fn alternatives_against_a_single_schema_are_one_difference() {
    let any = json!({"anyOf": [{"$ref": "#/components/schemas/Leaf"}, {"type": "number"}]});
    let schemas = |thing: Value| json!({"Thing": thing, "Leaf": {"type": "string"}});
    assert_eq!(
        found(&document(json!({}), schemas(any)), &document(json!({}), schemas(json!({"type": "object"})))),
        ["answer Thing schema: anyOf(Leaf|{\"type\":\"number\"}) -> Thing"]
    );
}

#[test]
fn alternatives_are_matched_by_name_and_references_to_oneself_end() {
    let of = |names: &[&str]| {
        let variants: Vec<Value> =
            names.iter().map(|name| json!({"$ref": format!("#/components/schemas/{name}")})).collect();
        let node = json!({"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}});
        document(
            json!({}),
            json!({"Thing": {"oneOf": variants}, "Node": node, "Leaf": {"type": "string"}, "Twig": {"type": "null"}}),
        )
    };
    assert_eq!(found(&of(&["Node", "Leaf"]), &of(&["Leaf", "Node"])), Vec::<String>::new());
    assert_eq!(
        found(&of(&["Node", "Leaf"]), &of(&["Node", "Leaf", "Twig"])),
        ["answer Thing oneOf: none -> {\"$ref\":\"#/components/schemas/Twig\"}"]
    );
    assert_eq!(
        found(&of(&["Leaf"]), &of(&["Twig"])),
        ["answer Leaf type: string -> null", "answer Thing oneOf[0] name: Leaf -> Twig"]
    );
}
