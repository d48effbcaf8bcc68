//! Query parameters that lists share (contract 3).

use serde::{Deserialize, Deserializer, de::Error};
use shared_core::{
    Timestamp, TimestampError,
    pagination::{DEFAULT_LIMIT, Direction, PageRequest},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, RefOr, Schema, SchemaFormat,
        schema::{AnyOfBuilder, ObjectBuilder, Type},
    },
};

/// Sort direction on the wire.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = OrderDirection)]
pub enum DirectionParam {
    /// Smallest first.
    #[serde(rename = "ASC")]
    Ascending,
    /// Largest first.
    #[default]
    #[serde(rename = "DESC")]
    Descending,
}

impl From<DirectionParam> for Direction {
    fn from(direction: DirectionParam) -> Self {
        match direction {
            DirectionParam::Ascending => Self::Ascending,
            DirectionParam::Descending => Self::Descending,
        }
    }
}

/// The wanted page, with the defaults of the contract.
pub fn page_request(page: Option<u32>, limit: Option<u32>) -> PageRequest {
    PageRequest { page: page.unwrap_or(1), limit: limit.unwrap_or(DEFAULT_LIMIT) }
}

/// An instant, or a whole UTC day (defect DB-04).
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The instant, or the first one of the day.
    pub first: Timestamp,
    /// The instant, or the last one of the day.
    pub last: Timestamp,
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unreadable = |_: TimestampError| D::Error::custom("must be an ISO instant or day");
        let read = |text: &str| text.parse::<Timestamp>().map_err(unreadable);
        if text.len() == "2026-01-31".len() {
            return Ok(Self {
                first: read(&format!("{text}T00:00:00Z"))?,
                last: read(&format!("{text}T23:59:59.999Z"))?,
            });
        }
        let instant = match text.parse::<Timestamp>() {
            // An offset may lead out of the years that have four digits; nothing happens there.
            Err(TimestampError::Year) if text.starts_with('0') => read("0000-01-01T00:00:00Z")?,
            Err(TimestampError::Year) => read("9999-12-31T23:59:59.999Z")?,
            other => other.map_err(unreadable)?,
        };
        Ok(Self { first: instant, last: instant })
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let text =
            |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
        AnyOfBuilder::new().item(text(KnownFormat::DateTime)).item(text(KnownFormat::Date)).into()
    }
}

impl ToSchema for Moment {}
