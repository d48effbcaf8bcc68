//! What can be wrong with a template.

use super::{MAX_DEPTH, MAX_OUTPUT_BYTES, MAX_STEPS};

/// Why a template cannot be parsed or filled; the text is meant for the template's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A tag starts and the template ends before its closing delimiter.
    #[error("line {line}: this tag is never closed")]
    UnclosedTag {
        /// Where the tag starts.
        line: usize,
    },

    /// A section starts and the template ends before its closing tag.
    #[error("line {line}: section \"{name}\" is never closed")]
    UnclosedSection {
        /// Where the section starts.
        line: usize,
        /// The section's name.
        name: String,
    },

    /// A closing tag stands where no section is open.
    #[error("line {line}: section \"{name}\" is closed here but was never opened")]
    UnopenedSection {
        /// Where the closing tag stands.
        line: usize,
        /// The name in the closing tag.
        name: String,
    },

    /// A closing tag names another section than the one that was opened last.
    #[error("line {line}: section \"{name}\" is closed here, but \"{open}\" from line {open_line} is still open")]
    CrossedSections {
        /// Where the closing tag stands.
        line: usize,
        /// The name in the closing tag.
        name: String,
        /// The section that has to be closed first.
        open: String,
        /// Where that section starts.
        open_line: usize,
    },

    /// A delimiter change does not hold two delimiters.
    #[error("line {line}: a delimiter change needs two delimiters, as in {{{{=<% %>=}}}}")]
    BadDelimiters {
        /// Where the tag starts.
        line: usize,
    },

    /// Sections stand inside each other too many times.
    #[error("line {line}: sections are nested more than {MAX_DEPTH} deep")]
    TooDeep {
        /// Where the first section beyond the limit starts.
        line: usize,
    },

    /// With this data, the sections repeat beyond all measure.
    #[error("filled with this input it prints more than {MAX_OUTPUT_BYTES} bytes or takes more than {MAX_STEPS} steps")]
    Endless,
}

/// The line, counted from one, that holds the byte at `offset`.
pub(super) fn line_of(source: &str, offset: usize) -> usize {
    let newlines = source.bytes().take(offset).filter(|byte| *byte == b'\n');
    newlines.count() + 1
}

/// A name short enough to be shown in a message.
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
