//! Running a prompt over every item of a test data group (contract 9.1): everything is checked first, then all
//! executions and their bundle are written, or nothing (defect E-05).

use super::{
    Execution,
    create::{CreateError, CreatedExecutions, Known, NewExecutions, Source, execution_of, requested},
    store,
};
use crate::{
    audit::{self, Action},
    db::{Db, DbError},
    execution_bundles::{self, ExecutionBundle},
    ids,
    instant::Timestamp,
    prompts::{InputCheck, PromptVersion},
    test_data::{self, RunItem},
};

/// Runs of people go first: a lower number is served earlier. Among group runs prompts take turns.
const PRIORITY: i64 = 10;
/// How many executions one request may make.
const MOST_EXECUTIONS: usize = 10_000;
/// How often the run is tried when the group changes in between.
const TRIES: u32 = 5;

/// Records one execution per target and item as pending: target by target, each with the newest item first. The input
/// of `new` does not matter, the items take its place.
pub async fn create_group_run(
    db: &Db,
    group_id: &str,
    new: NewExecutions,
    now: Timestamp,
) -> Result<CreatedExecutions, CreateError> {
    let Source::Prompt { id: prompt_id, .. } = &new.source else {
        return Err(CreateError::GroupNeedsPrompt);
    };
    let known = Known::read(db, &new).await?;
    let version = known.version(&new.source)?.ok_or(CreateError::GroupNeedsPrompt)?;
    test_data::find_group(db, group_id).await?.ok_or_else(|| CreateError::GroupNotFound(group_id.to_owned()))?;
    known.require_file(new.file_id.as_deref())?;
    let targets = known.configured(&new.targets)?;
    let template = Execution { test_data_group_id: Some(group_id.to_owned()), ..execution_of(&new, Some(&version))? };
    let templates: Vec<Execution> =
        targets.into_iter().map(|(provider, model)| Execution { provider, model, ..template.clone() }).collect();

    for _ in 0..TRIES {
        let items = fitting_items(db, group_id, &version, templates.len()).await?;
        let run = Run { group_id, prompt_id, items: &items, templates: &templates };
        match run.record(db, now).await {
            Ok(created) => return Ok(created),
            Err(DbError::Guard) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CreateError::GroupStale)
}

/// The items of the group, all of which fit the version.
async fn fitting_items(
    db: &Db,
    group_id: &str,
    version: &PromptVersion,
    targets: usize,
) -> Result<Vec<RunItem>, CreateError> {
    let most = MOST_EXECUTIONS / targets.max(1);
    let limit = u32::try_from(most + 1).unwrap_or(u32::MAX);
    let schema = version.json_schema_input.as_ref();
    let items = test_data::list_run_items(db, group_id, schema.is_some(), limit).await?;
    if items.is_empty() {
        return Err(CreateError::GroupEmpty);
    }
    if items.len() > most {
        return Err(CreateError::TooMany(MOST_EXECUTIONS));
    }
    if let Some(schema) = schema {
        let check = InputCheck::new(schema)?;
        for item in &items {
            check.check(item.content.as_deref().unwrap_or_default()).map_err(|source| CreateError::Item {
                id: item.id.clone(),
                name: item.name.clone().unwrap_or_default(),
                source,
            })?;
        }
    }
    Ok(items)
}

/// A group run that passed every check.
struct Run<'a> {
    group_id: &'a str,
    prompt_id: &'a str,
    items: &'a [RunItem],
    /// One per target.
    templates: &'a [Execution],
}

impl Run<'_> {
    /// Writes all executions and the bundle at once; fails with [`DbError::Guard`] when an item changed meanwhile.
    async fn record(&self, db: &Db, now: Timestamp) -> Result<CreatedExecutions, DbError> {
        let mut writes = vec![test_data::unchanged_items(self.group_id, self.items)];
        let mut execution_ids = Vec::with_capacity(self.items.len() * self.templates.len());
        for template in self.templates {
            let ids: Vec<String> = self.items.iter().map(|_| ids::new_id()).collect();
            let pairs: Vec<(&str, &str)> =
                ids.iter().zip(self.items).map(|(id, item)| (id.as_str(), item.id.as_str())).collect();
            writes.push(store::insert_for_items(&pairs, template, PRIORITY, now));
            execution_ids.extend(ids);
        }
        let bundle = ExecutionBundle {
            test_group_id: self.group_id.to_owned(),
            prompt_id: self.prompt_id.to_owned(),
            execution_ids,
        };
        let bundle_id = ids::new_id();
        writes.push(execution_bundles::insert(&bundle_id, &bundle, now));
        let ids = bundle.execution_ids;
        let providers = self.templates.iter().map(|template| template.provider).collect();
        if let Some(template) = self.templates.first() {
            let view = requested(template, ids.len(), &providers);
            writes.push(audit::entry(Action::ExecutionBundleCreated).on(&bundle_id).after(view).record());
        }
        db.write(writes).await?;
        Ok(CreatedExecutions { ids, providers })
    }
}
