//! The API key while it is in memory.

use reqwest::header::HeaderValue;

/// What stands in a text where the key stood.
const REDACTED: &str = "[redacted]";

/// An API key. It has no `Debug` and no `Display`, and takes itself out of other texts.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    /// The key without the white space that copying leaves around it; `None` when nothing remains.
    pub(crate) fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// The header value `prefix` + key, marked as sensitive; `None` when a header cannot hold it.
    pub(crate) fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("{prefix}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The text without this key in it, whether written plainly or inside a JSON string.
    pub(crate) fn redact(&self, text: &str) -> String {
        let quoted = serde_json::Value::from(self.0.as_str()).to_string();
        let in_json = quoted.get(1..quoted.len() - 1).unwrap_or(&quoted);
        text.replace(&self.0, REDACTED).replace(in_json, REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_itself_out_of_texts() {
        let key = ApiKey::new("  sk-\"secret\"\n").unwrap();
        assert_eq!(key.redact("key sk-\"secret\" is bad"), "key [redacted] is bad");
        assert_eq!(key.redact(r#"{"key":"sk-\"secret\""}"#), r#"{"key":"[redacted]"}"#);
    }

    #[test]
    fn a_blank_key_is_none_and_a_broken_one_fits_no_header() {
        assert!(ApiKey::new(" \n").is_none());
        assert!(ApiKey::new("two\nlines").unwrap().header("Bearer ").is_none());
        let header = ApiKey::new("sk-1").unwrap().header("Bearer ").unwrap();
        assert_eq!(header, "Bearer sk-1");
        assert!(!format!("{header:?}").contains("sk-1"));
    }
}
