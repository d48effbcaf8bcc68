//! Lists of executions: which index serves which filter, and how a page is found without walking to it.
//!
//! Rows are wide, so a page is chosen in an index alone and its rows are opened afterwards. For each order there is an
//! index for all executions and one for each kind of filter, which *leads*; further filters are compared within it.

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

/// What leads into the index: the filter that leaves the fewest executions, as far as that can be known in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    Ids,
    Starred,
    Prompt,
    Status,
    Provider,
    /// Nothing does; the index has all executions in their order.
    Order,
}

impl ExecutionFilter {
    /// Nearly everything is completed sooner or later, so any other status says more than a provider does.
    fn lead(&self) -> Lead {
        match self {
            Self { ids: Some(_), .. } => Lead::Ids,
            Self { starred: Some(true), .. } => Lead::Starred,
            Self { prompt_id: Some(_), .. } => Lead::Prompt,
            Self { status: Some(status), .. } if *status != ExecutionStatus::Completed => Lead::Status,
            Self { provider: Some(_), .. } => Lead::Provider,
            Self { status: Some(_), .. } => Lead::Status,
            _ => Lead::Order,
        }
    }

    /// The whole condition, on `executions`.
    fn condition(&self) -> Condition {
        self.condition_after(Vec::new())
    }

    /// The same behind another condition, whose parameters come first.
    pub(super) fn condition_after(&self, params: Vec<Value>) -> Condition {
        let mut condition = Condition { params, lead: Some(self.lead()), ..Condition::everything() };
        condition.and_these(self);
        if let Some(ids) = &self.ids {
            condition.params.push(to_json(ids).into());
            condition.sql.push_str(&format!(" AND id IN (SELECT value FROM json_each(?{}))", condition.params.len()));
        }
        condition
    }

    /// The number of matching executions: a sum of few kept counters unless ids are listed.
    fn count(&self) -> Statement {
        let mut kept = Condition::everything();
        kept.and_these(self);
        let (what, Condition { sql, params, .. }) = match self {
            Self { ids: Some(_), .. } => ("count(*) AS n FROM executions", self.condition()),
            Self { prompt_id: Some(_), .. } => ("COALESCE(sum(n), 0) AS n FROM execution_counts", kept),
            _ => ("COALESCE(sum(n), 0) AS n FROM execution_totals", kept),
        };
        Statement::new(format!("SELECT {what} WHERE {sql}"), params)
    }
}

/// The condition of a filter, with only the parts that are asked for. Column names are fixed text; values are parameters.
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
    /// Set when others than the leading column must not draw the planner, which knows no sizes, to their index.
    lead: Option<Lead>,
}

impl Condition {
    fn everything() -> Self {
        Self { sql: "true".to_owned(), params: Vec::new(), lead: None }
    }

    fn and_these(&mut self, filter: &ExecutionFilter) {
        self.and_equal("prompt_id", Lead::Prompt, filter.prompt_id.as_deref());
        self.and_equal("provider", Lead::Provider, filter.provider.map(ProviderName::as_str));
        self.and_equal("status", Lead::Status, filter.status.map(ExecutionStatus::as_str));
        if let Some(starred) = filter.starred {
            // As a literal: a partial index serves nothing else.
            let (plus, value) = (self.plus_unless(Lead::Starred), u8::from(starred));
            self.sql.push_str(&format!(" AND {plus}starred = {value}"));
        }
    }

    /// A plus keeps the planner from looking for an index on a column.
    fn plus_unless(&self, own: Lead) -> &'static str {
        if self.lead.is_some_and(|lead| lead != own) { "+" } else { "" }
    }

    fn and_equal(&mut self, column: &'static str, own: Lead, value: Option<&str>) {
        if let Some(value) = value {
            let plus = self.plus_unless(own);
            self.params.push(value.into());
            self.sql.push_str(&format!(" AND {plus}{column} = ?{}", self.params.len()));
        }
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
    let select = |stretch: Stretch| {
        let Condition { sql, params, .. } = rows_of(filter, order, direction, stretch);
        Statement::new(format!("SELECT {VIEW} {sql}"), params)
    };
    let (total, rows) = page.read(db, filter.count(), select).await?;
    Ok(Page::new(rows.iter().map(view_of).collect::<Result<_, _>>()?, total, page))
}

/// What follows [`VIEW`] for a stretch of the list.
fn rows_of(filter: &ExecutionFilter, order: ExecutionOrder, direction: Direction, stretch: Stretch) -> Condition {
    let Condition { sql, mut params, lead } = filter.condition();
    let (limit, offset) = (params.len() + 1, params.len() + 2);
    params.extend(params![stretch.limit, stretch.offset]);
    let inner = ordering(order, stretch.direction(direction), "");
    let outer = ordering(order, direction, "e.");
    let sql = format!(
        "WHERE e.seq IN (SELECT seq FROM executions WHERE {sql} ORDER BY {inner} LIMIT ?{limit} OFFSET ?{offset})
        ORDER BY {outer}"
    );
    Condition { sql, params, lead }
}

pub(super) fn ordering(order: ExecutionOrder, direction: Direction, prefix: &str) -> String {
    let (column, direction) = (order.column(), direction.sql());
    format!("{prefix}{column} {direction}, {prefix}seq {direction}")
}
