//! A JSON Schema put into words, for models and schemas that have no native support.

use serde_json::Value;

/// The prompt with instructions to answer in JSON that matches the schema (contract section 11.2).
pub(crate) fn append(prompt: &str, schema: &Value) -> String {
    let schema = format!("{schema:#}"); // `serde_json` indents by two spaces
    format!(
        "{prompt}\n\n\
         Give your answer as one JSON document that matches this JSON Schema exactly:\n\n\
         {schema}\n\n\
         Keep to these rules:\n\
         1. Write the JSON document and nothing else: no words before or after it, no Markdown, no code fence.\n\
         2. Where the schema lists allowed values (enum), use one of them, spelled as it is there.\n\
         3. Never write null for a member that the schema describes; leave an optional member out instead."
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_prompt_comes_first_and_the_schema_is_indented_by_two_spaces() {
        let text = append("List a fruit.", &json!({"type": "object", "properties": {"name": {"type": "string"}}}));
        assert!(text.starts_with("List a fruit.\n\n"));
        assert!(text.contains("{\n  \"type\": \"object\",\n  \"properties\": {\n    \"name\""), "{text}");
    }
}
