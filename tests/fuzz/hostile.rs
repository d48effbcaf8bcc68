//! Makes texts and JSON that look like what people send, and like what they should not.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

/// Pieces that some reader somewhere trips over.
const PIECES: &[&str] = &[
    "",
    " ",
    "a",
    "name",
    "id",
    "0",
    "-1",
    "null",
    "true",
    ".",
    "..",
    "../",
    "/",
    "\\",
    "\"",
    "'",
    "`",
    "=1+1",
    "+",
    "@x",
    ",",
    ";",
    ":",
    "%",
    "%00",
    "%2F",
    "%zz",
    "%C3",
    "&",
    "?",
    "#",
    "$ref",
    "{",
    "}",
    "{{",
    "}}",
    "{{#a}}",
    "{{/a}}",
    "{{{",
    "<script>",
    "--",
    "\n",
    "\r\n",
    "\t",
    "\u{0}",
    "\u{b}",
    "\u{1b}[31m",
    "\u{85}",
    "\u{a0}",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "ß",
    "İ",
    "é",
    "e\u{301}",
    "字",
    "💥",
    "👩‍👩‍👧",
    "\u{10ffff}",
    "1e999",
    "NaN",
    "2026-01-31T09:15:00.000Z",
    "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10",
    "a@b.co",
    "https://example.com",
    "QUJD",
    "ollama:demo:latest",
];

/// A text of a few pieces, once in a while a long one.
pub(crate) fn text(u: &mut Unstructured<'_>) -> Result<String> {
    text_of(u, PIECES)
}

/// A text of a few of these pieces and of any characters.
pub(crate) fn text_of(u: &mut Unstructured<'_>, pieces: &[&str]) -> Result<String> {
    let mut text = String::new();
    for _ in 0..u.int_in_range(0..=6)? {
        match u.int_in_range(0..=9)? {
            0 => text.push(u.arbitrary()?),
            1 => text.push_str(&u.choose(pieces)?.repeat(u.int_in_range(0..=400)?)),
            _ => text.push_str(u.choose(pieces)?),
        }
    }
    Ok(text)
}

/// Any number that JSON can hold.
pub(crate) fn number(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=5)? {
        0 => json!(u.int_in_range(-2..=12)?),
        1 => json!(u.arbitrary::<u64>()?),
        2 => json!(u.arbitrary::<i64>()?),
        3 => json!(*u.choose(&[0.0, -0.0, 0.5, 1.0, 1e300, -1e-300, f64::MAX, f64::MIN_POSITIVE])?),
        4 => json!(*u.choose(&[u64::MAX, u64::from(u32::MAX), 1 << 53, 0])?),
        _ => json!(u.int_in_range(0..=100_000)?),
    })
}

/// Any JSON, at most `depth` levels deep.
pub(crate) fn any_json(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 4 } else { 6 })? {
        0 => Value::Null,
        1 => json!(u.arbitrary::<bool>()?),
        2 => number(u)?,
        3 | 4 => json!(text(u)?),
        5 => (0..u.int_in_range(0..=4)?).map(|_| any_json(u, depth - 1)).collect::<Result<Value>>()?,
        _ => {
            let members = (0..u.int_in_range(0..=4)?).map(|_| Ok((text(u)?, any_json(u, depth - 1)?)));
            Value::Object(members.collect::<Result<Map<_, _>>>()?)
        }
    })
}

/// Changes the value somewhere, a few times.
pub(crate) fn mutate(u: &mut Unstructured<'_>, value: &mut Value) -> Result<()> {
    for _ in 0..u.int_in_range(0..=3)? {
        mutate_once(u, value)?;
    }
    Ok(())
}

fn mutate_once(u: &mut Unstructured<'_>, value: &mut Value) -> Result<()> {
    let goes_deeper = u.int_in_range(0..=4)? > 0;
    match value {
        Value::Object(members) if goes_deeper && !members.is_empty() => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = u.choose(&names)?;
            match u.int_in_range(0..=6)? {
                0 => drop(members.shift_remove(name)),
                1 => {
                    members.insert(text(u)?, any_json(u, 2)?);
                }
                _ => mutate_once(u, &mut members[name])?,
            }
        }
        Value::Array(items) if goes_deeper && !items.is_empty() => {
            let at = u.choose_index(items.len())?;
            match u.int_in_range(0..=6)? {
                0 => drop(items.remove(at)),
                1 => items.insert(at, any_json(u, 2)?),
                2 => items.extend(vec![items[at].clone(); u.int_in_range(0..=50)?]),
                _ => mutate_once(u, &mut items[at])?,
            }
        }
        Value::String(text) if goes_deeper => *text = mutated_text(u, text)?,
        other => *other = any_json(u, 3)?,
    }
    Ok(())
}

/// The text with something put in, taken out or repeated.
pub(crate) fn mutated_text(u: &mut Unstructured<'_>, text: &str) -> Result<String> {
    let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (one, other) = (*u.choose(&boundaries)?, *u.choose(&boundaries)?);
    let (start, end) = (one.min(other), one.max(other));
    Ok(match u.int_in_range(0..=3)? {
        0 => format!("{}{}{}", &text[..start], self::text(u)?, &text[start..]),
        1 => format!("{}{}", &text[..start], &text[end..]),
        2 => format!("{}{}{}", &text[..end], &text[start..end], &text[end..]),
        _ => format!("{}{}{}", &text[..start], u.choose(PIECES)?, &text[end..]),
    })
}

/// The bytes with some of them changed, put in or cut off.
pub(crate) fn mutate_bytes(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    for _ in 0..u.int_in_range(0..=4)? {
        let at = u.int_in_range(0..=bytes.len())?;
        match u.int_in_range(0..=4)? {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u.arbitrary()?),
            2 => drop(bytes.splice(at..at, text(u)?.into_bytes())),
            _ if at < bytes.len() => bytes[at] = u.arbitrary()?,
            _ => {}
        }
    }
    Ok(())
}
