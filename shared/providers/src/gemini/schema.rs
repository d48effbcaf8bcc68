//! JSON Schemas as Gemini takes them (API reference, `GenerationConfig.responseJsonSchema`; guide "Structured outputs").

use serde_json::Value;

use crate::schema::subset::{self, Reason, Subset};

const SUBSET: Subset = Subset {
    limits: &["maxItems", "maximum", "minimum"],
    formats: &["date", "date-time", "duration", "time"],
    largest_min_items: u64::MAX,
    closes_objects: false,
    has_tuples: true,
    has_type_lists: true,
    enumerates_booleans: false,
    has_recursion: true,
    max_optional: usize::MAX,
    max_unions: usize::MAX,
};

/// The schema as the vendor takes it, or why it cannot.
pub(super) fn fit(schema: &Value) -> Result<Value, Reason> {
    subset::fit(schema, &SUBSET)
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert;

    use super::*;
    use crate::schema::generated::{for_all_schemas, for_plain_schemas, instance, parts, passes};

    /// The keywords that the vendor documents, without those that no schema gets.
    const KEYWORDS: [&str; 16] = [
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "prefixItems",
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
                let is_alone = part.keys().all(|keyword| keyword.starts_with('$'));
                prop_assert!(!part.contains_key("$ref") || is_alone, "a reference in company: {fitted}");
                let values = part.get("enum").and_then(Value::as_array).into_iter().flatten();
                prop_assert!(values.into_iter().all(|value| value.is_string() || value.is_number()), "{fitted}");
            }
            Ok(())
        });
    }

    #[test]
    fn what_the_fitted_schema_allows_the_schema_allows_too() {
        for_plain_schemas(|schema, choices| {
            let fitted = fit(schema).map_err(proptest::test_runner::TestCaseError::fail)?;
            let answer = instance(&fitted, choices);
            prop_assert!(passes(schema, &answer), "{answer} by {fitted}");
            Ok(())
        });
    }
}
