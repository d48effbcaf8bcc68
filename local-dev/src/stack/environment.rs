//! Which environment variables a function gets.
//!
//! The template says which variables exist; here they get their local values. What the caller
//! gives comes on top, for every function.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use shared_core::config::{self, DatabaseConfig, Env};

use crate::{
    sqs::{CREDENTIAL, REGION},
    template::{EnvValue, Function},
};

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

/// The database server at `url`, with the token of `DATABASE_AUTH_TOKEN`. Only for a caller that was told the URL in so many
/// words.
pub(crate) fn database_at(url: &str) -> Result<DatabaseConfig> {
    let token = Env::of_process().get("DATABASE_AUTH_TOKEN");
    let variables = [("DATABASE_URL", Some(url.to_owned())), ("DATABASE_AUTH_TOKEN", token)];
    let env = Env::new(variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    match config::load_from(env, Env::database) {
        Ok(database @ DatabaseConfig::Remote { .. }) => Ok(database),
        Ok(DatabaseConfig::File(_)) | Err(_) => {
            bail!("--database takes the address of a libSQL server: libsql://…, https://… or http://…")
        }
    }
}

/// The variables of our own process that functions are to see.
///
/// This file is the one place in this crate that reads the environment: it copies, and interprets nothing.
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
    pub(super) database: &'a DatabaseConfig,
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
        if self.given.contains_key(name) {
            return Ok(None);
        }
        match (name, self.database) {
            ("DATABASE_URL", DatabaseConfig::File(path)) => return Ok(Some(format!("file:{}", path.display()))),
            ("DATABASE_URL", DatabaseConfig::Remote { url, .. }) => return Ok(Some(url.clone())),
            ("DATABASE_AUTH_TOKEN", DatabaseConfig::File(_)) => return Ok(None),
            ("DATABASE_AUTH_TOKEN", DatabaseConfig::Remote { token, .. }) => {
                return Ok(token.as_ref().map(|token| token.reveal().to_owned()));
            }
            _ => {}
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
    use std::{path::Path, time::Duration};

    use shared_core::Secret;

    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn parameter(default: Option<&str>) -> EnvValue {
        EnvValue::Parameter { name: "P".to_owned(), default: default.map(str::to_owned) }
    }

    fn local() -> DatabaseConfig {
        DatabaseConfig::File("/data/local.db".into())
    }

    fn environment(variables: &[(&str, EnvValue)], given: &[(&str, &str)]) -> Result<BTreeMap<String, String>> {
        environment_over(&local(), variables, given)
    }

    fn environment_over(
        database: &DatabaseConfig,
        variables: &[(&str, EnvValue)],
        given: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>> {
        let function = Function {
            name: "f".to_owned(),
            timeout: Duration::from_secs(1),
            memory_mb: 128,
            environment: variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        let (secrets, queue_urls) =
            (map(&[("AUTH_SECRET_KEY", "s"), ("ENCRYPTION_KEY", "e")]), map(&[("Q", "http://q")]));
        let values = LocalValues {
            database,
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
    fn a_database_server_comes_with_its_token() {
        let variables = [("DATABASE_URL", parameter(None)), ("DATABASE_AUTH_TOKEN", EnvValue::Cloud)];
        let server = |token: Option<&str>| DatabaseConfig::Remote {
            url: "http://127.0.0.1:8080".to_owned(),
            token: token.map(Secret::new),
        };
        let url = ("DATABASE_URL", "http://127.0.0.1:8080");
        assert_eq!(
            environment_over(&server(Some("t")), &variables, &[]).unwrap(),
            map(&[url, ("DATABASE_AUTH_TOKEN", "t")])
        );
        assert_eq!(environment_over(&server(None), &variables, &[]).unwrap(), map(&[url]));
    }

    #[test]
    fn only_the_address_of_a_server_is_a_database_elsewhere() {
        for url in ["libsql://prompts.turso.io", "https://db.example.org", "http://127.0.0.1:8080"] {
            assert!(matches!(database_at(url).unwrap(), DatabaseConfig::Remote { url: found, .. } if found == url));
        }
        for wrong in ["file:/tmp/local.db", "prompts.turso.io", ""] {
            assert!(database_at(wrong).unwrap_err().to_string().contains("libsql://"), "{wrong}");
        }
    }

    #[test]
    fn every_variable_of_our_template_has_a_local_value() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let template = crate::template::Template::load(&root).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let urls = template.queues.iter().map(|queue| (queue.name.clone(), format!("http://{}", queue.name))).collect();
        let values = LocalValues {
            database: &local(),
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
            "AUDIT_RETENTION_DAYS",
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
