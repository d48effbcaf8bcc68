//! Readers and writers of single texts.

use std::net::IpAddr;

use api_executions::csv::cell;
use api_files::download::disposition;
use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};
use shared_core::{
    Secret, Timestamp,
    config::{Env, load_from},
    migrations::{MIGRATIONS, split_statements},
    retry_after,
    secrets::Cipher,
    templates::{self, MAX_OUTPUT_BYTES, TemplateError},
    trace::TraceId,
    webhooks::TargetPolicy,
};

use crate::{harness::Target, hostile};

/// Templates with any data.
pub(crate) struct Templates;

impl Target for Templates {
    const NAME: &'static str = "templates";
    const CASES: u32 = 6_000;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        const TAGS: &[&str] = &[
            "{{",
            "}}",
            "{{a}}",
            "{{{a}}}",
            "{{&b}}",
            "{{.}}",
            "{{a.b}}",
            "{{a.0}}",
            "{{a.length}}",
            "{{#a}}",
            "{{/a}}",
            "{{^a}}",
            "{{#b}}",
            "{{/b}}",
            "{{^b}}",
            "{{#.}}",
            "{{/.}}",
            "{{!x}}",
            "{{>p}}",
            "{{=<% %>=}}",
            "<%={{ }}=%>",
            "{{=| |=}}",
            "{{=",
            "=}}",
            " ",
            "\n",
            "\r\n",
            "x",
            "{",
            "}",
            "ß",
        ];
        let template: String = (0..u.int_in_range(0..=20)?)
            .map(|_| if u.ratio(1, 8)? { hostile::text(u) } else { Ok((*u.choose(TAGS)?).to_owned()) })
            .collect::<Result<_>>()?;
        let names = ["a", "b", "length", "0"];
        let mut data = json!({"a": any_of_names(u, 3)?, "b": any_of_names(u, 3)?});
        if u.ratio(1, 8)? {
            data = hostile::any_json(u, 3)?;
        }

        let checked = templates::check(&template);
        let rendered = templates::render(&template, &data);
        assert_eq!(rendered, templates::render(&template, &data), "the same each time");
        match (&checked, &rendered) {
            (Ok(()), Ok(text)) => assert!(text.len() <= MAX_OUTPUT_BYTES),
            (Ok(()), Err(error)) => assert_eq!(*error, TemplateError::Endless),
            (Err(error), rendered) => assert_eq!(rendered.as_ref(), Err(error), "what cannot be read is not filled"),
        }
        if !template.contains("{{") {
            assert_eq!(rendered.as_ref(), Ok(&template), "a text without tags stays as it is");
        }
        // A value is never a template, and never changed.
        let value = hostile::text(u)?;
        for name in names {
            let filled = templates::render(&format!("<{{{{{name}}}}}>"), &json!({ name: value }));
            assert_eq!(filled, Ok(format!("<{value}>")));
        }
        Ok(())
    }
}

/// JSON whose names are those that templates ask for.
fn any_of_names(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 2 } else { 4 })? {
        0 => json!(u.arbitrary::<bool>()?),
        1 => hostile::number(u)?,
        2 => json!(hostile::text(u)?),
        3 => (0..u.int_in_range(0..=12)?).map(|_| any_of_names(u, depth - 1)).collect::<Result<Value>>()?,
        _ => json!({*u.choose(&["a", "b"])?: any_of_names(u, depth - 1)?}),
    })
}

/// Cells of the CSV export, read back by the rules of RFC 4180.
pub(crate) struct CsvCells;

