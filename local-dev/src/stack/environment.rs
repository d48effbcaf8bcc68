//! Which environment variables a function gets.
//!
//! The template says which variables exist; here they get their local values. What the caller
//! gives comes on top, for every function.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    sqs::{CREDENTIAL, REGION},
    template::{EnvValue, Function},
};

/// Variables that only make sense in the cloud.
const NOT_LOCAL: [&str; 1] = ["DATABASE_AUTH_TOKEN"];

/// What the template forbids in the cloud and a laptop needs: receivers of webhooks on this machine, without TLS.
const OPENED: [&str; 2] = ["WEBHOOK_ALLOW_HTTP", "WEBHOOK_ALLOW_PRIVATE_TARGETS"];

/// Names that `cargo dev` hands on from the user's own environment, so that for instance
/// `OLLAMA_BASE_URL=… cargo dev` works. Where the data lives is not among them: a forgotten
/// variable must not lead a development system to a real database.
fn is_handed_on(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "RUST_LOG",
        "RUST_BACKTRACE",
        "TOKEN_MAX_AGE_DAYS",
        "PROVIDER_TIMEOUT_MS",
        "WEBHOOK_ALLOW_HTTP",
        "WEBHOOK_ALLOW_PRIVATE_TARGETS",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    let starts = ["EXECUTION_", "EMBEDDING_", "JOB_"];
    let endings = ["_BASE_URL", "_RETENTION_DAYS"];
    NAMES.contains(&name)
        || starts.iter().any(|start| name.starts_with(start))
        || endings.iter().any(|ending| name.ends_with(ending))
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
    /// Where the queue server answers.
    pub(super) queue_endpoint: &'a str,
    /// URLs of the queues by name.
    pub(super) queue_urls: &'a BTreeMap<String, String>,
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
                ("AWS_ENDPOINT_URL_SQS", self.queue_endpoint),
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
        if OPENED.contains(&name) {
            return Ok(Some("true".to_owned()));
        }
        if let Some(secret) = self.secrets.get(name) {
            return Ok(Some(secret.clone()));
        }
        match value {
            EnvValue::Literal(text) => Ok(Some(text.clone())),
            EnvValue::QueueUrl(queue) => {
                let url = self.queue_urls.get(queue).context("the template has no such queue")?;
                Ok(Some(url.clone()))
            }
            EnvValue::Parameter { default: Some(default), .. } => Ok(Some(default.clone())),
            EnvValue::Parameter { name: parameter, default: None } => {
                bail!("the parameter {parameter} has no default, and local-dev knows no value for this variable")
            }
            EnvValue::Cloud => bail!("only the cloud has a value, and local-dev knows none for this variable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn parameter(default: Option<&str>) -> EnvValue {
        EnvValue::Parameter { name: "P".to_owned(), default: default.map(str::to_owned) }
    }

    fn environment(variables: &[(&str, EnvValue)], given: &[(&str, &str)]) -> Result<BTreeMap<String, String>> {
        let function = Function {
            name: "f".to_owned(),
            timeout: Duration::from_secs(1),
            memory_mb: 128,
            environment: variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        let (secrets, queue_urls) =
            (map(&[("AUTH_SECRET_KEY", "s"), ("ENCRYPTION_KEY", "e")]), map(&[("Q", "http://q")]));
        let values = LocalValues {
            database: Path::new("/data/local.db"),
            secrets: &secrets,
            queue_endpoint: "http://sqs",
            queue_urls: &queue_urls,
            given: &map(given),
        };
        let mut environment = values.environment(&function)?;
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_SQS"] {
            assert!(environment.remove(name).is_some(), "{name}");
        }
        Ok(environment)
    }

    #[test]
    fn a_function_gets_what_the_template_names_and_nothing_else() {
        let variables = [
            ("DATABASE_URL", parameter(None)),
            ("DATABASE_AUTH_TOKEN", EnvValue::Cloud),
            ("AUTH_SECRET_KEY", EnvValue::Cloud),
            ("EXECUTIONS_QUEUE_URL", EnvValue::QueueUrl("Q".to_owned())),
            ("TOKEN_MAX_AGE_DAYS", parameter(Some("30"))),
            ("MODE", EnvValue::Literal("local".to_owned())),
        ];
        let expected = map(&[
            ("DATABASE_URL", "file:/data/local.db"),
            ("AUTH_SECRET_KEY", "s"),
            ("EXECUTIONS_QUEUE_URL", "http://q"),
            ("TOKEN_MAX_AGE_DAYS", "30"),
            ("MODE", "local"),
        ]);
        assert_eq!(environment(&variables, &[]).unwrap(), expected);
    }

    #[test]
    fn every_variable_of_our_template_has_a_local_value() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let template = crate::template::Template::load(&root).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let urls = template.queues.iter().map(|queue| (queue.name.clone(), format!("http://{}", queue.name))).collect();
        let values = LocalValues {
            database: Path::new("/data/local.db"),
            secrets: &crate::secrets::load_or_create(folder.path()).unwrap(),
            queue_endpoint: "http://sqs",
            queue_urls: &urls,
            given: &BTreeMap::new(),
        };
        for function in &template.functions {
            let environment = values.environment(function).unwrap();
            let missing = function.environment.keys().filter(|name| !environment.contains_key(*name));
            assert_eq!(missing.collect::<Vec<_>>(), ["DATABASE_AUTH_TOKEN"], "{}", function.name);
        }
    }

    #[test]
    fn what_the_caller_gives_wins() {
        let variables = [("TOKEN_MAX_AGE_DAYS", parameter(Some("30"))), ("NEW", parameter(None))];
        let given = [("TOKEN_MAX_AGE_DAYS", "1"), ("NEW", "x"), ("OTHER", "y")];
        assert_eq!(environment(&variables, &given).unwrap(), map(&given));
    }

    #[test]
    fn webhooks_may_stay_on_this_machine_unless_the_caller_says_no() {
        let variables = [("WEBHOOK_ALLOW_HTTP", parameter(Some("false")))];
        assert_eq!(environment(&variables, &[]).unwrap(), map(&[("WEBHOOK_ALLOW_HTTP", "true")]));
        let given = [("WEBHOOK_ALLOW_HTTP", "false")];
        assert_eq!(environment(&variables, &given).unwrap(), map(&given));
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_it() {
        let error = environment(&[("NEW", parameter(None))], &[]).unwrap_err();
        assert!(format!("{error:#}").starts_with("f: NEW: the parameter P has no default"), "{error:#}");
        let error = environment(&[("NEW", EnvValue::Cloud)], &[]).unwrap_err();
        assert!(format!("{error:#}").starts_with("f: NEW: only the cloud has a value"), "{error:#}");
    }

    #[test]
    fn only_harmless_variables_are_handed_on() {
        for name in [
            "OLLAMA_BASE_URL",
            "VOYAGEAI_BASE_URL",
            "EMBEDDING_TIMEOUT_MS",
            "EXECUTION_LEASE_SECONDS",
            "JOB_RETENTION_DAYS",
            "RUST_LOG",
            "HTTPS_PROXY",
        ] {
            assert!(is_handed_on(name), "{name}");
        }
        for name in ["DATABASE_URL", "DATABASE_AUTH_TOKEN", "AWS_PROFILE", "ENCRYPTION_KEY", "PATH"] {
            assert!(!is_handed_on(name), "{name}");
        }
    }
}
