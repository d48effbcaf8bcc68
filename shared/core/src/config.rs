//! Configuration: read once per cold start, every problem reported at once, no default secret.
//!
//! [`Env`] is the only reader of the environment. Each function reads the sections it needs with [`load`].

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::{instant::Timestamp, retries::RetryPolicy, webhooks::TargetPolicy};

/// A text that never shows up in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself; keep it out of messages.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the data lives (`DATABASE_URL`, `DATABASE_AUTH_TOKEN`).
#[derive(Debug, Clone)]
pub enum DatabaseConfig {
    /// `file:/path/to/database.db`.
    File(PathBuf),
    /// `libsql://host`, or `http(s)://host` for a server of one's own.
    Remote {
        /// The address.
        url: String,
        /// Bearer token, when the server wants one.
        token: Option<Secret>,
    },
}

/// How session tokens are made.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// `AUTH_SECRET_KEY`: signs the tokens; at least 32 bytes.
    pub secret: Secret,
    /// `TOKEN_MAX_AGE_DAYS`: lifetime of a token in whole days, 30 unless set.
    pub max_age_days: u32,
}

/// `ENCRYPTION_KEY`: base64 of the 32 bytes that encrypt provider keys at rest.
#[derive(Clone)]
pub struct EncryptionKey(pub(crate) [u8; 32]);

impl EncryptionKey {
    /// A key from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

/// What AWS clients need. Lambda sets all of it but `AWS_ENDPOINT_URL_SQS`.
#[derive(Debug, Clone)]
pub struct AwsConfig {
    /// `AWS_ENDPOINT_URL_SQS`: another server that speaks the SQS protocol.
    pub sqs_endpoint: Option<String>,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
}

/// How jobs are run.
#[derive(Debug, Clone, Copy)]
pub struct JobConfig {
    /// `JOB_LEASE_SECONDS`: how long a claim holds without a sign of life from its worker, instead of what the job's type
    /// says.
    pub lease: Option<Duration>,
    /// `JOB_RETRY_BASE_MS`: pause before the first retry, instead of what the job's row says.
    pub retry_base: Option<Duration>,
    /// `JOB_ANNOUNCE_AGAIN_SECONDS` (120): after how long a job that was announced and that nobody took is announced once
    /// more. Shorter, and a long queue fills with repetitions.
    pub announce_again: Duration,
}

/// How executions are run and retried. Every value has a default that suits production.
#[derive(Debug, Clone)]
pub struct ExecutionConfig {
    /// `EXECUTION_LEASE_SECONDS` (30): how long a claim holds without a sign of life from its worker.
    pub lease: Duration,
    /// `EXECUTION_MAX_ATTEMPTS` (4): how often an execution is tried before it fails.
    pub max_attempts: u32,
    /// `EXECUTION_RETRY_BASE_MS` (2000): pause before the first retry; four times longer before each further one.
    pub retry_base: Duration,
    /// `PROVIDER_TIMEOUT_MS` (240000): how long one provider call may take.
    pub provider_timeout: Duration,
    /// `EXECUTION_DRAIN_SECONDS` (60): how long one invocation keeps taking waiting work of the same provider.
    pub drain: Duration,
}

impl ExecutionConfig {
    /// The pauses of executions: four times longer each, at most five minutes, up to a quarter longer at random.
    pub fn retry_policy(&self) -> RetryPolicy {
        let cap = Duration::from_secs(300);
        RetryPolicy { max_attempts: self.max_attempts, base: self.retry_base, factor: 4.0, cap, jitter: 0.25 }
    }
}

/// For how many days something is kept after it ended; 0 keeps it for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(u32);

impl Retention {
    /// The longest that can be asked for, a hundred years; what is to be kept longer is kept for ever.
    pub const MOST_DAYS: u32 = 36_500;

    /// Keeps for this many days, at most [`MOST_DAYS`](Self::MOST_DAYS).
    pub fn days(days: u32) -> Self {
        Self(days.min(Self::MOST_DAYS))
    }

    /// What ended before this moment is not kept any more; `None` when everything is.
    pub fn ends(self, now: Timestamp) -> Option<Timestamp> {
        (self.0 > 0).then(|| now.plus_seconds(-86_400 * i64::from(self.0)))
    }
}

/// How long records are kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionConfig {
    /// `EXECUTION_RETENTION_DAYS` (0, for ever): executions that have ended.
    pub executions: Retention,
    /// `JOB_RETENTION_DAYS` (30): jobs that have ended.
    pub jobs: Retention,
    /// `AUDIT_RETENTION_DAYS` (365): entries of the audit log.
    pub audit: Retention,
}

