//! The CSV export (contract 9.7, defect E-14): read piece by piece, never the whole table in memory.
//!
//! Lambda takes an answer of six megabytes, so a larger export comes in parts that make the whole when put together. A
//! caller who does not ask for parts is told when there would be several, and never gets a file that lacks its end.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared_core::{
    Db,
    executions::{self, ExecutionFilter, ExecutionOrder, ExportPlace, ExportedExecution},
    pagination::Direction,
};
use shared_http::{ApiError, ApiResult};

const HEADER: &str = "id,prompt_id,prompt_version,prompt_text,model,prompt_name,prompt_value,user_input,status,\
    result_valid,result";
/// What one answer holds, counted as the answer travels: within JSON. Lambda takes six megabytes; half of that is copied a
/// few times on its way out, which is most of the memory that an export needs.
const PART_BYTES: usize = 3 * 1024 * 1024;
/// About how much is read at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Rows of the first piece, when nobody knows yet how large they are, and most rows of any.
const ROWS: (u32, u32) = (20, 200);
/// Where the next part begins.
const NEXT: HeaderName = HeaderName::from_static("x-next-csv-cursor");

/// What of an export is wanted.
pub(crate) enum Extent {
    /// All of it, or a refusal.
    Whole,
    /// The part behind a place, or the first one.
    Part(Option<ExportPlace>),
}

impl Extent {
    /// What the parameter `csvCursor` asks for; `None` when it is no cursor.
    pub(crate) fn of_cursor(cursor: Option<&str>) -> Option<Self> {
        match cursor {
            None => Some(Self::Whole),
            Some("") => Some(Self::Part(None)),
            Some(cursor) => ExportPlace::parse(cursor).map(|place| Self::Part(Some(place))),
        }
    }
}

/// Matching executions as an attachment.
pub(crate) async fn export(
    db: &Db,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    direction: Direction,
    extent: Extent,
) -> ApiResult<Response> {
    let (is_whole, after) = match extent {
        Extent::Whole => (true, None),
        Extent::Part(after) => (false, after),
    };
    let part = Part::read(db, filter, order, direction, after).await?;
    if is_whole && part.next.is_some() {
        return Err(too_large());
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"executions.csv\""),
    ];
    let mut response = (headers, part.text).into_response();
    if let Some(next) = part.next.and_then(|place| HeaderValue::from_str(&place.to_string()).ok()) {
        response.headers_mut().insert(NEXT, next);
    }
    Ok(response)
}

fn too_large() -> ApiError {
    let message = "more executions match than one answer can hold; narrow the filter down, or fetch the export in parts: \
        csvCursor is empty for the first, and for each further one what the header X-Next-Csv-Cursor of the one before says";
    ApiError::refused(StatusCode::BAD_REQUEST, "Export too large", message)
}

/// A part of an export.
struct Part {
    text: String,
    /// Where the next one begins, if there is one.
    next: Option<ExportPlace>,
}

impl Part {
    async fn read(
        db: &Db,
        filter: &ExecutionFilter,
        order: ExecutionOrder,
        direction: Direction,
        mut after: Option<ExportPlace>,
    ) -> ApiResult<Self> {
        let mut text = if after.is_none() { HEADER.to_owned() } else { String::new() };
        let (mut rows, mut bytes, mut count) = (ROWS.0, 0, 0);
        loop {
            let piece = executions::export(db, filter, order, direction, after.as_ref(), rows).await?;
            let is_last = piece.len() < rows as usize;
            for row in piece {
                let line = line(&row);
                let size = size_in_json(&line);
                // A row that fills a part by itself is not left out.
                if count > 0 && bytes + size > PART_BYTES {
                    return Ok(Self { text, next: after });
                }
                text.push_str(&line);
                (bytes, count, after) = (bytes + size, count + 1, Some(row.place));
            }
            if is_last {
                return Ok(Self { text, next: None });
            }
            let fitting = PIECE_BYTES * count / bytes.max(1);
            rows = u32::try_from(fitting).unwrap_or(ROWS.1).clamp(1, ROWS.1);
        }
    }
}

/// How long a text is as part of a JSON text.
fn size_in_json(text: &str) -> usize {
    let size = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(size).sum()
}

/// One row after a line end, so that the last row has none behind it.
fn line(row: &ExportedExecution) -> String {
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
    fn sizes_are_those_of_json() {
        for text in ["plain", "say \"hi\"\nthere\t\\", "\u{1}ümlaut\u{7f}"] {
            assert_eq!(size_in_json(text), serde_json::to_string(text).unwrap().len() - 2, "{text:?}");
        }
    }

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
