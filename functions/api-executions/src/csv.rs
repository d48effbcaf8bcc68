//! The CSV export (contract 9.7, defect E-14): read in pages and streamed, never the whole table in memory.

use axum::{body::Body, http::header, response::IntoResponse, response::Response};
use futures::stream;
use shared_core::{
    Db,
    db::DbError,
    executions::{CsvRow, ExecutionFilter, ExecutionOrder, csv_rows},
    pagination::{Direction, PageRequest},
};

const HEADER: &str = "id,prompt_id,prompt_version,prompt_text,model,prompt_name,prompt_value,user_input,status,\
    result_valid,result";
/// Rows that are read at once.
const CHUNK: u32 = 200;

/// All matching executions as an attachment.
pub(crate) fn export(db: Db, filter: ExecutionFilter, order: ExecutionOrder, direction: Direction) -> Response {
    let chunks = stream::try_unfold(Some(0), move |page| {
        let (db, filter) = (db.clone(), filter.clone());
        async move {
            match page {
                None => Ok::<_, DbError>(None),
                Some(0) => Ok(Some((HEADER.to_owned(), Some(1)))),
                Some(page) => {
                    let request = PageRequest { page, limit: CHUNK };
                    let rows = csv_rows(&db, &filter, order, direction, request).await?;
                    let text: String = rows.iter().map(line).collect();
                    let is_last = rows.len() < CHUNK as usize;
                    Ok(Some((text, (!is_last).then_some(page + 1))))
                }
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"executions.csv\""),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// One row after a line end, so that the last row has none behind it.
fn line(row: &CsvRow) -> String {
    let (view, data) = (&row.view, &row.view.data);
    let number = data.prompt_version.map(|version| version.to_string());
    let is_valid = data.result_valid.map(|is_valid| is_valid.to_string());
    let cells = [
        Some(view.id.as_str()),
        data.prompt_id.as_deref(),
        number.as_deref(),
        data.prompt_text.as_deref(),
        Some(data.model.as_str()),
        view.prompt.as_ref().map(|prompt| prompt.name.as_str()),
        row.prompt_value.as_deref(),
        Some(data.user_input.as_str()),
        Some(view.status.as_str()),
        is_valid.as_deref(),
        data.result.as_deref(),
    ];
    format!("\n{}", cells.map(|text| cell(text.unwrap_or_default())).join(","))
}

/// A quoted cell. What a spreadsheet would run as a formula is made text by a leading apostrophe.
pub fn cell(text: &str) -> String {
    // Some spreadsheets overlook blanks and control characters at the start.
    let shown = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter.is_control());
    let is_formula = shown.starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_harmless() {
        assert_eq!(cell("plain"), "\"plain\"");
        assert_eq!(cell("say \"hi\"\nthere"), "\"say \"\"hi\"\"\nthere\"");
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@x"), "\"'@x\"");
        assert_eq!(cell(" \u{b}-1"), "\"' \u{b}-1\"");
        assert_eq!(cell("\nx"), "\"'\nx\"");
        assert_eq!(cell(""), "\"\"");
    }
}
