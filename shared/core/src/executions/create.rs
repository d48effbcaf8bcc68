//! Recording what shall run: everything is checked first, then all of it is written or nothing (defect E-05).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Execution, Origin, store};
use crate::{
    audit::{self, Action, Entry, Plain, View},
    db::{Db, DbError},
    documents::Document,
    files, ids,
    instant::Timestamp,
    prompts::{self, CompileError, Prompt, PromptVersion},
    provider_name::ProviderName,
    settings,
};

/// What runs.
#[derive(Debug, Clone)]
pub enum Source {
    /// A text of the caller's.
    Text(String),
    /// A stored prompt.
    Prompt {
        /// Its id.
        id: String,
        /// The version; the current one when absent.
        version: Option<u32>,
    },
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the provider as the caller wrote it.
    pub provider: String,
    /// Name of the model; may contain colons.
    pub model: String,
}

/// Executions to be created: one per target.
#[derive(Debug, Clone)]
pub struct NewExecutions {
    /// What runs.
    pub source: Source,
    /// Input.
    pub user_input: String,
    /// Who answers.
    pub targets: Vec<Target>,
    /// Generation options as given.
    pub options: Option<Value>,
    /// The caller's own reference.
    pub trace_id: Option<String>,
    /// A file that goes with the input.
    pub file_id: Option<String>,
    /// Who asks.
    pub origin: Origin,
    /// Settings of type webhook-destination that are told when an execution ends (contract 15).
    pub webhook_destination_ids: Vec<String>,
}