impl Target for CsvCells {
    const NAME: &'static str = "csv-cells";
    const CASES: u32 = 20_000;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let text = hostile::text(u)?;
        let written = cell(&text);
        let inside = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes on both sides");
        let read = inside.replace("\"\"", "\u{e000}");
        assert!(!read.contains('"'), "a quote ends the cell: {written:?}");
        let read = read.replace('\u{e000}', "\"");
        // What spreadsheets take for a formula, after what they overlook.
        let shown = read.trim_start_matches(|letter: char| letter.is_whitespace() || letter.is_control());
        assert!(!shown.starts_with(['=', '+', '-', '@']), "a spreadsheet runs {written:?}");
        assert!(!read.starts_with(['\t', '\r', '\n']), "a spreadsheet may run {written:?}");
        assert!(read == text || read.strip_prefix('\'') == Some(&text), "{text:?} became {read:?}");
        Ok(())
    }
}

/// Names of files in `Content-Disposition`.
pub(crate) struct FileNames;

impl Target for FileNames {
    const NAME: &'static str = "file-names";
    const CASES: u32 = 20_000;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let name = hostile::text(u)?;
        let header = disposition(&name);
        let header = header.to_str().expect("visible ASCII");
        let plain = header.strip_prefix("attachment; filename=\"").expect("an attachment");
        let (plain, extended) = plain.split_once("\"; filename*=UTF-8''").expect("both forms of the name");
        assert!(!plain.contains(['"', '\\', '/', '%']) && plain.is_ascii(), "{header}");
        assert!(
            extended.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~%".contains(&byte)),
            "{header}"
        );
        let real = percent_encoding::percent_decode_str(extended).decode_utf8().expect("UTF-8");
        assert_eq!(real, name);
        Ok(())
    }
}

/// Headers that other servers send, and instants.
pub(crate) struct Headers;

impl Target for Headers {
    const NAME: &'static str = "headers-and-dates";
    const CASES: u32 = 30_000;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        const SEEDS: &[&str] = &[
            "20",
            "1.5",
            "1e308",
            "-0",
            "Sun, 01 Mar 2026 12:01:30 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "2026-01-31T09:15:00.042Z",
            "9999-12-31T23:59:60Z",
            "0000-01-01T00:00:00+23:59",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1",
        ];
        let seed = u.choose(SEEDS)?;
        let text = hostile::mutated_text(u, seed)?;
        let now = Timestamp::now();
        let longest = std::time::Duration::from_secs(3600);
        for wait in [retry_after::parse(&text, now), retry_after::parse_millis(&text)].into_iter().flatten() {
            assert!(wait <= longest, "{text:?}: {wait:?}");
        }
        for trace in
            [TraceId::of_traceparent(&text), TraceId::of_amazon(&text), TraceId::parse(&text)].into_iter().flatten()
        {
            assert_eq!(TraceId::of_traceparent(&trace.traceparent()), Some(trace), "{text:?}");
        }
        if let Ok(instant) = text.parse::<Timestamp>() {
            let written = instant.to_string();
            assert_eq!(written.parse::<Timestamp>().ok(), Some(instant), "{text:?} was written as {written}");
            let later = instant.plus_millis(u.arbitrary()?);
            let _ = (later.millis_since(instant), later.to_string(), later.plus_seconds(u.arbitrary()?));
        }
        Ok(())
    }
}

/// URLs that webhooks may go to.
pub(crate) struct WebhookTargets;

