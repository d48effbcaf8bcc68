//! Splits a template into text and tags, and takes away the lines that hold nothing but tags.

use super::error::{TemplateError, line_of};

/// A piece of a template; comments, partials and delimiter changes leave none behind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'t> {
    /// Text that is printed as it stands.
    Text(&'t str),
    /// A tag that prints a value.
    Value(&'t str),
    /// A tag that opens a section.
    Open { name: &'t str, inverted: bool, at: usize },
    /// A tag that closes a section.
    Close { name: &'t str, at: usize },
}

/// Reads the whole template once, from front to back.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut scanner =
        Scanner { source, cursor: 0, open: "{{", close: "}}", tokens: Vec::new(), line: Line::starting_at(0) };
    while let Some(found) = source[scanner.cursor..].find(scanner.open) {
        let tag = scanner.cursor + found;
        scanner.text(&source[scanner.cursor..tag]);
        scanner.tag(tag)?;
    }
    scanner.text(&source[scanner.cursor..]);
    scanner.end_line();
    Ok(scanner.tokens)
}

/// What is known so far about the line being read.
struct Line {
    first_token: usize,
    has_tag: bool,
    is_blank: bool,
}

impl Line {
    fn starting_at(first_token: usize) -> Self {
        Self { first_token, has_tag: false, is_blank: true }
    }
}

struct Scanner<'t> {
    source: &'t str,
    cursor: usize,
    open: &'t str,
    close: &'t str,
    tokens: Vec<Token<'t>>,
    line: Line,
}

impl<'t> Scanner<'t> {
    /// Takes the text between two tags: the end of one line, whole lines, the start of another.
    fn text(&mut self, text: &'t str) {
        let (Some(first), Some(last)) = (text.find('\n'), text.rfind('\n')) else {
            self.part_of_line(text);
            return;
        };
        self.part_of_line(&text[..=first]);
        self.end_line();
        if first < last {
            self.tokens.push(Token::Text(&text[first + 1..=last]));
            self.end_line();
        }
        self.part_of_line(&text[last + 1..]);
    }

    fn part_of_line(&mut self, text: &'t str) {
        if text.is_empty() {
            return;
        }
        self.line.is_blank &= text.trim().is_empty();
        self.tokens.push(Token::Text(text));
    }

    /// A line of tags and blanks vanishes, its line break included.
    fn end_line(&mut self) {
        if self.line.has_tag && self.line.is_blank {
            let of_line = &mut self.tokens[self.line.first_token..];
            for token in of_line {
                if let Token::Text(text) = token {
                    *text = "";
                }
            }
        }
        self.line = Line::starting_at(self.tokens.len());
    }

    fn tag(&mut self, at: usize) -> Result<(), TemplateError> {
        let source = self.source;
        let inside = source[at + self.open.len()..].trim_start();
        let sigil = inside.chars().next().filter(|sigil| "!#^/>&={".contains(*sigil));
        let inside = &inside[sigil.map_or(0, char::len_utf8)..];
        let triple = format!("}}{}", self.close);
        let close = if sigil == Some('{') { &triple } else { self.close };

        let Some(length) = inside.find(close) else {
            return Err(TemplateError::UnclosedTag { line: line_of(source, at) });
        };
        let name = inside[..length].trim();
        self.cursor = source.len() - inside.len() + length + close.len();
        self.line.has_tag = true;

        match sigil {
            Some('!' | '>') => {}
            Some('=') => self.change_delimiters(name, at)?,
            Some('#') => self.tokens.push(Token::Open { name, inverted: false, at }),
            Some('^') => self.tokens.push(Token::Open { name, inverted: true, at }),
            Some('/') => self.tokens.push(Token::Close { name, at }),
            _ => {
                self.line.is_blank = false;
                self.tokens.push(Token::Value(name));
            }
        }
        Ok(())
    }

    fn change_delimiters(&mut self, content: &'t str, at: usize) -> Result<(), TemplateError> {
        let mut words = content.strip_suffix('=').unwrap_or_default().split_whitespace();
        let (Some(open), Some(close), None) = (words.next(), words.next(), words.next()) else {
            return Err(TemplateError::BadDelimiters { line: line_of(self.source, at) });
        };
        (self.open, self.close) = (open, close);
        Ok(())
    }
}
