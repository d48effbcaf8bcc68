//! The formats of request members that the contract defines itself (section 1.4).

use std::sync::LazyLock;

use regex::Regex;
use shared_core::{files::is_base64, ids::is_uuid, schemas::FormatCheck};
use url::Url;

/// What `email`, `uuid`, `uri` and `byte` mean in requests.
pub(crate) const FORMATS: &[FormatCheck] =
    &[("email", is_email), ("uuid", is_uuid), ("uri", is_url), ("byte", is_base64)];

/// Local part of ASCII letters, digits, `_`, `'`, `+`, `-` and inner single dots, not ending in `'`; a domain of at
/// least two labels that start with a letter or digit; a last label of at least two letters. No trimming.
fn is_email(text: &str) -> bool {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[A-Za-z0-9_'+-]+(\.[A-Za-z0-9_'+-]+)*@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}$")
            .expect("the pattern is valid")
    });
    PATTERN.is_match(text) && !text.contains("'@")
}

/// An absolute URL as the WHATWG parser reads it, surrounding spaces ignored.
fn is_url(text: &str) -> bool {
    Url::parse(text.trim()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_addresses_as_the_contract_does() {
        for good in ["ada@example.com", "a.b+c-d_e'f@x1.y-z.co", "A@b.CO"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@example",
            "ada@example.c",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.de",
            "a'@b.co",
            " a@b.co",
            "a@b.co ",
            "a@-b.co",
            "a@b.c1",
            "ä@b.co",
            "a b@c.de",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn knows_absolute_urls() {
        assert!(is_url("https://example.com/x?y#z"));
        assert!(is_url("  http://localhost:8080 "));
        assert!(!is_url("/relative"));
        assert!(!is_url("example.com"));
    }
}
