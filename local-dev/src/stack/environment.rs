//! Which environment variables a function gets.
//!
//! The template says which variables exist; here they get their local values. What the caller
//! gives comes on top, for every function.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    sqs::{CREDENTIAL, QueueServer, REGION},
    template::{EnvValue, Function},
};

/// Variables that only make sense in the cloud.
const NOT_LOCAL: [&str; 1] = ["DATABASE_AUTH_TOKEN"];

/// Names that `cargo dev` hands on from the user's own environment, so that for instance
/// `OLLAMA_BASE_URL=… cargo dev` works. Where the data lives is not among them: a forgotten
/// variable must not lead a development system to a real database.
fn is_handed_on(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "RUST_LOG",
        "RUST_BACKTRACE",
        "TOKEN_MAX_AGE_DAYS",
        "PROVIDER_TIMEOUT_MS",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    NAMES.contains(&name) || name.ends_with("_BASE_URL") || name.starts_with("EXECUTION_")
}

/// The variables of our own process that functions are to see.
///
/// The one place in this crate that reads the environment: it copies, and interprets nothing.
pub(super) fn inherited() -> BTreeMap<String, String> {
    let text =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut variables: BTreeMap<String, String> = text.filter(|(name, _)| is_handed_on(name)).collect();
    // A proxy for the outside must not swallow calls to servers on this machine.
    for (proxies, exceptions) in
        [(["HTTP_PROXY", "HTTPS_PROXY"], "NO_PROXY"), (["http_proxy", "https_proxy"], "no_proxy")]
    {
        if proxies.iter().any(|name| variables.contains_key(*name)) {
            let list = variables.entry(exceptions.to_owned()).or_default();
            *list = format!("{list},127.0.0.1,localhost").trim_start_matches(',').to_owned();
        }
    }
    variables
}

/// Local values by variable name.
pub(super) struct LocalValues<'a> {
    pub(super) database: &'a Path,
    pub(super) secrets: &'a BTreeMap<String, String>,
    pub(super) queues: &'a QueueServer,
    /// What the caller gives; wins over everything else.
    pub(super) given: &'a BTreeMap<String, String>,
}

impl LocalValues<'_> {
    /// The environment of one function.
    pub(super) fn environment(&self, function: &Function) -> Result<BTreeMap<String, String>> {
        let mut environment = BTreeMap::from(
            [
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", CREDENTIAL),
                ("AWS_SECRET_ACCESS_KEY", CREDENTIAL),
                ("AWS_ENDPOINT_URL_SQS", &self.queues.endpoint()),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        for (name, value) in &function.environment {
            let value = self.value(name, value).with_context(|| format!("{}: {name}", function.name))?;
            environment.extend(value.map(|value| (name.clone(), value)));
        }
        environment.extend(self.given.clone());
        Ok(environment)
    }

    fn value(&self, name: &str, value: &EnvValue) -> Result<Option<String>> {
        if NOT_LOCAL.contains(&name) || self.given.contains_key(name) {
            return Ok(None);
        }
        if name == "DATABASE_URL" {
            return Ok(Some(format!("file:{}", self.database.display())));
        }
        if let Some(secret) = self.secrets.get(name) {
            return Ok(Some(secret.clone()));
        }
        match value {
            EnvValue::Literal(text) => Ok(Some(text.clone())),
            EnvValue::QueueUrl(queue) => {
                let url = self.queues.queue_url(queue).context("the template has no such queue")?;
                Ok(Some(url.to_owned()))
            }
            EnvValue::Parameter { default: Some(default), .. } => Ok(Some(default.clone())),
            EnvValue::Parameter { name: parameter, default: None } => {
                bail!("the parameter {parameter} has no default, and local-dev knows no value for this variable")
            }
        }
    }
}
