//! What an entry may keep of a document. A text gets in only as an id, as a label, or not at all.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{documents::to_json, instant::Timestamp, secrets::digest};

/// How many ids an entry lists.
const MOST_IDS: usize = 100;
/// The longest label, in characters.
const LONGEST_LABEL: usize = 200;
/// Stands for a text or secret that is there or has changed.
const WITHHELD: &str = "[withheld]";

/// A document as entries show it.
#[derive(Debug, Clone, Default)]
pub struct View(Vec<(&'static str, Member)>);

#[derive(Debug, Clone, PartialEq)]
enum Member {
    Kept(Value),
    /// Its digest, for noticing a change. It is never stored.
    Withheld(String),
}

/// A value that is harmless by its type.
#[derive(Debug, Clone)]
pub struct Plain(Value);

impl From<bool> for Plain {
    fn from(value: bool) -> Self {
        Self(value.into())
    }
}
impl From<u32> for Plain {
    fn from(value: u32) -> Self {
        Self(value.into())
    }
}
impl From<u64> for Plain {
    fn from(value: u64) -> Self {
        Self(value.into())
    }
}
impl From<usize> for Plain {
    fn from(value: usize) -> Self {
        Self(value.into())
    }
}
impl From<Timestamp> for Plain {
    fn from(value: Timestamp) -> Self {
        Self(value.to_string().into())
    }
}
/// A name out of a fixed set.
impl From<&'static str> for Plain {
    fn from(value: &'static str) -> Self {
        Self(value.into())
    }
}
impl<T: Into<Self>> From<Option<T>> for Plain {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Value::Null), Into::into)
    }
}
impl<T: Into<Self>> FromIterator<T> for Plain {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().map(|value| value.into().0).collect())
    }
}

impl View {
    /// A view without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a flag, a number, an instant or a name out of a fixed set; what is absent is left out.
    #[must_use]
    pub fn keep(self, name: &'static str, value: impl Into<Plain>) -> Self {
        self.with(name, value.into().0)
    }

    /// Keeps an id.
    #[must_use]
    pub fn id<'a>(self, name: &'static str, id: impl Into<Option<&'a str>>) -> Self {
        self.with(name, id.into().map_or(Value::Null, Value::from))
    }

    /// Keeps ids, as many as an entry lists.
    #[must_use]
    pub fn ids(self, name: &'static str, ids: &[String]) -> Self {
        self.with(name, ids.iter().take(MOST_IDS).map(String::as_str).collect())
    }

    /// Keeps a short text of the configuration, such as the name of a model.
    #[must_use]
    pub fn label(self, name: &'static str, text: &str) -> Self {
        self.with(name, text.chars().take(LONGEST_LABEL).collect::<String>().into())
    }

    /// Says that there is a text or a secret, and whether it changed, without keeping it.
    #[must_use]
    pub fn withhold(mut self, name: &'static str, content: &impl Serialize) -> Self {
        let text = to_json(content);
        if text != "null" {
            self.0.push((name, Member::Withheld(digest(&text))));
        }
        self
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        if !value.is_null() {
            self.0.push((name, Member::Kept(value)));
        }
        self
    }

    fn has(&self, member: &(&'static str, Member)) -> bool {
        self.0.contains(member)
    }

    /// The members that the other view does not have just so, as JSON text; `None` when there are none.
    fn without(&self, other: &Self) -> Option<String> {
        let different = self.0.iter().filter(|member| !other.has(member)).map(|(name, member)| {
            let value = match member {
                Member::Kept(value) => value.clone(),
                Member::Withheld(_) => WITHHELD.into(),
            };
            ((*name).to_owned(), value)
        });
        let different: Map<String, Value> = different.collect();
        (!different.is_empty()).then(|| to_json(&different))
    }
}

/// What was, and what is, as far as that differs.
pub(super) fn differences(before: Option<View>, after: Option<View>) -> (Option<String>, Option<String>) {
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    (before.without(&after), after.without(&before))
}
