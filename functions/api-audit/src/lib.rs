//! `/api/v1/audit`: who changed what, for admins.

mod export;
mod wire;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use shared_core::audit;
use shared_http::{ApiResult, App, Data, OpenApiRouter, PageOf, Query, page_request, routes};

use wire::{AuditEntryResponse, Format, ListAuditQuery};

/// The routes of this function.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list_audit_entries)).with_state(app)
}

/// `GET /api/v1/audit`: one page of the audit log, or up to 5,000 matching entries as lines of JSON.
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "listAuditEntries", tag = "audit", params(ListAuditQuery),
    responses((
        status = 200, description = "A page, or an attachment with an entry per line when format is ndjson.",
        headers(("Content-Disposition" = String, description = "With ndjson only.")),
        content((Data<PageOf<AuditEntryResponse>> = "application/json"), (String = "application/x-ndjson"))
    ))
)]
async fn list_audit_entries(State(app): State<App>, Query(query): Query<ListAuditQuery>) -> ApiResult<Response> {
    let (format, direction) = (query.format, query.order_direction.into());
    let page = page_request(query.page, query.limit);
    let filter = query.into_filter();
    if format == Format::Ndjson {
        return Ok(export::lines(app.db, filter, direction));
    }
    let page = audit::list(&app.db, &filter, direction, page).await?;
    let data: PageOf<AuditEntryResponse> = page.map(Into::into).into();
    Ok(Data { data }.into_response())
}
