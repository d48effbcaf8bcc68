//! `infra/template.yaml` as plain data: what to run, what to route where, which queues feed whom.
//!
//! Everything in this crate derives from here, so that a function, route, queue or schedule that
//! is added to the template exists locally without another line of code.

mod read;
mod routes;

pub use routes::{Route, RouteMatch};

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, Result};

/// Path of the template below the workspace root.
pub const TEMPLATE_PATH: &str = "infra/template.yaml";

/// The parts of the template that can run locally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Every function, ordered by name.
    pub functions: Vec<Function>,
    /// Every HTTP route, most specific first and `$default` last.
    pub routes: Vec<Route>,
    /// Every queue; a dead-letter queue stands before the queues that use it.
    pub queues: Vec<Queue>,
    /// Which queue calls which function.
    pub mappings: Vec<QueueMapping>,
    /// Which function the clock calls.
    pub schedules: Vec<Schedule>,
}

/// One deployed function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Name of the binary, which is also the name of its crate.
    pub name: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// Memory in MB. Nothing enforces it locally; a context reports it to the function.
    pub memory_mb: u32,
    /// Environment variables by name.
    pub environment: BTreeMap<String, EnvValue>,
}

/// Where the value of an environment variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// The text stands in the template.
    Literal(String),
    /// The URL of the queue with this name.
    QueueUrl(String),
    /// A template parameter, with its default if it has one.
    Parameter {
        /// The parameter's name.
        name: String,
        /// The parameter's default.
        default: Option<String>,
    },
    /// Only CloudFormation can tell, for example what a secret holds.
    Cloud,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The logical id in the template, which is also the local queue's name.
    pub name: String,
    /// How long a received message stays hidden.
    pub visibility_timeout: Duration,
    /// Where messages go that nobody could handle.
    pub dead_letter: Option<DeadLetter>,
}

/// A queue's redrive policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Name of the dead-letter queue.
    pub queue: String,
    /// Receives after which a message moves there.
    pub max_receive_count: u32,
}

/// One event source mapping of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMapping {
    /// Name of the queue.
    pub queue: String,
    /// Name of the function.
    pub function: String,
    /// Most messages in one call.
    pub batch_size: u32,
    /// Most calls at once.
    pub max_concurrency: u32,
    /// Whether the function's answer names the messages that failed; if not, a call that ends
    /// without an error has handled all of them.
    pub reports_item_failures: bool,
}

/// One schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Name of the event in the template.
    pub name: String,
    /// Name of the function.
    pub function: String,
    /// Time between two calls.
    pub every: Duration,
}

impl Template {
    /// Reads the template of the workspace at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        let path = root.join(TEMPLATE_PATH);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} does not fit", path.display()))
    }

    /// Reads a template from its text.
    pub fn parse(text: &str) -> Result<Self> {
        read::parse(text)
    }

    /// The function with this name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The route that serves a request, with the values of its path parameters.
    ///
    /// `raw_path` is the path as it stands in the request line, without the query string.
    pub fn route(&self, method: &str, raw_path: &str) -> Option<RouteMatch<'_>> {
        self.routes.iter().find_map(|route| route.matches(method, raw_path))
    }
}

#[cfg(test)]
mod tests;
