"""The subsets of JSON Schema that vendors document, and what an SDK itself would make of a schema."""

import copy

import anthropic as anthropic_sdk


def _parts(schema):
    yield schema
    for name in ("properties", "$defs", "definitions"):
        for part in schema.get(name, {}).values():
            yield from _parts(part)
    for name in ("anyOf", "prefixItems"):
        for part in schema.get(name, []):
            yield from _parts(part)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _parts(schema[name])


def openai_strict(schema):
    """Guide "Structured outputs", "Supported schemas"."""
    if schema.get("type") != "object" or "anyOf" in schema:
        yield "the root of a strict schema is an object"
    for part in _parts(schema):
        refused = {"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"} & set(part)
        if refused:
            yield f"strict mode knows no {sorted(refused)}"
        if "properties" in part:
            if part.get("additionalProperties") is not False:
                yield "strict objects are closed"
            if sorted(part.get("required", [])) != sorted(part["properties"]):
                yield "strict objects require all their members"


def anthropic(schema):
    """Guide "Structured outputs", by way of the SDK: it changes nothing about a schema that the vendor takes."""
    try:
        transformed = anthropic_sdk.transform_schema(copy.deepcopy(schema))
    except Exception as error:
        yield f"the SDK cannot send the schema: {error!r}"
        return
    if _without_literal_types(transformed) != _without_literal_types(schema):
        yield f"the SDK would send the schema {transformed}"


def _without_literal_types(value):
    """Where values are listed, a type beside them is a matter of taste."""
    if isinstance(value, list):
        return [_without_literal_types(item) for item in value]
    if not isinstance(value, dict):
        return value
    literal = "enum" in value or "const" in value
    return {name: _without_literal_types(member) for name, member in value.items() if name != "type" or not literal}


GEMINI_KEYWORDS = {
    "$anchor", "$defs", "$id", "$ref", "additionalProperties", "anyOf", "description", "enum", "format", "items",
    "maxItems", "maximum", "minItems", "minimum", "oneOf", "prefixItems", "properties", "propertyOrdering", "required",
    "title", "type",
}  # fmt: skip


def gemini(schema):
    """API reference, `GenerationConfig.responseJsonSchema`."""
    for part in _parts(schema):
        unknown = set(part) - GEMINI_KEYWORDS
        if unknown:
            yield f"Gemini's schemas know no {sorted(unknown)}"
        if "$ref" in part and any(not name.startswith("$") for name in part):
            yield "a reference stands alone"
        if any(isinstance(value, bool) or not isinstance(value, (str, int, float)) for value in part.get("enum", [])):
            yield "only strings and numbers are enumerated"
        if not set(part.get("required", [])) <= set(part.get("properties", {})):
            yield "a required member is not described"
