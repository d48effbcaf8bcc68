//! Routes of an HTTP API, and which of them serves a request.

use std::{cmp::Ordering, collections::BTreeMap};

use anyhow::{Result, bail};
use percent_encoding::percent_decode_str;

/// One route: a method, a path pattern, and the function behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The route key as API Gateway writes it, such as `ANY /api/health` or `$default`.
    pub key: String,
    /// Name of the function.
    pub function: String,
    method: Method,
    pattern: Pattern,
}

/// A route that serves a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch<'a> {
    /// The route.
    pub route: &'a Route,
    /// Decoded path parameters by name.
    pub parameters: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    Any,
    Only(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Default,
    Segments(Vec<Segment>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
    Greedy(String),
}

impl Route {
    /// The route for whatever no other route matches.
    pub(super) fn default_route(function: String) -> Self {
        Self { key: "$default".to_owned(), function, method: Method::Any, pattern: Pattern::Default }
    }

    /// The route for `method` (or `ANY`) and a path with `{name}` and one trailing `{name+}`.
    pub(super) fn new(method: &str, path: &str, function: String) -> Result<Self> {
        let Some(rest) = path.strip_prefix('/') else {
            bail!("the path {path:?} of a route does not start with a slash");
        };
        let segments: Vec<Segment> = rest.split('/').map(Segment::parse).collect();
        let greedy = segments.iter().position(|segment| matches!(segment, Segment::Greedy(_)));
        if greedy.is_some_and(|at| at + 1 != segments.len()) {
            bail!("the path {path:?} has a greedy parameter before its end");
        }
        let method = method.to_ascii_uppercase();
        Ok(Self {
            key: format!("{method} {path}"),
            function,
            method: if method == "ANY" { Method::Any } else { Method::Only(method) },
            pattern: Pattern::Segments(segments),
        })
    }

    /// The order in which routes are tried: literal segments before parameters before greedy
    /// ones, a named method before `ANY`, `$default` last.
    pub(super) fn by_specificity(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then(self.key.cmp(&other.key))
    }

    fn rank(&self) -> (bool, Vec<u8>, bool) {
        let segments = match &self.pattern {
            Pattern::Default => vec![],
            Pattern::Segments(segments) => segments.iter().map(Segment::rank).collect(),
        };
        (self.pattern == Pattern::Default, segments, self.method == Method::Any)
    }

    /// Whether this route serves a request, and with which path parameters.
    ///
    /// Letter case does not count, because the contract wants paths in any case. API Gateway's
    /// route keys do not do that; there such a path arrives through the `$default` route.
    pub(super) fn matches(&self, method: &str, raw_path: &str) -> Option<RouteMatch<'_>> {
        if let Method::Only(only) = &self.method
            && only != method
        {
            return None;
        }
        let Pattern::Segments(segments) = &self.pattern else {
            return Some(RouteMatch { route: self, parameters: BTreeMap::new() });
        };
        let mut parameters = BTreeMap::new();
        let mut rest = Some(raw_path.strip_prefix('/')?);
        for segment in segments {
            let (head, tail) = match rest?.split_once('/') {
                Some((head, tail)) => (head, Some(tail)),
                None => (rest?, None),
            };
            match segment {
                Segment::Literal(text) => {
                    if !decode(head).eq_ignore_ascii_case(text) {
                        return None;
                    }
                }
                Segment::Parameter(name) => {
                    if head.is_empty() {
                        return None;
                    }
                    parameters.insert(name.clone(), decode(head));
                }
                Segment::Greedy(name) => {
                    let value = rest.filter(|value| !value.is_empty())?;
                    parameters.insert(name.clone(), decode(value));
                    rest = None;
                    continue;
                }
            }
            rest = tail;
        }
        rest.is_none().then_some(RouteMatch { route: self, parameters })
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            None => Self::Literal(text.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                None => Self::Parameter(name.to_owned()),
                Some(name) => Self::Greedy(name.to_owned()),
            },
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

/// The gateway has refused malformed escapes before it asks for a route.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
