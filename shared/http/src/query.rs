//! Query parameters that all lists share (contract 3).

use serde::Deserialize;
use shared_core::pagination::{DEFAULT_LIMIT, Direction, PageRequest};
use utoipa::ToSchema;

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
