//! Lists of executions: which index serves which filter, and how a page is found without walking to it.
//!
//! Rows are wide, so a page is chosen in an index alone and its rows are opened afterwards. For each order there is an
//! index for all executions and one for each kind of filter, which *leads*; further filters are compared within it. What
//! is rare has an index for its pairs: what failed or is starred of one prompt, and what failed at one provider.

use super::{
    ExecutionStatus, ExecutionView,
    store::{VIEW, view_of},
};
use crate::{
    db::{Db, DbError, Statement, Value},
    documents::to_json,
    pagination::{Direction, Page, PageRequest, Stretch},
    params,
    provider_name::ProviderName,
};

/// Which executions a list shows; members combine with AND.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Only this status.
    pub status: Option<ExecutionStatus>,
    /// Only this provider.
    pub provider: Option<ProviderName>,
    /// Only runs of this prompt.
    pub prompt_id: Option<String>,
    /// Only starred ones, or only others; unset counts as not starred (defect E-13).
    pub starred: Option<bool>,
    /// Only these; an empty list shows nothing.
    pub ids: Option<Vec<String>>,
}

/// Sort keys of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExecutionOrder {
    /// By creation.
    #[default]
    Created,
    /// By last change.
    Updated,
    /// By start of the latest attempt.
    Started,
    /// By end.
    Completed,
}

impl ExecutionOrder {
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Created => "created_at",
            Self::Updated => "updated_at",
            Self::Started => "started_at",
            Self::Completed => "completed_at",
        }
    }
}

impl ExecutionFilter {
    /// What the indexes are named after that leave the fewest executions, as far as that can be known in advance; `None`
    /// when ids lead. Nearly everything is completed sooner or later, so any other status says more than a provider does.
    fn lead(&self) -> Option<&'static str> {
        use ExecutionStatus::{Completed, Failed};
        let Self { status, provider, prompt_id, starred, ids } = self;
        let (of_prompt, of_provider) = (prompt_id.is_some(), provider.is_some());
        Some(match (status, starred) {
            _ if ids.is_some() => return None,
            (_, Some(true)) if of_prompt => "starred_prompt_",
            (_, Some(true)) => "starred_",
            (Some(Failed), _) if of_prompt => "failed_prompt_",
            _ if of_prompt => "prompt_",
            (Some(Failed), _) if of_provider => "failed_provider_",
            (None | Some(Completed), _) if of_provider => "provider_",
            (Some(_), _) => "status_",
            (None, _) => "",
        })
    }

    /// The table with the index that serves this filter and order. Without its name the planner, which knows no sizes, might
    /// take another one.
    pub(super) fn source(&self, order: ExecutionOrder) -> String {
        match self.lead() {
            Some(lead) => format!("executions INDEXED BY executions_{lead}{}", order.column().trim_end_matches("_at")),
            None => "executions NOT INDEXED".to_owned(),
        }
    }

    /// The whole condition on executions, behind what has these parameters.
    pub(super) fn condition_after(&self, params: Vec<Value>) -> (String, Vec<Value>) {
        let (mut sql, mut params) = self.counted_by(params);
        if let Some(ids) = &self.ids {
            params.push(to_json(ids).into());
            let ids = format!("SELECT value FROM json_each(?{})", params.len());
            sql.push_str(&format!(" AND seq IN (SELECT seq FROM executions WHERE id IN ({ids}))"));
        }
        (sql, params)
    }

    /// The part of the condition that kept counters know as well. Column names are fixed text; so are status and star,
    /// because a partial index serves nothing else. Other values are parameters.
    fn counted_by(&self, mut params: Vec<Value>) -> (String, Vec<Value>) {
        let mut sql = "true".to_owned();
        for (column, value) in
            [("prompt_id", self.prompt_id.as_deref()), ("provider", self.provider.map(ProviderName::as_str))]
        {
            if let Some(value) = value {
                params.push(value.into());
                sql.push_str(&format!(" AND {column} = ?{}", params.len()));
            }
        }
        if let Some(status) = self.status {
            sql.push_str(&format!(" AND status = '{}'", status.as_str()));
        }
        if let Some(starred) = self.starred {
            sql.push_str(&format!(" AND starred = {}", u8::from(starred)));
        }
        (sql, params)
    }

    /// The number of matching executions: a sum of few kept counters unless ids are listed.
    fn count(&self) -> Statement {
        let (what, (sql, params)) = match self {
            Self { ids: Some(_), .. } => {
                ("count(*) AS n FROM executions NOT INDEXED", self.condition_after(Vec::new()))
            }
            Self { prompt_id: Some(_), .. } => {
                ("COALESCE(sum(n), 0) AS n FROM execution_counts", self.counted_by(Vec::new()))
            }
            _ => ("COALESCE(sum(n), 0) AS n FROM execution_totals", self.counted_by(Vec::new())),
        };
        Statement::new(format!("SELECT {what} WHERE {sql}"), params)
    }
}

