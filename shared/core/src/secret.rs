//! Texts that must not show up anywhere by mistake, and sets of keys of which one is being replaced.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

/// A text that never shows up in logs: a password, a token, a key.
///
/// It can be read from a request, and is overwritten in memory when it is dropped. There is no `Display` and no
/// `Serialize`; an answer that is supposed to show it says so with [`Revealed`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself; keep it out of messages.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that an answer shows to the one who may have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revealed(pub Secret);

impl Serialize for Revealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.reveal())
    }
}

/// The keys of one purpose: the first one writes, all of them are accepted. So a key can be replaced without a moment
/// in which what the other one wrote is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing<K> {
    first: K,
    others: Vec<K>,
}

impl<K> KeyRing<K> {
    /// The key that writes, and others that are accepted.
    pub fn new(first: K, others: Vec<K>) -> Self {
        Self { first, others }
    }

    /// The key that writes.
    pub fn first(&self) -> &K {
        &self.first
    }

    /// All keys, the one that writes first.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl<K> From<K> for KeyRing<K> {
    fn from(only: K) -> Self {
        Self::new(only, Vec::new())
    }
}

/// What a decoder complains about, without the values that it quotes: they may be secrets, or texts of people.
pub fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() || text.starts_with("missing field") {
        // What is wrong with the syntax is told without quoting.
        return text;
    }
    // `invalid type: string "…", expected u32 at line 1 column 2`: only what comes last is ours.
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if error.line() == 0 => "the value does not fit".to_owned(),
        None => format!("the value does not fit at line {} column {}", error.line(), error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[expect(dead_code, reason = "only read")]
        password: Secret,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        count: u8,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Green,
    }

    #[test]
    fn shows_itself_only_where_that_is_said() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Revealed(secret.clone())), "Secret(…) Revealed(Secret(…))");
        assert_eq!(serde_json::to_string(&Revealed(secret)).unwrap(), "\"hunter2\"");
        let body: Body = serde_json::from_str(r#"{"password": "hunter2"}"#).unwrap();
        assert!(!format!("{body:?}").contains("hunter2"));
    }

    #[test]
    fn complaints_of_decoders_do_not_quote() {
        for body in [
            r#"{"password": ["hunter2"]}"#,
            r#"{"password": "x", "count": "hunter2"}"#,
            r#"{"password": "x", "count": "1, expected hunter2"}"#,
            r#"{"password": "x", "colour": "hunter2"}"#,
            r#"{"password": "hunter2" "#,
            r#"{"password": hunter2}"#,
            "\"hunter2\"",
        ] {
            let complaint = without_values(&serde_json::from_str::<Body>(body).unwrap_err());
            assert!(!complaint.contains("hunter2") && !complaint.is_empty(), "{body}: {complaint}");
        }
        let complaint = |body| without_values(&serde_json::from_str::<Body>(body).unwrap_err());
        assert_eq!(complaint("{}"), "missing field `password` at line 1 column 2");
        assert_eq!(complaint(r#"{"password": "x", "count": 300}"#), "expected u8 at line 1 column 30");
        let unknown = complaint(r#"{"password": "x", "colour": "blue"}"#);
        assert!(unknown.starts_with("expected `red` or `green` at line 1"), "{unknown}");
    }
}
