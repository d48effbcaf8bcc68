//! Paths match without regard to letter case and to one trailing slash (contract 1.1); parameters keep their case.

use axum::{
    extract::Request,
    http::{Uri, uri::PathAndQuery},
};

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
        if let Some(path) = self.spelling(request.uri().path()) {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            if let Ok(path_and_query) = format!("{path}{query}").parse::<PathAndQuery>() {
                let mut parts = request.uri().clone().into_parts();
                parts.path_and_query = Some(path_and_query);
                if let Ok(uri) = Uri::from_parts(parts) {
                    *request.uri_mut() = uri;
                }
            }
        }
        request
    }

    /// How the router spells this path, if it knows it.
    fn spelling(&self, path: &str) -> Option<String> {
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
    fn keeps_the_query() {
        let request = Request::builder().uri("/API/v1/Prompts/?Page=1").body(()).unwrap();
        let request = Paths::new(["/api/v1/prompts"]).normalise(request);
        assert_eq!(request.uri().to_string(), "/api/v1/prompts?Page=1");
    }
}
