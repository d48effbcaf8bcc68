//! Builds the tree of a template from its tokens.

use super::{
    MAX_DEPTH,
    error::{TemplateError, line_of, shown},
    scan::{self, Token},
};

/// A part of a template.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Text that is printed as it stands.
    Text(String),
    /// A value to print.
    Value(Name),
    /// A part that is printed once, several times or not at all.
    Section { name: Name, inverted: bool, body: Vec<Node> },
}

/// What a tag refers to.
#[derive(Debug, Clone)]
pub(super) enum Name {
    /// A single dot: the innermost value.
    Current,
    /// A name, and the names to follow inside what it stands for.
    Path { first: String, rest: Vec<String> },
}

impl Name {
    fn parse(text: &str) -> Self {
        if text == "." {
            return Self::Current;
        }
        let mut parts = text.split('.').map(str::to_owned);
        Self::Path { first: parts.next().unwrap_or_default(), rest: parts.collect() }
    }
}

/// A section whose closing tag has not come yet.
struct Pending<'t> {
    name: &'t str,
    inverted: bool,
    at: usize,
    /// What stands before the section, on its own level.
    before: Vec<Node>,
}

/// Parses a template.
pub(super) fn tree(source: &str) -> Result<Vec<Node>, TemplateError> {
    let mut pending: Vec<Pending<'_>> = Vec::new();
    let mut nodes = Vec::new();
    for token in scan::tokens(source)? {
        match token {
            Token::Text(text) => append_text(&mut nodes, text),
            Token::Value(name) => nodes.push(Node::Value(Name::parse(name))),
            Token::Open { at, .. } if pending.len() == MAX_DEPTH => {
                return Err(TemplateError::TooDeep { line: line_of(source, at) });
            }
            Token::Open { name, inverted, at } => {
                let before = std::mem::take(&mut nodes);
                pending.push(Pending { name, inverted, at, before });
            }
            Token::Close { name, at } => {
                let Some(section) = pending.pop() else {
                    return Err(TemplateError::UnopenedSection { line: line_of(source, at), name: shown(name) });
                };
                if section.name != name {
                    return Err(TemplateError::CrossedSections {
                        line: line_of(source, at),
                        name: shown(name),
                        open: shown(section.name),
                        open_line: line_of(source, section.at),
                    });
                }
                let body = std::mem::replace(&mut nodes, section.before);
                nodes.push(Node::Section { name: Name::parse(name), inverted: section.inverted, body });
            }
        }
    }
    match pending.pop() {
        None => Ok(nodes),
        Some(open) => Err(TemplateError::UnclosedSection { line: line_of(source, open.at), name: shown(open.name) }),
    }
}

fn append_text(nodes: &mut Vec<Node>, text: &str) {
    match nodes.last_mut() {
        Some(Node::Text(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => nodes.push(Node::Text(text.to_owned())),
    }
}
