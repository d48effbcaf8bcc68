//! The API key while it is in memory.

use reqwest::header::HeaderValue;
use shared_core::Secret;

/// What stands in a text where the key stood.
const REDACTED: &str = "[redacted]";

/// An API key. It has no `Debug` and no `Display`, and takes itself out of other texts.
#[derive(Clone)]
pub(crate) struct ApiKey(Secret);

impl ApiKey {
    /// The key without the white space that copying leaves around it; `None` when nothing remains.
    pub(crate) fn new(key: &Secret) -> Option<Self> {
        let key = key.reveal().trim();
        (!key.is_empty()).then(|| Self(Secret::new(key)))
    }

    /// The header value `prefix` + key, marked as sensitive; `None` when a header cannot hold it.
    pub(crate) fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("{prefix}{}", self.0.reveal())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The text without this key in it, whether written plainly or inside a JSON string.
    pub(crate) fn redact(&self, text: &str) -> String {
        let key = self.0.reveal();
        let quoted = serde_json::Value::from(key).to_string();
        let in_json = quoted.get(1..quoted.len() - 1).unwrap_or(&quoted);
        text.replace(key, REDACTED).replace(in_json, REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_itself_out_of_texts() {
        let key = ApiKey::new(&"  sk-\"secret\"\n".into()).unwrap();
        assert_eq!(key.redact("key sk-\"secret\" is bad"), "key [redacted] is bad");
        assert_eq!(key.redact(r#"{"key":"sk-\"secret\""}"#), r#"{"key":"[redacted]"}"#);
    }

    #[test]
    fn a_blank_key_is_none_and_a_broken_one_fits_no_header() {
        assert!(ApiKey::new(&" \n".into()).is_none());
        assert!(ApiKey::new(&"two\nlines".into()).unwrap().header("Bearer ").is_none());
        let header = ApiKey::new(&"sk-1".into()).unwrap().header("Bearer ").unwrap();
        assert_eq!(header, "Bearer sk-1");
        assert!(!format!("{header:?}").contains("sk-1"));
    }
}
