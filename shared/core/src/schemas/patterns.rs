//! How large a regular expression is once its counted repetitions are written out: that is what compiling it costs, and
//! what every letter of a text may be compared with.

use serde_json::Value;

/// How many parts all patterns of a schema may have together.
pub(super) const MOST_PARTS: usize = 50_000;

/// A class of Unicode letters is a list of hundreds of ranges.
const PARTS_OF_A_UNICODE_CLASS: usize = 20;

/// The parts of all patterns that stand anywhere in a document that is used as a schema.
pub(super) fn parts_of_all(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => {
            let own = members.iter().map(|(keyword, value)| match (keyword.as_str(), value) {
                ("pattern", Value::String(pattern)) => parts(pattern),
                ("patternProperties", Value::Object(named)) => {
                    named.keys().map(|pattern| parts(pattern)).fold(parts_of_all(value), usize::saturating_add)
                }
                _ => parts_of_all(value),
            });
            own.fold(0, usize::saturating_add)
        }
        Value::Array(items) => items.iter().map(parts_of_all).fold(0, usize::saturating_add),
        _ => 0,
    }
}

/// The parts of one pattern. What is no pattern has parts too.
pub(super) fn parts(pattern: &str) -> usize {
    // What stands before the group that is being read, per group; then of the present group all parts, and its last one.
    let mut outer = Vec::new();
    let (mut all, mut last) = (0_usize, 0_usize);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        let part = match letter {
            '(' => {
                outer.push(all);
                (all, last) = (0, 0);
                continue;
            }
            ')' => {
                let group = all.saturating_add(1);
                all = outer.pop().unwrap_or_default();
                group
            }
            '{' if let Some((count, after)) = count(rest) => {
                all = all.saturating_add(last.saturating_mul(count.saturating_sub(1)));
                last = last.saturating_mul(count.max(1));
                rest = after;
                continue;
            }
            '*' | '+' | '?' | '|' => continue,
            '[' => {
                let class = class_length(rest);
                rest = &rest[class..];
                1 + class / 8
            }
            '\\' => {
                let escaped = rest.chars().next();
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
                if matches!(escaped, Some('p' | 'P')) {
                    let name = rest.strip_prefix('{').and_then(|name| name.split_once('}'));
                    rest = name.map_or(rest, |(_, after)| after);
                    PARTS_OF_A_UNICODE_CLASS
                } else {
                    1
                }
            }
            _ => 1,
        };
        all = all.saturating_add(part);
        last = part;
    }
    outer.into_iter().fold(all, usize::saturating_add)
}

/// The larger number of `n}`, `n,}` or `n,m}`, and what follows.
fn count(text: &str) -> Option<(usize, &str)> {
    let (inside, after) = text.split_once('}')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(usize::MAX))
    };
    let count = match inside.split_once(',') {
        None => number(inside)?,
        Some((least, "")) => number(least)?,
        Some((least, most)) => number(least)?.max(number(most)?),
    };
    Some((count, after))
}

/// The length of a class behind its opening bracket, the closing one included.
fn class_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' if at > 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repetitions_count_as_written_out() {
        for (pattern, expected) in [
            ("", 0),
            ("abc", 3),
            ("a{3}", 3),
            ("xa{2,5}y", 7),
            ("a{3,}b", 4),
            ("(ab){10}", 30),
            ("((a{10}){10}){10}", 1_110),
            ("[a-z]{4}", 4),
            (r"\d{4}-\d{2}", 7),
            (r"\p{L}{100}\pN", 2_021),
            (r"\{3}", 3),
            ("a{x}", 4),
            ("[]a]{2}", 2),
            ("[a{100}]", 1),
            ("(((", 0),
            (")))a{2}", 5),
            ("a{99999999999999999999999}", usize::MAX),
        ] {
            assert_eq!(parts(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn patterns_are_found_wherever_they_stand() {
        let schema = json!({"pattern": "aa", "x": [{"patternProperties": {"bbb": {"pattern": "c"}}}], "enum": ["dd"]});
        assert_eq!(parts_of_all(&schema), 6);
    }
}
