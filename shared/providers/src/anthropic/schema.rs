//! JSON Schemas as Anthropic takes them (guide "Structured outputs", "JSON Schema limitations").

use serde_json::Value;

use crate::schema::subset::{self, Reason, Subset};

const SUBSET: Subset = Subset {
    limits: &[],
    formats: &["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"],
    largest_min_items: 1,
    closes_objects: true,
    has_tuples: false,
    has_type_lists: false,
    enumerates_booleans: true,
    has_recursion: false,
    max_optional: 24,
    max_unions: 16,
};

/// The schema as the vendor takes it, or why it cannot.
pub(super) fn fit(schema: &Value) -> Result<Value, Reason> {
    subset::fit(schema, &SUBSET)
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert;
    use serde_json::json;

    use super::*;
    use crate::schema::generated::{for_all_schemas, for_plain_schemas, instance, parts, passes};

    const KEYWORDS: [&str; 12] = [
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "description",
        "enum",
        "format",
        "items",
        "minItems",
        "properties",
        "required",
        "title",
    ];

    #[test]
    fn what_fits_is_in_the_vendors_subset() {
        for_all_schemas(|schema, _| {
            let Ok(fitted) = fit(schema) else { return Ok(()) };
            for part in parts(&fitted) {
                let odd = part.keys().find(|keyword| *keyword != "type" && !KEYWORDS.contains(&keyword.as_str()));
                prop_assert!(odd.is_none(), "{odd:?} in {fitted}");
                prop_assert!(part.get("type").is_none_or(Value::is_string), "a list of types: {fitted}");
                let is_object = part.contains_key("properties");
                prop_assert!(!is_object || part["additionalProperties"] == json!(false), "open: {fitted}");
                prop_assert!(part.get("$ref") != Some(&json!("#")), "recursion: {fitted}");
            }
            Ok(())
        });
    }

    #[test]
    fn what_the_fitted_schema_allows_the_schema_allows_too() {
        for_plain_schemas(|schema, choices| {
            match fit(schema) {
                Ok(fitted) => {
                    let answer = instance(&fitted, choices);
                    prop_assert!(passes(schema, &answer), "{answer} by {fitted}");
                }
                Err(reason) => prop_assert!(reason.contains("more"), "refused although {reason}"),
            }
            Ok(())
        });
    }
}