/// Why nothing was created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// No prompt with this id.
    #[error("there is no prompt with id {0}")]
    PromptNotFound(String),
    /// The prompt has no such version.
    #[error("the prompt has no version {0}")]
    VersionNotFound(u32),
    /// No active key for this provider.
    #[error("provider \"{0}\" is not configured: add an active key for it in the settings")]
    ProviderNotConfigured(String),
    /// No file with this id.
    #[error("there is no file with id {0}")]
    FileNotFound(String),
    /// The prompt wants a file.
    #[error("this prompt needs a file, and none was given")]
    FileRequired,
    /// The input does not fit the prompt.
    #[error(transparent)]
    Input(#[from] CompileError),
    /// Only stored prompts run over a group.
    #[error("a group run needs a promptId")]
    GroupNeedsPrompt,
    /// No test data group with this id.
    #[error("there is no test data group with id {0}")]
    GroupNotFound(String),
    /// The group has nothing to run.
    #[error("the test data group has no items")]
    GroupEmpty,
    /// An item of the group does not fit the prompt.
    #[error("item \"{name}\" ({id}): {source}")]
    Item {
        /// Id of the item.
        id: String,
        /// Its name; empty when it has none.
        name: String,
        /// What is wrong with it.
        source: CompileError,
    },
    /// One request would make too many executions.
    #[error("this would make more than {0} executions; run fewer models at once, or a smaller group")]
    TooMany(usize),
    /// Others kept changing the group at the same time.
    #[error("the test data group was changed by somebody else at the same time; try again")]
    GroupStale,
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What was created: the ids in the order of the targets, and the providers that have new work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedExecutions {
    /// In the order of the targets.
    pub ids: Vec<String>,
    /// Each once.
    pub providers: BTreeSet<ProviderName>,
}

/// Checks and records the executions as pending.
pub async fn create(db: &Db, new: NewExecutions, now: Timestamp) -> Result<CreatedExecutions, CreateError> {
    let known = Known::read(db, &new).await?;
    let version = known.version(&new.source)?;
    known.require_file(new.file_id.as_deref())?;
    let targets = known.configured(&new.targets)?;
    let template = execution_of(&new, version.as_ref())?;
    if let Some(schema) = version.as_ref().and_then(|version| version.json_schema_input.as_ref()) {
        prompts::check_input(schema, &new.user_input)?;
    }

    let executions = targets.into_iter().map(|(provider, model)| Execution { provider, model, ..template.clone() });
    let (mut writes, mut ids, mut providers) = (Vec::new(), Vec::new(), BTreeSet::new());
    for execution in executions {
        let id = ids::new_id();
        providers.insert(execution.provider);
        writes.push(store::insert(&id, &execution, now));
        ids.push(id);
    }
    writes.push(entry(&template, &ids, &providers).record());
    db.write(writes).await?;
    Ok(CreatedExecutions { ids, providers })
}

fn entry(template: &Execution, ids: &[String], providers: &BTreeSet<ProviderName>) -> Entry {
    let view = requested(template, ids.len(), providers);
    match ids {
        [id] => audit::entry(Action::ExecutionCreated).on(id).after(view),
        several => audit::entry(Action::ExecutionCreated).after(view.ids("ids", several)),
    }
}

/// What entries tell of a request: what runs and where, not with which input.
pub(super) fn requested(template: &Execution, count: usize, providers: &BTreeSet<ProviderName>) -> View {
    View::new()
        .keep("count", count)
        .id("promptId", template.prompt_id.as_deref())
        .keep("promptVersion", template.prompt_version)
        .id("testDataGroupId", template.test_data_group_id.as_deref())
        .id("fileId", template.file_id.as_deref())
        .keep("providers", providers.iter().map(|provider| provider.as_str()).collect::<Plain>())
}

/// What the store knows about a request, read in one round trip and judged afterwards, in the order of the checks.
pub(super) struct Known {
    prompt: Option<Document<Prompt>>,
    has_file: bool,
    active: Vec<ProviderName>,
}

impl Known {
    pub(super) async fn read(db: &Db, new: &NewExecutions) -> Result<Self, DbError> {
        let prompt_id = match &new.source {
            Source::Prompt { id, .. } => id.as_str(),
            // No row has an empty id.
            Source::Text(_) => "",
        };
        let reads = vec![
            prompts::query(prompt_id),
            files::exists_query(new.file_id.as_deref().unwrap_or_default()),
            settings::active_providers_query(),
        ];
        let answers = db.read_many(reads).await?;
        let active = settings::active_providers_of(&answers[2])?;
        Ok(Self {
            prompt: Document::first(&answers[0])?,
            has_file: answers[1].first().is_some(),
            active: active.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// The version that runs; `None` for a text.
    pub(super) fn version(&self, source: &Source) -> Result<Option<PromptVersion>, CreateError> {
        let Source::Prompt { id, version } = source else {
            return Ok(None);
        };
        let found = self.prompt.as_ref().ok_or_else(|| CreateError::PromptNotFound(id.clone()))?;
        let number = version.unwrap_or(found.data.current_version);
        let version = found.data.version(Some(number)).ok_or(CreateError::VersionNotFound(number))?;
        Ok(Some(version.clone()))
    }

    /// A file that is named must exist.
    pub(super) fn require_file(&self, id: Option<&str>) -> Result<(), CreateError> {
        match id {
            Some(id) if !self.has_file => Err(CreateError::FileNotFound(id.to_owned())),
            _ => Ok(()),
        }
    }

    /// The targets with their providers, all of which must have an active key.
    pub(super) fn configured(&self, targets: &[Target]) -> Result<Vec<(ProviderName, String)>, CreateError> {
        let known = targets.iter().map(|target| {
            let provider = self.active.iter().copied().find(|name| name.as_str() == target.provider);
            provider
                .map(|provider| (provider, target.model.clone()))
                .ok_or_else(|| CreateError::ProviderNotConfigured(target.provider.clone()))
        });
        known.collect()
    }
}

/// The document that all targets share.
pub(super) fn execution_of(new: &NewExecutions, version: Option<&PromptVersion>) -> Result<Execution, CreateError> {
    let (mut options, mut file_id) = (new.options.clone(), new.file_id.clone());
    if let Some(version) = version {
        if !version.accepts_files() {
            // The frontend keeps a file chosen for another prompt (decision E-19).
            file_id = None;
        } else if file_id.is_none() {
            return Err(CreateError::FileRequired);
        }
        if version.searches_web() {
            options.get_or_insert_with(|| json!({}))["webSearch"] = json!(true);
        }
    }
    let (prompt_id, prompt_text) = match &new.source {
        Source::Text(text) => (None, Some(text.clone())),
        Source::Prompt { id, .. } => (Some(id.clone()), None),
    };
    Ok(Execution {
        prompt_id,
        prompt_version: version.map(|version| version.version),
        prompt_text,
        user_input: new.user_input.clone(),
        // Replaced for each target.
        provider: ProviderName::Ollama,
        model: String::new(),
        origin: new.origin,
        trace_id: new.trace_id.clone(),
        file_id,
        options,
        webhook_destination_ids: (!new.webhook_destination_ids.is_empty()).then(|| new.webhook_destination_ids.clone()),
        test_data_group_id: None,
        test_data_item_id: None,
        starred: None,
        user_status: None,
        result: None,
        result_valid: None,
        result_validation_message: None,
        input_tokens_used: None,
        output_tokens_used: None,
        error_message: None,
        stop_reason: None,
        ignored_options: None,
        provider_call: None,
    })
}
