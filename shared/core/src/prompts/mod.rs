//! Prompts: versioned templates with schemas for input and answer (contract 6).

mod compile;
mod edit;
mod store;
mod text;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use compile::{CompileError, InputCheck, check_input, compile, compile_text};
pub use edit::{NewPrompt, PromptEdit};
pub(crate) use store::query;
pub use store::{PromptOrder, any_exists, find, find_text, list, list_choices, list_newest, search_by_name};
pub use text::{PromptOutline, PromptText, VersionOutline};

use crate::{
    audit::{self, Action},
    db::{Db, DbError},
    documents::Document,
    ids,
    instant::Timestamp,
};

/// What runs of a prompt ask for. Unknown members are dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptOptions {
    /// Executions must carry a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_file_upload: Option<bool>,
    /// Executions ask the provider to search the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<bool>,
}

/// A stored prompt; the top level mirrors the current version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// Unique among present names.
    pub name: String,
    /// Mustache template.
    pub prompt: String,
    /// Schema that answers must satisfy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema_response: Option<Value>,
    /// Schema that input must satisfy; with one, the text is compiled as a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema_input: Option<Value>,
    /// Number of the newest version.
    pub current_version: u32,
    /// What runs ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<PromptOptions>,
    /// All versions, oldest first.
    pub versions: Vec<PromptVersion>,
}

/// An immutable snapshot of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptVersion {
    /// 1-based number.
    #[schema(minimum = 1)]
    pub version: u32,
    /// Name at that time.
    pub name: String,
    /// Mustache template.
    pub prompt: String,
    /// Schema that answers must satisfy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    pub json_schema_response: Option<Value>,
    /// Schema that input must satisfy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    pub json_schema_input: Option<Value>,
    /// What runs ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<PromptOptions>,
    /// When this version was made.
    pub created_at: Timestamp,
}

impl PromptVersion {
    /// Whether executions must carry a file.
    pub fn accepts_files(&self) -> bool {
        self.options.as_ref().and_then(|options| options.accept_file_upload) == Some(true)
    }

    /// Whether executions ask for a web search.
    pub fn searches_web(&self) -> bool {
        self.options.as_ref().and_then(|options| options.web_search) == Some(true)
    }
}

impl Prompt {
    /// The given version, or the current one.
    pub fn version(&self, number: Option<u32>) -> Option<&PromptVersion> {
        let wanted = number.unwrap_or(self.current_version);
        self.versions.iter().find(|version| version.version == wanted)
    }

    fn audited(&self) -> audit::View {
        audit::View::new()
            .keep("currentVersion", self.current_version)
            .withhold("name", &self.name)
            .withhold("prompt", &self.prompt)
            .withhold("json_schema_response", &self.json_schema_response)
            .withhold("json_schema_input", &self.json_schema_input)
            .withhold("options", &self.options)
    }
}

/// Why a prompt operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// No prompt with this id.
    #[error("there is no such prompt")]
    NotFound,
    /// The prompt has no such version.
    #[error("the prompt has no version {0}")]
    VersionNotFound(u32),
    /// Another prompt has this name.
    #[error("a prompt named \"{0}\" exists already")]
    NameTaken(String),
    /// Deployments use the prompt (decision P-09).
    #[error("the prompt is used by {}; change or delete that first", deployments_named(.0))]
    InUse(Vec<String>),
    /// Others kept changing the prompt at the same time.
    #[error("the prompt was changed by somebody else at the same time; try again")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl PromptError {
    fn from_write(error: DbError, name: &str) -> Self {
        if error.is_unique_violation("prompts.name") {
            return Self::NameTaken(name.to_owned());
        }
        match error {
            DbError::Guard => Self::Stale,
            other => Self::Db(other),
        }
    }
}

/// Stores a new prompt as version 1.
pub async fn create(db: &Db, new: NewPrompt, now: Timestamp) -> Result<Document<Prompt>, PromptError> {
    let data = new.into_prompt(now);
    let id = ids::new_id();
    let entry = audit::entry(Action::PromptCreated).on(&id).after(data.audited());
    let write = db.write(vec![store::insert(&id, &data, now), entry.record()]).await;
    write.map_err(|error| PromptError::from_write(error, &data.name))?;
    Ok(Document { id, data, revision: 0, created_at: now, updated_at: now })
}

/// Deletes a prompt with all its versions, unless deployments use it.
pub async fn delete(db: &Db, id: &str) -> Result<(), PromptError> {
    match db.write(vec![store::delete_unused(id), audit::entry(Action::PromptDeleted).on(id).record()]).await {
        Ok(_) => Ok(()),
        Err(DbError::Guard) => match store::list_users(db, id).await? {
            names if names.is_empty() => Err(PromptError::NotFound),
            names => Err(PromptError::InUse(names)),
        },
        Err(error) => Err(error.into()),
    }
}

fn deployments_named(names: &[String]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("deployment{plural} {}", names.join(", "))
}

/// How often an update is tried when others save the same prompt in between.
const UPDATE_TRIES: u32 = 5;

/// Saves an edit; changed content becomes a new version.
pub async fn update(db: &Db, id: &str, edit: &PromptEdit, now: Timestamp) -> Result<Document<Prompt>, PromptError> {
    for _ in 0..UPDATE_TRIES {
        let found = find(db, id).await?.ok_or(PromptError::NotFound)?;
        let data = found.data.edited(edit, now);
        let entry = audit::entry(Action::PromptUpdated).on(id).before(found.data.audited()).after(data.audited());
        match db.write(vec![store::replace(id, &data, found.revision, now), entry.record()]).await {
            Ok(_) => return Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found }),
            Err(DbError::Guard) => {}
            Err(error) => return Err(PromptError::from_write(error, &data.name)),
        }
    }
    Err(PromptError::Stale)
}

#[cfg(test)]
mod tests;
