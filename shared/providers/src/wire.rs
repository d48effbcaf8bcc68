//! Reading vendors' JSON leniently: what we do not use may change its shape without breaking a call.

use std::collections::HashSet;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::Value;

/// A member of an unexpected shape counts as missing.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Ok(T::deserialize(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// A list from which members of an unexpected shape are left out; anything but a list counts as empty.
pub(crate) fn lenient_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    match Value::deserialize(deserializer)? {
        Value::Array(items) => Ok(items.into_iter().filter_map(|item| T::deserialize(item).ok()).collect()),
        _ => Ok(Vec::new()),
    }
}

/// As [`lenient_list`], for a list that is the point of an answer: anything but a list or null is an error.
pub(crate) fn expected_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    match Value::deserialize(deserializer)? {
        Value::Array(items) => Ok(items.into_iter().filter_map(|item| T::deserialize(item).ok()).collect()),
        Value::Null => Ok(Vec::new()),
        _ => Err(D::Error::custom("expected a list")),
    }
}

/// A token count: anything but a number from 0 upwards counts as 0 (defect V-16).
pub(crate) fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    // Negative numbers and NaN become 0 by the saturating `as`.
    Ok(value.as_u64().or_else(|| value.as_f64().map(|count| count as u64)).unwrap_or_default())
}

/// The usage block of an answer as it came.
pub(crate) fn usage(answer: &Value, member: &str) -> Option<Value> {
    answer.get(member).filter(|usage| usage.is_object()).cloned()
}

/// The texts in their order, each once, without blank ones.
pub(crate) fn each_once(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.into_iter().filter(|text| !text.trim().is_empty() && seen.insert(text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Sample {
        #[serde(default, deserialize_with = "lenient")]
        name: Option<String>,
        #[serde(default, deserialize_with = "lenient_list")]
        names: Vec<String>,
        #[serde(default, deserialize_with = "tokens")]
        count: u64,
    }

    #[test]
    fn unexpected_shapes_count_as_missing() {
        let empty = Sample { name: None, names: Vec::new(), count: 0 };
        assert_eq!(Sample::deserialize(json!({})).unwrap(), empty);
        assert_eq!(Sample::deserialize(json!({"name": {}, "names": "a", "count": null})).unwrap(), empty);
        for odd in [json!("7"), json!(-7), json!([]), json!(false)] {
            assert_eq!(Sample::deserialize(json!({"count": odd})).unwrap().count, 0, "{odd}");
        }
    }

    #[test]
    fn good_members_of_a_list_survive_bad_neighbours() {
        let sample = Sample::deserialize(json!({"name": "n", "names": ["a", 1, null, "b"], "count": 7.0})).unwrap();
        assert_eq!(sample, Sample { name: Some("n".into()), names: vec!["a".into(), "b".into()], count: 7 });
    }

    #[test]
    fn texts_keep_their_order_and_lose_their_doubles() {
        let texts = ["b", "a", " ", "b", "c"].map(str::to_owned);
        assert_eq!(each_once(texts), ["b", "a", "c"]);
    }
}
