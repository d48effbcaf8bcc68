//! Models, input types and texts of embeddings, and how much one call takes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type},
    },
};

/// Models of Voyage AI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum EmbeddingModel {
    /// Best quality.
    #[serde(rename = "voyage-3-large")]
    Voyage3Large,
    /// General purpose.
    #[serde(rename = "voyage-3.5")]
    Voyage35,
    /// Fast and cheap.
    #[serde(rename = "voyage-3.5-lite")]
    Voyage35Lite,
    /// For code.
    #[serde(rename = "voyage-code-3")]
    VoyageCode3,
    /// For finance.
    #[serde(rename = "voyage-finance-2")]
    VoyageFinance2,
    /// For law.
    #[serde(rename = "voyage-law-2")]
    VoyageLaw2,
}

impl EmbeddingModel {
    /// The vendor's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voyage3Large => "voyage-3-large",
            Self::Voyage35 => "voyage-3.5",
            Self::Voyage35Lite => "voyage-3.5-lite",
            Self::VoyageCode3 => "voyage-code-3",
            Self::VoyageFinance2 => "voyage-finance-2",
            Self::VoyageLaw2 => "voyage-law-2",
        }
    }

    /// How many estimated tokens one call takes.
    const fn max_tokens(self) -> usize {
        match self {
            Self::Voyage35Lite => 1_000_000,
            Self::Voyage35 => 320_000,
            Self::Voyage3Large | Self::VoyageCode3 | Self::VoyageFinance2 | Self::VoyageLaw2 => 120_000,
        }
    }
}

/// How many texts one call takes.
const MAX_INPUTS: usize = 1000;

/// What the texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbeddingInputType {
    /// Questions to be answered.
    Query,
    /// Documents to be found.
    Document,
}

/// The one schema of the API that allows null.
impl PartialSchema for EmbeddingInputType {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .enum_values(Some([Some("query"), Some("document"), None]))
            .into()
    }
}

impl ToSchema for EmbeddingInputType {
    fn name() -> Cow<'static, str> {
        "EmbeddingInputType".into()
    }
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EmbeddingInputs {
    /// One text.
    One(String),
    /// Several texts.
    Many(Vec<String>),
}

impl PartialSchema for EmbeddingInputs {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        OneOfBuilder::new().item(text()).item(ArrayBuilder::new().items(text()).min_items(Some(1))).into()
    }
}

impl ToSchema for EmbeddingInputs {
    fn name() -> Cow<'static, str> {
        "EmbeddingInputs".into()
    }
}

/// Why the texts are more than one call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InputsTooLarge {
    /// Too many texts.
    #[error("must not hold more than {MAX_INPUTS} texts, and there are {0}")]
    Count(usize),
    /// Too much text.
    #[error("must not hold more than {limit} tokens for this model, and there are about {estimated}")]
    Tokens {
        /// Estimated number of tokens.
        estimated: usize,
        /// What the model takes.
        limit: usize,
    },
}

impl EmbeddingInputs {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.texts().len()
    }

    /// Refuses what the vendor would refuse (defect EM-05). The estimate counts words, of which each is at least one
    /// token, so nothing is refused that the vendor would take.
    pub fn check_size(&self, model: EmbeddingModel) -> Result<(), InputsTooLarge> {
        let texts = self.texts();
        if texts.len() > MAX_INPUTS {
            return Err(InputsTooLarge::Count(texts.len()));
        }
        let estimated = texts.iter().map(|text| text.split_whitespace().count()).sum();
        let limit = model.max_tokens();
        if estimated > limit { Err(InputsTooLarge::Tokens { estimated, limit }) } else { Ok(()) }
    }
}