impl Target for WebhookTargets {
    const NAME: &'static str = "webhook-targets";
    const CASES: u32 = 20_000;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        const PARTS: &[&str] = &[
            "https://",
            "http://",
            "HTTPS:",
            "//",
            "/",
            "\\",
            "@",
            ":",
            "#",
            "?",
            "%",
            "%2e",
            "%00",
            ".",
            "。",
            "[",
            "]",
            "::",
            "::ffff:",
            "64:ff9b::",
            "2002:",
            "fe80::1%25eth0",
            "0x",
            "0",
            "127",
            "127.0.0.1",
            "10.0.0.1",
            "2130706433",
            "169.254.169.254",
            "0x7f.1",
            "0177",
            "localhost",
            "LOCALHOST",
            ".local",
            ".internal",
            "xn--",
            "ⓛocalhost",
            "example.com",
            "user",
            ":80",
            ":0",
            ":65536",
            "\t",
            "\n",
            " ",
            "\u{ad}",
            "1",
            "255",
        ];
        let mut url = if u.ratio(3, 4)? { "https://".to_owned() } else { String::new() };
        for _ in 0..u.int_in_range(1..=6)? {
            url.push_str(u.choose(PARTS)?);
        }
        let strict = TargetPolicy { allows_http: false, allows_private: false };
        let Ok(allowed) = strict.check(&url) else { return Ok(()) };
        assert_eq!(allowed.scheme(), "https", "{url:?}");
        assert!(allowed.username().is_empty() && allowed.password().is_none(), "{url:?}");
        let host = allowed.host_str().expect("a host").trim_matches(['[', ']']).to_owned();
        assert_eq!(strict.check(allowed.as_str()).as_ref(), Ok(&allowed), "{url:?}: what was read reads the same");
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => assert!(is_outside(v4), "{url:?} leads to {v4}"),
            Ok(IpAddr::V6(v6)) => {
                assert!(!v6.is_loopback() && !v6.is_unspecified() && !v6.is_multicast(), "{url:?} leads to {v6}");
                assert!(!v6.is_unique_local() && !v6.is_unicast_link_local(), "{url:?} leads to {v6}");
                assert!(v6.to_ipv4().is_none_or(is_outside), "{url:?} leads to {v6}");
            }
            // A name: what the resolver of a machine would take for an address is none of these.
            Err(_) => {
                assert!(host.contains('.'), "{url:?} leads to {host}");
                assert!(host.trim_end_matches('.').rsplit('.').next() != Some("localhost"), "{url:?}");
                let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
                let is_hex =
                    last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
                assert!(last.parse::<u64>().is_err() && !is_hex, "{url:?} leads to {host}");
            }
        }
        Ok(())
    }
}

/// By the words of the standard library, beside our own.
fn is_outside(v4: std::net::Ipv4Addr) -> bool {
    !v4.is_private() && !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified() && !v4.is_multicast()
}

/// Files of `migrations/`: nothing of a statement may get lost where files are cut.
pub(crate) struct MigrationFiles;

impl Target for MigrationFiles {
    const NAME: &'static str = "migration-files";
    const CASES: u32 = 3_000;

    fn new() -> Self {
        Self
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut file = u.choose(MIGRATIONS)?.sql.to_owned();
        for _ in 0..u.int_in_range(0..=3)? {
            file = hostile::mutated_text(u, &file)?;
        }
        let statements = split_statements(&file);
        let kept = |line: &&str| !line.trim_start().starts_with("--") && !line.trim().is_empty();
        let lines = |text: &str| text.lines().filter(kept).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(statements.iter().flat_map(|statement| lines(statement)).collect::<Vec<_>>(), lines(&file));
        let again: Vec<String> = statements.iter().flat_map(|statement| split_statements(statement)).collect();
        assert_eq!(again, statements, "a statement is one");
        Ok(())
    }
}

/// Secrets as they stand in a database that may have come from elsewhere.
pub(crate) struct StoredSecrets {
    cipher: Cipher,
}

impl Target for StoredSecrets {
    const NAME: &'static str = "stored-secrets";
    const CASES: u32 = 3_000;

    fn new() -> Self {
        let variables = tests::environment("file:unused", "http://127.0.0.1:9");
        let keys = load_from(Env::new(variables), Env::encryption_keys).expect("a key");
        Self { cipher: Cipher::with_keys(&keys) }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let secret = Secret::new(hostile::text(u)?);
        let stored = self.cipher.encrypt(&secret);
        let damaged = hostile::mutated_text(u, &stored)?;
        match self.cipher.decrypt(&damaged) {
            Ok(opened) => {
                assert_eq!(opened.reveal(), secret.reveal());
                assert_eq!(damaged, stored, "a changed text opens");
            }
            Err(_) => assert_ne!(damaged, stored),
        }
        Ok(())
    }
}
