//! What sqld thinks of a SQL text before SQLite sees it.

use super::wire::SqlError;

/// Refuses what sqld refuses although SQLite would take it.
pub(super) fn check(sql: &str) -> Result<(), SqlError> {
    let words: Vec<String> = bare(sql).split_whitespace().take(3).map(str::to_ascii_uppercase).collect();
    let word = |index: usize| words.get(index).map(String::as_str);
    let is_refused = match word(0) {
        None => return Err(SqlError::new("SQL_NO_STATEMENT", "SQL string does not contain any statement")),
        Some("ANALYZE" | "ATTACH" | "DETACH" | "VACUUM") => true,
        Some("PRAGMA") => sql.contains('='),
        Some("CREATE") => matches!(word(1), Some("TEMP" | "TEMPORARY")),
        Some(_) => false,
    };
    if is_refused {
        return Err(SqlError::new("SQL_PARSE_ERROR", "SQL string could not be parsed: unsupported statement"));
    }
    let is_trigger = (word(0), word(1)) == (Some("CREATE"), Some("TRIGGER"));
    if !is_trigger && has_several(sql) {
        return Err(SqlError::new("SQL_MANY_STATEMENTS", "SQL string contains more than one statement"));
    }
    Ok(())
}

/// The first word, in capitals.
pub(super) fn verb(sql: &str) -> String {
    bare(sql).split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

/// Whether anything but blanks and comments follows the first semicolon.
fn has_several(sql: &str) -> bool {
    bare(sql).split_once(';').is_some_and(|(_, rest)| rest.chars().any(|c| !c.is_whitespace() && c != ';'))
}

/// SQL text with a blank for each comment and a `?` for each quoted part.
fn bare(sql: &str) -> String {
    let mut bare = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (length, shown) = match first {
            '\'' | '"' | '`' => (end_of(rest, 1, &first.to_string()), '?'),
            '[' => (end_of(rest, 1, "]"), '?'),
            '-' if rest.starts_with("--") => (end_of(rest, 2, "\n"), ' '),
            '/' if rest.starts_with("/*") => (end_of(rest, 2, "*/"), ' '),
            other => (other.len_utf8(), other),
        };
        bare.push(shown);
        rest = &rest[length..];
    }
    bare
}

/// Where the part that ends with `mark` ends; at the end of the text when the mark is missing.
fn end_of(text: &str, start: usize, mark: &str) -> usize {
    text[start..].find(mark).map_or(text.len(), |found| start + found + mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str) -> Option<String> {
        let error = serde_json::to_value(check(sql).err()?).ok()?;
        error["code"].as_str().map(str::to_owned)
    }

    #[test]
    fn takes_what_sqld_takes() {
        for sql in [
            "SELECT ';' AS \"a;b\" -- one; two\n;",
            "/* first; */ INSERT INTO t VALUES ('it''s; fine');",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; DELETE FROM b; END;",
            "PRAGMA table_info(a)",
            "CREATE TABLE temporary (x)",
        ] {
            assert_eq!(code(sql), None, "{sql}");
        }
    }

    #[test]
    fn refuses_what_sqld_refuses() {
        assert_eq!(code("SELECT 1; SELECT 2").as_deref(), Some("SQL_MANY_STATEMENTS"));
        assert_eq!(code(" -- nothing\n").as_deref(), Some("SQL_NO_STATEMENT"));
        for sql in ["pragma foreign_keys = OFF", "ANALYZE", "VACUUM", "CREATE TEMP TABLE t (x)", "ATTACH 'a' AS b"] {
            assert_eq!(code(sql).as_deref(), Some("SQL_PARSE_ERROR"), "{sql}");
        }
    }
}