/// How embeddings are computed and kept. Every value has a default that suits production.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingConfig {
    /// `EMBEDDING_TIMEOUT_MS` (60000): how long one call of the vendor may take (defect EM-04).
    pub timeout: Duration,
    /// `EMBEDDING_RESULT_RETENTION_DAYS` (7): how long vectors are kept after the job that computed them.
    pub retention_days: u32,
}

/// Everything that was wrong with the environment, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} problem(s): {}", self.0.len(), self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

/// Reads a configuration from the environment of this process.
pub fn load<T>(read: impl FnOnce(&mut Env) -> Option<T>) -> Result<T, ConfigError> {
    load_from(Env::of_process(), read)
}

/// Reads a configuration from the given variables.
pub fn load_from<T>(mut env: Env, read: impl FnOnce(&mut Env) -> Option<T>) -> Result<T, ConfigError> {
    match read(&mut env) {
        Some(config) if env.problems.is_empty() => Ok(config),
        _ => Err(ConfigError(env.problems)),
    }
}

/// The variables of a process and the problems found in them so far.
///
/// Every method answers `None` after noting a problem. Read all sections first and combine them afterwards, so that one
/// start reports everything.
#[derive(Debug)]
pub struct Env {
    variables: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Env {
    /// The variables of this process.
    pub fn of_process() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// The given variables; empty values count as absent.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self { variables, problems: Vec::new() }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// Notes a problem.
    pub fn report(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn required(&mut self, name: &str, purpose: &str) -> Option<String> {
        let value = self.get(name);
        if value.is_none() {
            self.report(format!("{name} is not set ({purpose})"));
        }
        value
    }

    fn number<T: FromStr + PartialOrd + fmt::Display>(&mut self, name: &str, default: T, least: T) -> Option<T> {
        let Some(text) = self.get(name) else {
            return Some(default);
        };
        match text.parse() {
            Ok(number) if number >= least => Some(number),
            _ => {
                self.report(format!("{name} must be a whole number of at least {least}, not \"{text}\""));
                None
            }
        }
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        match self.get(name).as_deref() {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some(_) => {
                self.report(format!("{name} must be true or false"));
                None
            }
        }
    }

    /// A number without a default: `Some(None)` when the variable is not set.
    fn optional_number<T: FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        name: &str,
        least: T,
    ) -> Option<Option<T>> {
        if self.get(name).is_none() { Some(None) } else { self.number(name, least, least).map(Some) }
    }

    /// Reads `DATABASE_URL` and `DATABASE_AUTH_TOKEN`.
    pub fn database(&mut self) -> Option<DatabaseConfig> {
        let url = self.required("DATABASE_URL", "file:/path/to/database.db or libsql://host")?;
        if let Some(path) = url.strip_prefix("file:") {
            return Some(DatabaseConfig::File(PathBuf::from(path)));
        }
        if ["libsql://", "https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
            let token = self.get("DATABASE_AUTH_TOKEN").map(Secret::new);
            return Some(DatabaseConfig::Remote { url, token });
        }
        self.report("DATABASE_URL must start with file:, libsql://, https:// or http://");
        None
    }

    /// Reads `AUTH_SECRET_KEY` and `TOKEN_MAX_AGE_DAYS`.
    pub fn session(&mut self) -> Option<SessionConfig> {
        let secret = self.required("AUTH_SECRET_KEY", "at least 32 random characters that sign session tokens");
        let max_age_days = self.number("TOKEN_MAX_AGE_DAYS", 30, 1);
        let secret = secret?;
        if secret.len() < 32 {
            self.report("AUTH_SECRET_KEY is too short: it needs at least 32 characters");
            return None;
        }
        Some(SessionConfig { secret: Secret::new(secret), max_age_days: max_age_days? })
    }

    /// Reads `ENCRYPTION_KEY`.
    pub fn encryption_key(&mut self) -> Option<EncryptionKey> {
        let text = self.required("ENCRYPTION_KEY", "base64 of 32 random bytes that encrypt provider keys")?;
        let key = BASE64.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        if key.is_none() {
            self.report("ENCRYPTION_KEY must be the base64 form of exactly 32 bytes");
        }
        key.map(EncryptionKey)
    }

    /// The address of a queue, from the variable that names it.
    pub fn queue_url(&mut self, variable: &str) -> Option<String> {
        self.required(variable, "address of a queue")
    }

    /// Reads the variables of [`AwsConfig`].
    pub fn aws(&mut self) -> Option<AwsConfig> {
        let region = self.required("AWS_REGION", "set by Lambda");
        let access_key_id = self.required("AWS_ACCESS_KEY_ID", "set by Lambda");
        let secret_access_key = self.required("AWS_SECRET_ACCESS_KEY", "set by Lambda");
        Some(AwsConfig {
            sqs_endpoint: self.get("AWS_ENDPOINT_URL_SQS"),
            region: region?,
            access_key_id: access_key_id?,
            secret_access_key: Secret::new(secret_access_key?),
            session_token: self.get("AWS_SESSION_TOKEN").map(Secret::new),
        })
    }

    /// Reads the variables of [`EmbeddingConfig`].
    pub fn embeddings(&mut self) -> Option<EmbeddingConfig> {
        let timeout = self.number("EMBEDDING_TIMEOUT_MS", 60_000, 1);
        let retention_days = self.number("EMBEDDING_RESULT_RETENTION_DAYS", 7, 1);
        Some(EmbeddingConfig { timeout: Duration::from_millis(timeout?), retention_days: retention_days? })
    }

    /// Reads the variables of [`JobConfig`].
    pub fn jobs(&mut self) -> Option<JobConfig> {
        let lease = self.optional_number("JOB_LEASE_SECONDS", 1);
        let retry_base = self.optional_number("JOB_RETRY_BASE_MS", 1);
        let announce_again = self.number("JOB_ANNOUNCE_AGAIN_SECONDS", 120, 1);
        Some(JobConfig {
            lease: lease?.map(Duration::from_secs),
            retry_base: retry_base?.map(Duration::from_millis),
            announce_again: Duration::from_secs(announce_again?),
        })
    }

    /// Reads `SHUTDOWN_GRACE_MS`: how long running work may still finish after SIGTERM, 3 s unless set.
    pub fn shutdown_grace(&mut self) -> Option<Duration> {
        self.number("SHUTDOWN_GRACE_MS", 3_000, 0).map(Duration::from_millis)
    }

    /// Reads `WEBHOOK_ALLOW_HTTP` and `WEBHOOK_ALLOW_PRIVATE_TARGETS` (both `false` unless set).
    pub fn webhook_targets(&mut self) -> Option<TargetPolicy> {
        let (allows_http, allows_private) =
            (self.flag("WEBHOOK_ALLOW_HTTP"), self.flag("WEBHOOK_ALLOW_PRIVATE_TARGETS"));
        Some(TargetPolicy { allows_http: allows_http?, allows_private: allows_private? })
    }

    /// Reads `WEBHOOK_SIGNATURE_KEY`: signs webhooks that no secret of a destination signs.
    pub fn webhook_signature_key(&mut self) -> Option<Secret> {
        let purpose = "at least 32 random characters that sign webhooks of destinations without a secret of their own";
        let key = self.required("WEBHOOK_SIGNATURE_KEY", purpose)?;
        if key.chars().count() < 32 {
            self.report("WEBHOOK_SIGNATURE_KEY is too short: it needs at least 32 characters");
            return None;
        }
        Some(Secret::new(key))
    }

    /// Reads the variables of [`RetentionConfig`].
    pub fn retention(&mut self) -> Option<RetentionConfig> {
        let executions = self.retention_of("EXECUTION_RETENTION_DAYS", 0);
        let jobs = self.retention_of("JOB_RETENTION_DAYS", 30);
        let audit = self.retention_of("AUDIT_RETENTION_DAYS", 365);
        Some(RetentionConfig { executions: executions?, jobs: jobs?, audit: audit? })
    }

    fn retention_of(&mut self, name: &str, default: u32) -> Option<Retention> {
        let days = self.number(name, default, 0)?;
        if days > Retention::MOST_DAYS {
            self.report(format!("{name} must be at most {}; 0 keeps for ever", Retention::MOST_DAYS));
            return None;
        }
        Some(Retention::days(days))
    }

    /// Reads the variables of [`ExecutionConfig`].
    pub fn executions(&mut self) -> Option<ExecutionConfig> {
        let lease = self.number("EXECUTION_LEASE_SECONDS", 30, 1);
        let max_attempts = self.number("EXECUTION_MAX_ATTEMPTS", 4, 1);
        let retry_base = self.number("EXECUTION_RETRY_BASE_MS", 2_000, 1);
        let provider_timeout = self.number("PROVIDER_TIMEOUT_MS", 240_000, 1);
        let drain = self.number("EXECUTION_DRAIN_SECONDS", 60, 0);
        Some(ExecutionConfig {
            lease: Duration::from_secs(lease?),
            max_attempts: max_attempts?,
            retry_base: Duration::from_millis(retry_base?),
            provider_timeout: Duration::from_millis(provider_timeout?),
            drain: Duration::from_secs(drain?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn everything(env: &mut Env) -> Option<()> {
        let parts = (env.database(), env.session(), env.encryption_key(), env.aws(), env.executions());
        let queue = env.queue_url("EXECUTIONS_QUEUE_URL");
        matches!((parts, queue), ((Some(_), Some(_), Some(_), Some(_), Some(_)), Some(_))).then_some(())
    }

    #[test]
    fn reports_every_problem_at_once() {
        let given = env(&[
            ("DATABASE_URL", "postgres://elsewhere"),
            ("AUTH_SECRET_KEY", "short"),
            ("ENCRYPTION_KEY", "AAAA"),
            ("EXECUTION_MAX_ATTEMPTS", "none"),
            ("AWS_REGION", ""),
        ]);
        let ConfigError(problems) = load_from(given, everything).unwrap_err();
        for name in [
            "DATABASE_URL",
            "AUTH_SECRET_KEY",
            "ENCRYPTION_KEY",
            "EXECUTIONS_QUEUE_URL",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "EXECUTION_MAX_ATTEMPTS",
        ] {
            assert_eq!(problems.iter().filter(|problem| problem.starts_with(name)).count(), 1, "{name}: {problems:?}");
        }
        assert_eq!(problems.len(), 8, "{problems:?}");
    }

    #[test]
    fn retention_is_in_days_and_0_keeps_for_ever() {
        let now: Timestamp = "2026-03-02T00:00:00.000Z".parse().unwrap();
        let read = |variables: &[(&str, &str)]| load_from(env(variables), Env::retention);
        let unset = read(&[]).unwrap();
        assert_eq!(unset.executions.ends(now), None);
        assert_eq!(unset.jobs.ends(now), Some(now.plus_seconds(-30 * 86_400)));
        assert_eq!(unset.audit.ends(now), Some(now.plus_seconds(-365 * 86_400)));
        let set = read(&[("EXECUTION_RETENTION_DAYS", "1"), ("JOB_RETENTION_DAYS", "0")]).unwrap();
        assert_eq!((set.executions.ends(now), set.jobs.ends(now)), (Some(now.plus_seconds(-86_400)), None));
        let longest = read(&[("JOB_RETENTION_DAYS", "36500")]).unwrap().jobs.ends(now).unwrap();
        assert!(longest.to_string().starts_with("1926-"), "{longest}");
        for odd in ["36501", "4294967295", "-1", "1.5", "ever"] {
            let ConfigError(problems) = read(&[("JOB_RETENTION_DAYS", odd)]).unwrap_err();
            assert!(problems.len() == 1 && problems[0].starts_with("JOB_RETENTION_DAYS"), "{odd}: {problems:?}");
        }
    }

    #[test]
    fn webhooks_go_nowhere_special_unless_configuration_says_so() {
        let read = |variables: &[(&str, &str)]| load_from(env(variables), Env::webhook_targets);
        assert_eq!(read(&[]), Ok(TargetPolicy { allows_http: false, allows_private: false }));
        let given = [("WEBHOOK_ALLOW_HTTP", "true"), ("WEBHOOK_ALLOW_PRIVATE_TARGETS", "false")];
        assert_eq!(read(&given), Ok(TargetPolicy { allows_http: true, allows_private: false }));
        let given = [("WEBHOOK_ALLOW_HTTP", "yes"), ("WEBHOOK_ALLOW_PRIVATE_TARGETS", "1")];
        assert_eq!(read(&given).unwrap_err().0.len(), 2);
    }

    #[test]
    fn the_key_that_signs_webhooks_is_required_and_long() {
        let read = |variables: &[(&str, &str)]| load_from(env(variables), Env::webhook_signature_key);
        for given in [&[][..], &[("WEBHOOK_SIGNATURE_KEY", "31 characters are one too few !")]] {
            let ConfigError(problems) = read(given).unwrap_err();
            assert!(problems.len() == 1 && problems[0].starts_with("WEBHOOK_SIGNATURE_KEY"), "{problems:?}");
        }
        let key = "32 characters are exactly enough";
        assert_eq!(read(&[("WEBHOOK_SIGNATURE_KEY", key)]).unwrap().reveal(), key);
    }

    #[test]
    fn executions_wait_four_times_longer_each_time() {
        let policy = load_from(env(&[]), Env::executions).unwrap().retry_policy();
        let pauses = [1, 2, 3, 4].map(|attempt| policy.pause(attempt, None, 0.0).map(|pause| pause.as_secs()));
        assert_eq!(pauses, [Some(2), Some(8), Some(32), None]);
    }

    #[test]
    fn the_settings_of_jobs_are_optional() {
        let jobs = load_from(env(&[("JOB_LEASE_SECONDS", "2")]), Env::jobs).unwrap();
        assert_eq!((jobs.lease, jobs.retry_base), (Some(Duration::from_secs(2)), None));
        assert!(load_from(env(&[("JOB_RETRY_BASE_MS", "0")]), Env::jobs).is_err());
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let given = env(&[("AUTH_SECRET_KEY", "0123456789abcdef0123456789abcdef")]);
        let session = load_from(given, Env::session).unwrap();
        assert!(!format!("{session:?}").contains("0123"));
    }
}