/// One page of the matching executions.
pub async fn list(
    db: &Db,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    direction: Direction,
    page: PageRequest,
) -> Result<Page<ExecutionView>, DbError> {
    let (total, rows) = page.read(db, filter.count(), |stretch| select(filter, order, direction, stretch)).await?;
    Ok(Page::new(rows.iter().map(view_of).collect::<Result<_, _>>()?, total, page))
}

/// A stretch of the list.
fn select(filter: &ExecutionFilter, order: ExecutionOrder, direction: Direction, stretch: Stretch) -> Statement {
    let (condition, mut params) = filter.condition_after(Vec::new());
    let (limit, offset) = (params.len() + 1, params.len() + 2);
    params.extend(params![stretch.limit, stretch.offset]);
    let inner = ordering(order, stretch.direction(direction), "");
    let (source, outer) = (filter.source(order), ordering(order, direction, "e."));
    let sql = format!(
        "SELECT {VIEW}
        WHERE e.seq IN (SELECT seq FROM {source} WHERE {condition} ORDER BY {inner} LIMIT +?{limit} OFFSET ?{offset})
        ORDER BY {outer}"
    );
    Statement::new(sql, params)
}

pub(super) fn ordering(order: ExecutionOrder, direction: Direction, prefix: &str) -> String {
    let (column, direction) = (order.column(), direction.sql());
    format!("{prefix}{column} {direction}, {prefix}seq {direction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_that_leaves_the_fewest_leads() {
        use ExecutionStatus::{Completed, Failed, Pending};
        let source = |status, provider, prompt, starred| {
            let filter = ExecutionFilter { status, provider, prompt_id: prompt, starred, ids: None };
            let source = filter.source(ExecutionOrder::Updated);
            source.trim_start_matches("executions INDEXED BY executions_").to_owned()
        };
        let (provider, prompt) = (Some(ProviderName::Ollama), Some("x".to_owned()));
        assert_eq!(source(None, None, None, None), "updated");
        assert_eq!(source(None, None, None, Some(false)), "updated");
        assert_eq!(source(Some(Completed), None, None, None), "status_updated");
        assert_eq!(source(Some(Completed), provider, None, None), "provider_updated");
        assert_eq!(source(None, provider, None, None), "provider_updated");
        assert_eq!(source(Some(Pending), provider, None, None), "status_updated");
        assert_eq!(source(Some(Failed), None, None, None), "status_updated");
        assert_eq!(source(Some(Failed), provider, None, None), "failed_provider_updated");
        assert_eq!(source(Some(Failed), provider, prompt.clone(), None), "failed_prompt_updated");
        assert_eq!(source(Some(Completed), provider, prompt.clone(), None), "prompt_updated");
        assert_eq!(source(Some(Failed), provider, None, Some(true)), "starred_updated");
        assert_eq!(source(Some(Failed), None, prompt, Some(true)), "starred_prompt_updated");
        let listed = ExecutionFilter { ids: Some(vec![]), ..Default::default() };
        assert_eq!(listed.source(ExecutionOrder::Created), "executions NOT INDEXED");
    }
}
