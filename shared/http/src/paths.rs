//! Paths match without regard to letter case and to one trailing slash (contract 1.1); parameters keep their case.
//!
//! API Gateway decodes paths before it hands them on. In a parameter, a question mark would then begin the query, a hash
//! mark would end the path, and a space at its end or a dot segment would vanish; here they become escapes again.

use axum::{
    extract::Request,
    http::{Uri, uri::PathAndQuery},
};
use lambda_http::RequestExt;
use percent_encoding::percent_encode_byte;

/// The one parameter that may hold slashes: text to search for.
const TEXT_PARAMETER: &str = "{pattern}";

/// The paths of a router and how requests are led to them.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    patterns: Vec<Vec<String>>,
}

impl Paths {
    /// Knows the given paths, parameters in braces.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns: Vec<Vec<String>> =
            patterns.into_iter().map(|path| path.split('/').map(str::to_owned).collect()).collect();
        // Literal segments win over parameters.
        patterns.sort_by_key(|segments| segments.iter().map(|segment| is_parameter(segment)).collect::<Vec<_>>());
        Self { patterns }
    }

    /// The request with its path in the spelling of the router.
    pub(crate) fn normalise<B>(&self, mut request: Request<B>) -> Request<B> {
        let (path, query) = asked(&request);
        let path = self.spelling(&path).unwrap_or(path);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(path_and_query) = format!("{path}{query}").parse::<PathAndQuery>() {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
        request
    }

    /// How the router spells this path, if it knows it.
    fn spelling(&self, path: &str) -> Option<String> {
        self.exact_spelling(path).or_else(|| self.text_spelling(path))
    }

    /// With slashes in a text that is searched for.
    fn text_spelling(&self, path: &str) -> Option<String> {
        let texts = self.patterns.iter().filter(|pattern| pattern.last().is_some_and(|last| last == TEXT_PARAMETER));
        texts.into_iter().find_map(|pattern| {
            let (_, start) = pattern.split_last()?;
            let given: Vec<&str> = path.splitn(pattern.len(), '/').collect();
            let (text, given) = given.split_last()?;
            let is_same = start.iter().zip(given).all(|(segment, text)| segment.eq_ignore_ascii_case(text));
            (is_same && start.len() == given.len() && !text.is_empty())
                .then(|| format!("{}/{}", start.join("/"), text.replace('/', "%2F")))
        })
    }

    fn exact_spelling(&self, path: &str) -> Option<String> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let given: Vec<&str> = path.split('/').collect();
        let matches = |pattern: &&Vec<String>| {
            pattern.len() == given.len()
                && pattern.iter().zip(&given).all(|(segment, text)| {
                    if is_parameter(segment) { !text.is_empty() } else { segment.eq_ignore_ascii_case(text) }
                })
        };
        let pattern = self.patterns.iter().find(matches)?;
        let spelled =
            pattern.iter().zip(&given).map(|(segment, text)| if is_parameter(segment) { *text } else { segment });
        Some(spelled.collect::<Vec<_>>().join("/"))
    }
}

/// Path and query that the client asked for.
fn asked<B>(request: &Request<B>) -> (String, Option<String>) {
    let (decoded, query) = (request.extensions().raw_http_path(), request.uri().query().map(str::to_owned));
    if decoded.is_empty() {
        return (request.uri().path().to_owned(), query);
    }
    // What follows these marks was taken for something else than path.
    let query = if decoded.contains(['?', '#']) {
        request.extensions().query_string_parameters_ref().map(|parameters| parameters.to_query_string())
    } else {
        query
    };
    (escaped(decoded), query)
}

/// A decoded path as it stands in a URI. What looks like an escape already stays one, for gateways that do not decode.
fn escaped(path: &str) -> String {
    let bytes = path.as_bytes();
    let is_escape =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let mut text = String::with_capacity(path.len());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' if is_escape(at) => text.push('%'),
            byte if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(byte) => {
                text.push(char::from(*byte))
            }
            byte => text.push_str(percent_encode_byte(*byte)),
        }
    }
    text
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_literals_and_keeps_parameters() {
        let paths =
            Paths::new(["/api/v1/prompts", "/api/v1/prompts/{id}", "/api/v1/prompts/recent", "/api/v1/a/{x}/B"]);
        for (given, spelled) in [
            ("/api/v1/prompts/", Some("/api/v1/prompts")),
            ("/API/V1/Prompts", Some("/api/v1/prompts")),
            ("/api/v1/prompts/RECENT", Some("/api/v1/prompts/recent")),
            ("/api/v1/prompts/AbC%20d/", Some("/api/v1/prompts/AbC%20d")),
            ("/api/v1/a/X/b", Some("/api/v1/a/X/B")),
            ("/api/v1/prompts//", None),
            ("/api/v1/unknown", None),
            ("/", None),
        ] {
            assert_eq!(paths.spelling(given).as_deref(), spelled, "{given}");
        }
    }

    #[test]
    fn what_the_gateway_decoded_becomes_an_escape_again() {
        let paths = Paths::new(["/prompts", "/prompts/{id}", "/prompts/search/{pattern}"]);
        for (decoded, expected) in [
            ("/prompts/search/what?", "/prompts/search/what%3F?page=1"),
            ("/Prompts/Search/#1 ", "/prompts/search/%231%20?page=1"),
            ("/prompts/search/ ", "/prompts/search/%20?page=1"),
            ("/prompts/search/100%", "/prompts/search/100%25?page=1"),
            ("/prompts/search/100%25", "/prompts/search/100%25?page=1"),
            ("/prompts/search/ü", "/prompts/search/%C3%BC?page=1"),
            ("/prompts/search/a/B/", "/prompts/search/a%2FB%2F?page=1"),
            ("/prompts/search/..", "/prompts/search/..?page=1"),
            ("/prompts/a/b", "/prompts/a/b?page=1"),
        ] {
            let parameters = std::collections::HashMap::from([("page".to_owned(), "1".to_owned())]);
            let uri = "https://host/lost?page=1";
            let request = Request::builder().uri(uri).body(()).unwrap();
            let request = request.with_raw_http_path(decoded).with_query_string_parameters(parameters);
            let found = paths.normalise(request);
            assert_eq!(found.uri().path_and_query().unwrap().as_str(), expected, "{decoded}");
        }
    }

    #[test]
    fn keeps_the_query() {
        let request = Request::builder().uri("/API/v1/Prompts/?Page=1").body(()).unwrap();
        let request = Paths::new(["/api/v1/prompts"]).normalise(request);
        assert_eq!(request.uri().to_string(), "/api/v1/prompts?Page=1");
    }
}
