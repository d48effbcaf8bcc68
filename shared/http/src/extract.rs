//! Extractors in the contract's order: path, query, body. Each reports all issues of its part at once.

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use utoipa::{
    IntoParams, ToSchema,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    body::ParsedBody,
    error::ApiError,
    issue::{Issue, Part},
    openapi::without_nullable_options,
    validate::{PerType, compiled, parse, parse_body},
};

/// A JSON body of type `T`; `Option<Json<T>>` where it may be absent.
#[derive(Debug, Default)]
pub struct Json<T>(pub T);

/// A type that a body can be read as. Most types need no more than `impl RequestBody for T {}`.
pub trait RequestBody: DeserializeOwned + ToSchema + Send + 'static {
    /// Reads the body.
    fn read(value: Value) -> Result<Self, ApiError> {
        let body: Self = parse_body(value)?;
        let issues = body.cross_field_issues();
        if issues.is_empty() { Ok(body) } else { Err(ApiError::Validation(issues)) }
    }

    /// Rules that concern several members.
    fn cross_field_issues(&self) -> Vec<Issue> {
        Vec::new()
    }
}

impl<T: RequestBody, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _state: &S) -> Result<Self, ApiError> {
        match request.extensions_mut().remove::<ParsedBody>() {
            Some(ParsedBody(value)) => T::read(value).map(Json),
            None => Err(ApiError::invalid(Issue::whole(Part::Body, "a JSON body is required"))),
        }
    }
}

impl<T: RequestBody, S: Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _state: &S) -> Result<Option<Self>, ApiError> {
        let body = request.extensions_mut().remove::<ParsedBody>();
        body.map(|ParsedBody(value)| T::read(value).map(Self)).transpose()
    }
}

/// The query string as `T`.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// A type that a query string can be read as.
pub trait RequestQuery: DeserializeOwned + IntoParams + Send + 'static {
    /// Whether unknown parameters are an error.
    const REFUSES_UNKNOWN: bool = true;
}

impl<T: RequestQuery, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let parameters = DECLARED.of::<Self>(|| Parameters::new(&T::into_params(|| Some(ParameterIn::Query))));
        let given = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut values = Map::new();
        let mut repeated = Vec::new();
        for (name, text) in given {
            let declared = parameters.declared.iter().find(|parameter| parameter.name == name);
            if declared.is_none() && !T::REFUSES_UNKNOWN {
                continue;
            }
            let value = declared.map_or_else(|| json!(text), |parameter| parameter.typed(&text));
            if values.insert(name.to_string(), value).is_some() {
                repeated.push(Issue::new(Part::Query, name, "must be given only once"));
            }
        }
        if !repeated.is_empty() {
            return Err(ApiError::Validation(repeated));
        }
        let schema = compiled::<Self>(|| parameters.schema.clone());
        parse(&schema, Value::Object(values), Part::Query).map(Query)
    }
}

/// The parameters of every query type in use: to describe them takes longer than to read a query.
static DECLARED: PerType<Parameters> = PerType::new();

struct Parameters {
    declared: Vec<Declared>,
    /// All of them as the schema of an object.
    schema: Value,
}

impl Parameters {
    fn new(parameters: &[Parameter]) -> Self {
        Self { declared: parameters.iter().map(Declared::new).collect(), schema: object_of(parameters) }
    }
}

/// A parameter of a query string, and as what its text may be read.
struct Declared {
    name: String,
    is_integer: bool,
    is_boolean: bool,
}

impl Declared {
    fn new(parameter: &Parameter) -> Self {
        let schema = json!(parameter.schema);
        let is = |kind: &str| {
            schema["type"] == kind
                || schema["type"].as_array().is_some_and(|list| list.iter().any(|entry| entry == kind))
        };
        Self { name: parameter.name.clone(), is_integer: is("integer"), is_boolean: is("boolean") }
    }

    /// A text from the query string as the type that is declared; unchanged when it does not read as that, so that the
    /// schema refuses it. Integers are digits only (decision R-06).
    fn typed(&self, text: &str) -> Value {
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            "true" if self.is_boolean => json!(true),
            "false" if self.is_boolean => json!(false),
            _ if self.is_integer && is_digits => text.parse::<u64>().map_or_else(|_| json!(text), Value::from),
            _ => json!(text),
        }
    }
}

/// The parameters as the schema of an object.
fn object_of(parameters: &[Parameter]) -> Value {
    let properties: Map<String, Value> =
        parameters.iter().map(|parameter| (parameter.name.clone(), json!(parameter.schema))).collect();
    let required: Vec<&str> = parameters
        .iter()
        .filter(|parameter| matches!(parameter.required, utoipa::openapi::Required::True))
        .map(|parameter| parameter.name.as_str())
        .collect();
    let mut schema =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    without_nullable_options(&mut schema);
    schema
}

/// The path parameters as `T`.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + IntoParams + Send + 'static, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let raw = RawPathParams::from_request_parts(parts, state).await;
        let raw = raw.map_err(|error| ApiError::gate(axum::http::StatusCode::BAD_REQUEST, error.body_text()))?;
        let values: Map<String, Value> = raw.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let schema = compiled::<Self>(|| object_of(&T::into_params(|| Some(ParameterIn::Path))));
        parse(&schema, Value::Object(values), Part::Param).map(Path)
    }
}

/// A path with the id of a resource, checked as a UUID.
#[derive(Debug, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UuidPath {
    /// 422 when it is not a UUID.
    #[param(format = "uuid")]
    pub id: String,
}

/// A path with an id that is not checked: unknown text gives 404.
#[derive(Debug, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OpaqueIdPath {
    /// Any text.
    #[param(min_length = 1)]
    pub id: String,
}
