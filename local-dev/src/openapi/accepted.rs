//! The differences that we want: `docs/openapi-differences.yaml`.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::compare::Difference;

/// The accepted differences.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Accepted {
    entries: Vec<Entry>,
}

/// Differences with one reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The decision or defect of the contract that asks for them.
    decision: String,
    /// Why, in a sentence.
    reason: String,
    /// The differences as the command prints them; `*` stands for any text.
    differences: Vec<String>,
}

/// What the accepted differences say about those that were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted ones with their decision.
    pub accepted: Vec<(Difference, String)>,
    /// Ones that nobody accepted.
    pub open: Vec<Difference>,
    /// Accepted ones that do not exist (any more).
    pub stale: Vec<String>,
}

impl Accepted {
    /// Reads the file and checks its form.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    /// Reads a text: every entry has a decision, a reason and differences in the form that the command prints, and no
    /// difference stands there twice.
    pub fn parse(text: &str) -> Result<Self> {
        let accepted: Self = yaml_serde::from_str(text).context("it cannot be read as a list of entries")?;
        let mut seen = BTreeSet::new();
        for entry in &accepted.entries {
            ensure!(!entry.decision.trim().is_empty(), "an entry names no decision: {:?}", entry.differences);
            ensure!(entry.reason.trim().len() > 10, "{} needs a reason", entry.decision);
            ensure!(!entry.differences.is_empty(), "{} accepts nothing", entry.decision);
            for pattern in &entry.differences {
                ensure!(seen.insert(pattern), "accepted twice: {pattern}");
                check_form(pattern)?;
            }
        }
        Ok(accepted)
    }

    /// Accepted differences that are about an operation or schema which our document does not have.
    pub fn lost(&self, ours: &Value) -> Vec<&str> {
        let is_there = |pattern: &str| {
            let (first, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
            let name = rest.split([' ', '.', ':', '[']).next().unwrap_or_default();
            match first {
                // Any place, or a name that one side lacks.
                "*" | "schema" => true,
                "request" | "answer" => ours["components"]["schemas"][name].is_object(),
                method => ours["paths"][rest.split([' ', ':']).next().unwrap_or_default()][method.to_ascii_lowercase()]
                    .is_object(),
            }
        };
        let patterns = self.entries.iter().flat_map(|entry| &entry.differences).map(String::as_str);
        patterns.filter(|pattern| !is_there(pattern)).collect()
    }

    /// Sorts the differences that were found.
    pub fn judge(&self, found: &BTreeSet<Difference>) -> Verdict {
        let mut verdict = Verdict::default();
        let patterns = || self.entries.iter().flat_map(|entry| entry.differences.iter().map(move |text| (entry, text)));
        for difference in found {
            match patterns().find(|(_, pattern)| matches(pattern, difference)) {
                Some((entry, _)) => verdict.accepted.push((difference.clone(), entry.decision.clone())),
                None => verdict.open.push(difference.clone()),
            }
        }
        let in_vain = patterns().filter(|(_, pattern)| !found.iter().any(|difference| matches(pattern, difference)));
        verdict.stale = in_vain.map(|(_, pattern)| pattern.clone()).collect();
        verdict
    }
}

/// `place: theirs -> ours`.
fn check_form(pattern: &str) -> Result<()> {
    let starts = ["GET /", "POST /", "PUT /", "PATCH /", "DELETE /", "request ", "answer ", "schema ", "* "];
    let (place, values) = pattern.split_once(": ").with_context(|| format!("no `: ` in {pattern}"))?;
    if !starts.iter().any(|start| place.starts_with(start)) || !values.contains(" -> ") {
        bail!("not a difference as the command prints it: {pattern}");
    }
    Ok(())
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
- decision: R-06
  reason: A page has at most a thousand entries.
  differences:
    - 'GET /a query limit maximum: none -> 1000'
    - '* query page maximum: none -> *'
";

    #[test]
    fn sorts_into_accepted_open_and_stale() {
        let found: BTreeSet<Difference> =
            ["GET /a query limit maximum: none -> 1000", "GET /b query limit maximum: none -> 1000"]
                .map(str::to_owned)
                .into();
        let verdict = Accepted::parse(FILE).unwrap().judge(&found);
        assert_eq!(verdict.accepted, [("GET /a query limit maximum: none -> 1000".to_owned(), "R-06".to_owned())]);
        assert_eq!(verdict.open, ["GET /b query limit maximum: none -> 1000"]);
        assert_eq!(verdict.stale, ["* query page maximum: none -> *"]);
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*e*c", "abcde", false),
            ("*x*", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn names_what_the_document_has_no_longer() {
        let file = "
- decision: X
  reason: Several places at once.
  differences: ['GET /a status 403: none -> present', 'POST /a: none -> present', 'answer Thing.id type: a -> b',
    'request Gone type: a -> b', 'schema Gone: present -> none', '* query x: none -> present']
";
        let accepted = Accepted::parse(file).unwrap();
        let ours = serde_json::json!({"paths": {"/a": {"get": {}}}, "components": {"schemas": {"Thing": {}}}});
        assert_eq!(accepted.lost(&ours), ["POST /a: none -> present", "request Gone type: a -> b"]);
    }

    #[test]
    fn refuses_doubles_missing_reasons_and_other_forms() {
        let twice = FILE.replace("* query page maximum: none -> *", "GET /a query limit maximum: none -> 1000");
        assert!(Accepted::parse(&twice).unwrap_err().to_string().contains("twice"));
        assert!(Accepted::parse(&FILE.replace("A page has at most a thousand entries.", "''")).is_err());
        assert!(Accepted::parse(&FILE.replace("none -> 1000", "1000")).is_err());
        assert!(Accepted::parse(&FILE.replace("GET /a", "somewhere")).is_err());
        assert!(Accepted::parse("- decision: X\n  because: of this\n").is_err());
    }
}
