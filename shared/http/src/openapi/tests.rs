use serde_json::{Value, json};

use super::{finish, inline_envelopes};

fn operation(request: Value, answer: Value) -> Value {
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    json!({"post": {
        "parameters": [{"name": "orderBy", "in": "query", "schema": {"type": "string", "enum": ["created_at", "name"]}},
            {"name": "orderDirection", "in": "query", "schema": {"type": "string", "enum": ["ASC", "DESC"]}}],
        "requestBody": {"content": content(request)},
        "responses": {"200": {"content": content(answer)}},
    }})
}

fn finished(request: Value, answer: Value, schemas: Value) -> Value {
    let mut document = json!({"paths": {"/x": operation(request, answer)}, "components": {"schemas": schemas}});
    inline_envelopes(&mut document);
    finish(&mut document);
    document
}

fn answer(document: &Value) -> &Value {
    &document["paths"]["/x"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
}

fn to(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn pages_become_components_named_after_their_entries() {
    let page = json!({"type": "object", "properties": {
        "data": {"type": "array", "items": to("UserSummary")}, "totalPages": {"type": "integer"}}});
    let schemas = json!({
        "UserSummary": {"type": "object", "properties": {"id": {"type": "string"}}},
        "PageOf": {}, "Data_PageOf_UserSummary": {"type": "object", "description": "x", "properties": {"data": page}},
    });
    let document = finished(json!({}), to("Data_PageOf_UserSummary"), schemas);
    assert_eq!(answer(&document)["properties"]["data"], to("UserPage"));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["UserPage"]["additionalProperties"], false);
    assert_eq!(schemas["UserSummary"]["properties"]["id"], to("ResourceId"));
    assert!(schemas["PageOf"].is_null() && schemas["Data_PageOf_UserSummary"].is_null());
}

#[test]
fn shapes_in_place_become_references_and_requests_stay_open() {
    let kind = json!({"type": "string", "enum": ["a", "b"]});
    let schemas = json!({
        "Kind": kind,
        "Options": {"type": "object", "properties": {"kind": to("Kind")}},
        "Thing": {"type": "object", "properties": {
            "options": {"type": "object", "description": "inline", "properties": {"kind": kind}},
            "origin": {"allOf": [{"type": "string", "enum": ["x", "y"]}, {"type": "object", "description": "Why."}]},
            "schema": {"type": "object", "additionalProperties": {}}}},
    });
    let document = finished(to("Options"), to("Thing"), schemas);
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Thing"]["properties"]["options"]["$ref"], "#/components/schemas/Options");
    assert_eq!(schemas["Thing"]["properties"]["options"]["description"], "inline");
    assert_eq!(schemas["Thing"]["properties"]["schema"], to("JsonSchemaDocument"));
    let origin = json!({"type": "string", "enum": ["x", "y"], "description": "Why."});
    assert_eq!(schemas["Thing"]["properties"]["origin"], origin);
    assert_eq!(schemas["Thing"]["additionalProperties"], false);
    assert!(schemas["Options"]["additionalProperties"].is_null(), "requests may have more members here");
    let parameters = &document["paths"]["/x"]["post"]["parameters"];
    assert_eq!(parameters[0]["schema"]["default"], "created_at");
    assert_eq!(parameters[1]["schema"]["$ref"], "#/components/schemas/OrderDirection");
    assert_eq!(parameters[1]["schema"]["default"], "DESC");
}

#[test]
fn alternatives_say_which_member_tells_them_apart() {
    let of = |tag: &str| json!({"type": "object", "properties": {"type": {"type": "string", "enum": [tag]}}});
    let schemas = json!({"One": of("one"), "Two": of("two"), "Either": {"oneOf": [to("One"), to("Two")]}});
    let document = finished(json!({}), to("Either"), schemas);
    let discriminator = &document["components"]["schemas"]["Either"]["discriminator"];
    assert_eq!(discriminator["propertyName"], "type");
    assert_eq!(discriminator["mapping"]["two"], "#/components/schemas/Two");
}
