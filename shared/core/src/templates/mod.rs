//! Prompt templates: Mustache without HTML escaping.
//!
//! The language is that of the Mustache specification's required modules, with the differences a prompt needs:
//! values are inserted as they are, objects and arrays print as JSON, and partials are always empty. Preview and
//! execution compile prompts here; `docs/decisions/0001-mustache-engine.md` says why this is our own code.

mod error;
mod parse;
mod render;
mod scan;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use error::TemplateError;

/// How deeply sections may be nested.
pub const MAX_DEPTH: usize = 100;

/// The longest text that a template prints, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 10 << 20;

/// How many steps printing may take: a part of the template, an item of a list, a context that is searched for a name.
pub const MAX_STEPS: usize = 2_000_000;

/// A parsed template, ready to be rendered any number of times.
#[derive(Debug, Clone)]
pub struct Template {
    nodes: Vec<parse::Node>,
}

impl Template {
    /// Parses a template, or says what is wrong with it and in which line.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let nodes = parse::tree(source)?;
        Ok(Self { nodes })
    }

    /// Fills the template with data; names that the data lacks print nothing.
    pub fn render(&self, data: &Value) -> Result<String, TemplateError> {
        render::render(&self.nodes, data)
    }
}

/// Parses a template and fills it with data.
pub fn render(template: &str, data: &Value) -> Result<String, TemplateError> {
    Template::parse(template)?.render(data)
}

/// Says whether a template can be parsed.
pub fn check(template: &str) -> Result<(), TemplateError> {
    Template::parse(template).map(drop)
}
