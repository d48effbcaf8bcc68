//! A file as a download (defects F-04 and F-07).

use axum::http::{HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared_core::files::FileContent;

/// What stands for itself in an RFC 5987 value.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Headers and bytes of the answer. Never shown in place, whatever the type; every answer forbids sniffing already.
pub(crate) fn attachment(file: FileContent) -> ([(HeaderName, HeaderValue); 4], Vec<u8>) {
    let plain = HeaderValue::from_static("application/octet-stream");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_str(&file.mime_type).unwrap_or(plain)),
        (header::CONTENT_LENGTH, HeaderValue::from(file.bytes.len())),
        (header::CONTENT_DISPOSITION, disposition(&file.original_name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, file.bytes)
}

/// An ASCII name for old clients, and the real one for all others.
pub fn disposition(name: &str) -> HeaderValue {
    let is_harmless = |letter: char| letter == ' ' || letter.is_ascii_graphic() && !"\"\\/%".contains(letter);
    let ascii: String = name.chars().map(|letter| if is_harmless(letter) { letter } else { '_' }).collect();
    let real = utf8_percent_encode(name, ESCAPED);
    HeaderValue::from_str(&format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{real}"))
        .expect("only visible ASCII is left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_and_cannot_break_out() {
        let of = |name: &str| disposition(name).to_str().unwrap().to_owned();
        assert_eq!(of("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(
            of("Übung €.pdf"),
            "attachment; filename=\"_bung _.pdf\"; filename*=UTF-8''%C3%9Cbung%20%E2%82%AC.pdf"
        );
        assert_eq!(
            of("a\"; x=\"\r\n../\\%41"),
            "attachment; filename=\"a_; x=___..___41\"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0A..%2F%5C%2541"
        );
    }
}
