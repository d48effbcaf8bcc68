//! Configuration: read once per cold start, every problem reported at once, no default secret.
//!
//! [`Env`] is the only reader of the environment. Each function reads the sections it needs with [`load`].

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::secret::{KeyRing, Secret};
use crate::{
    files::UploadLimits,
    instant::Timestamp,
    limits::Limit,
    retries::RetryPolicy,
    webhooks::{SigningKeys, TargetPolicy},
};

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
    /// `AUTH_SECRET_KEY`: the first key signs the tokens, each is accepted; at least 32 bytes.
    pub keys: KeyRing<Secret>,
    /// `TOKEN_MAX_AGE_DAYS`: lifetime of a token in whole days, 30 unless set.
    pub max_age_days: u32,
}

/// A key of `ENCRYPTION_KEY`: the 32 bytes that encrypt provider keys at rest.
#[derive(Clone, PartialEq, Eq)]
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

/// How often callers may do what costs something or could be guessed. Every value has a default that suits production.
#[derive(Debug, Clone, Copy)]
pub struct LimitConfig {
    /// `API_KEY_REQUESTS_PER_MINUTE` (3000, 0 for no limit): what a key without a limit of its own may do.
    pub api_key_requests: Option<Limit>,
    /// `FAILED_GUESSES_PER_ADDRESS` (100): wrong passwords and tokens from one network address in 15 minutes.
    pub guesses: Limit,
    /// `INVITATIONS_PER_HOUR` (100): invitations and reset links that one admin makes.
    pub invitations: Limit,
    /// `UPLOADS_PER_HOUR` (600) and `UPLOAD_MIB_PER_HOUR` (1024), of one person.
    pub uploads: UploadLimits,
    /// `WEBHOOK_TESTS_PER_MINUTE` (60): webhooks that one admin sends by hand, tests and redeliveries.
    pub webhook_tests: Limit,
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
/// start reports everything. Problems do not repeat values: one may be a secret that got into the wrong variable.
pub struct Env {
    variables: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("variables", &self.variables.keys()).field("problems", &self.problems).finish()
    }
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
                self.report(format!("{name} must be a whole number of at least {least}"));
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
            if url.contains('@') || url.to_ascii_lowercase().contains("authtoken=") {
                self.report("DATABASE_URL must not hold a password or token: DATABASE_AUTH_TOKEN is for it");
                return None;
            }
            let token = self.get("DATABASE_AUTH_TOKEN").map(Secret::new);
            return Some(DatabaseConfig::Remote { url, token });
        }
        self.report("DATABASE_URL must start with file:, libsql://, https:// or http://");
        None
    }

    /// Reads `AUTH_SECRET_KEY` and `TOKEN_MAX_AGE_DAYS`.
    pub fn session(&mut self) -> Option<SessionConfig> {
        let keys = self.long_keys("AUTH_SECRET_KEY", "at least 32 random characters that sign session tokens");
        let max_age_days = self.number("TOKEN_MAX_AGE_DAYS", 30, 1);
        Some(SessionConfig { keys: keys?, max_age_days: max_age_days? })
    }

    /// Reads `ENCRYPTION_KEY`.
    pub fn encryption_keys(&mut self) -> Option<KeyRing<EncryptionKey>> {
        let name = "ENCRYPTION_KEY";
        let keys = self.keys(name, "base64 of 32 random bytes that encrypt provider keys", |text| {
            BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(EncryptionKey)
        })?;
        if keys.is_none() {
            self.report(format!("{name} must be the base64 form of exactly 32 bytes, for each key"));
        }
        keys
    }

    /// Reads one key, or several separated by commas: the first writes, all are accepted. `Some(None)` when one cannot be
    /// read.
    fn keys<K>(&mut self, name: &str, purpose: &str, read: impl Fn(&str) -> Option<K>) -> Option<Option<KeyRing<K>>> {
        let text = self.required(name, purpose)?;
        let mut keys = text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(read);
        let first = keys.next().flatten();
        let others = keys.collect::<Option<Vec<K>>>();
        Some(first.zip(others).map(|(first, others)| KeyRing::new(first, others)))
    }

    /// Keys that are any text of at least 32 characters.
    fn long_keys(&mut self, name: &str, purpose: &str) -> Option<KeyRing<Secret>> {
        let read = |text: &str| (text.chars().count() >= 32).then(|| Secret::new(text));
        let keys = self.keys(name, purpose, read)?;
        if keys.is_none() {
            self.report(format!("{name} is too short: each key needs at least 32 characters"));
        }
        keys
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

    /// Reads `WEBHOOK_SIGNATURE_KEY`: signs webhooks that no secret of a destination signs. With two keys, both sign.
    pub fn webhook_signature_keys(&mut self) -> Option<SigningKeys> {
        let name = "WEBHOOK_SIGNATURE_KEY";
        let purpose = "at least 32 random characters that sign webhooks of destinations without a secret of their own";
        let keys = self.long_keys(name, purpose)?;
        let mut keys = keys.iter().cloned();
        let (current, previous, more) = (keys.next()?, keys.next(), keys.next());
        if more.is_some() {
            self.report(format!("{name} must be one key, or two of which the second is being replaced"));
            return None;
        }
        Some(SigningKeys { current, previous })
    }

    /// Reads the variables of [`LimitConfig`].
    pub fn limits(&mut self) -> Option<LimitConfig> {
        let api_key_requests = self.number("API_KEY_REQUESTS_PER_MINUTE", 3000_u32, 0);
        let guesses = self.number("FAILED_GUESSES_PER_ADDRESS", 100_u32, 1);
        let invitations = self.number("INVITATIONS_PER_HOUR", 100_u32, 1);
        let files = self.number("UPLOADS_PER_HOUR", 600_u32, 1);
        // The largest body that a request may have, so that one file can always be uploaded.
        let mebibytes = self.number("UPLOAD_MIB_PER_HOUR", 1024_u32, 10);
        let webhook_tests = self.number("WEBHOOK_TESTS_PER_MINUTE", 60_u32, 1);
        Some(LimitConfig {
            api_key_requests: Some(api_key_requests?)
                .filter(|most| *most > 0)
                .map(|most| Limit::per_minute(most.into())),
            guesses: Limit::new(guesses?.into(), Duration::from_secs(15 * 60)),
            invitations: Limit::per_hour(invitations?.into()),
            uploads: UploadLimits {
                files: Limit::per_hour(files?.into()),
                bytes: Limit::per_hour(u64::from(mebibytes?) * 1024 * 1024),
            },
            webhook_tests: Limit::per_minute(webhook_tests?.into()),
        })
    }

    /// Reads `TRUSTED_PROXIES`: how many proxies of one's own stand between callers and the gateway, 0 unless set.
    pub fn trusted_proxies(&mut self) -> Option<usize> {
        self.number("TRUSTED_PROXIES", 0, 0)
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
        let parts = (env.database(), env.session(), env.encryption_keys(), env.aws(), env.executions());
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
    fn limits_have_defaults_and_0_lets_keys_do_what_they_like() {
        let read = |variables: &[(&str, &str)]| load_from(env(variables), Env::limits);
        let unset = read(&[]).unwrap();
        assert_eq!(unset.api_key_requests, Some(Limit::per_minute(3000)));
        assert_eq!(unset.uploads.bytes, Limit::per_hour(1 << 30));
        assert_eq!(read(&[("API_KEY_REQUESTS_PER_MINUTE", "0")]).unwrap().api_key_requests, None);
        let given = [("UPLOAD_MIB_PER_HOUR", "9"), ("INVITATIONS_PER_HOUR", "0"), ("UPLOADS_PER_HOUR", "many")];
        assert_eq!(read(&given).unwrap_err().0.len(), 3);
        assert_eq!(load_from(env(&[("TRUSTED_PROXIES", "1")]), Env::trusted_proxies), Ok(1));
        assert!(load_from(env(&[("TRUSTED_PROXIES", "all")]), Env::trusted_proxies).is_err());
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
        let read = |variables: &[(&str, &str)]| load_from(env(variables), Env::webhook_signature_keys);
        let three = ["32 characters are exactly enough"; 3].join(",");
        for given in [
            &[][..],
            &[("WEBHOOK_SIGNATURE_KEY", "31 characters are one too few !")],
            &[("WEBHOOK_SIGNATURE_KEY", &three)],
        ] {
            let ConfigError(problems) = read(given).unwrap_err();
            assert!(problems.len() == 1 && problems[0].starts_with("WEBHOOK_SIGNATURE_KEY"), "{problems:?}");
        }
        let key = "32 characters are exactly enough";
        assert_eq!(read(&[("WEBHOOK_SIGNATURE_KEY", key)]).unwrap(), SigningKeys::single(key.into()));
        let changing = format!("another one, which is long enough, {key}");
        assert!(read(&[("WEBHOOK_SIGNATURE_KEY", &changing)]).is_err(), "a comma separates keys");
        let changing = format!("another one which is long enough, {key}");
        assert_eq!(read(&[("WEBHOOK_SIGNATURE_KEY", &changing)]).unwrap().previous, Some(key.into()));
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
    fn the_first_of_several_keys_writes() {
        let (new, old) = ("A".repeat(43) + "=", "/".repeat(42) + "8=");
        let read = |text: &str| load_from(env(&[("ENCRYPTION_KEY", text)]), Env::encryption_keys);
        let keys = read(&format!("{new}, {old},")).unwrap();
        assert_eq!(keys, KeyRing::new(EncryptionKey::new([0; 32]), vec![EncryptionKey::new([255; 32])]));
        assert_eq!(read(&new).unwrap(), EncryptionKey::new([0; 32]).into());
        for broken in [",", "AAAA", &format!("{new},AAAA"), &format!("{new} {old}")] {
            assert_eq!(read(broken).unwrap_err().0.len(), 1, "{broken}");
        }
        let secrets = format!("{},{}", "n".repeat(32), "o".repeat(32));
        let session = load_from(env(&[("AUTH_SECRET_KEY", &secrets)]), Env::session).unwrap();
        assert_eq!(session.keys, KeyRing::new("n".repeat(32).into(), vec!["o".repeat(32).into()]));
    }

    #[test]
    fn secrets_stay_out_of_debug_output_and_problems() {
        let secret = "0123456789abcdef0123456789abcdef";
        let given = || {
            env(&[
                ("AUTH_SECRET_KEY", secret),
                ("TOKEN_MAX_AGE_DAYS", secret),
                ("ENCRYPTION_KEY", secret),
                ("DATABASE_URL", secret),
                ("WEBHOOK_ALLOW_HTTP", secret),
            ])
        };
        let read = |env: &mut Env| {
            let parts = (env.database(), env.session(), env.encryption_keys(), env.webhook_targets());
            matches!(parts, (Some(_), Some(_), Some(_), Some(_))).then_some(())
        };
        let problems = load_from(given(), read).unwrap_err();
        assert_eq!(problems.0.len(), 4, "{problems}");
        let session = load_from(env(&[("AUTH_SECRET_KEY", secret)]), Env::session).unwrap();
        let shown = format!("{:?} {problems} {session:?}", given());
        assert!(!shown.contains("0123") && shown.contains("AUTH_SECRET_KEY"), "{shown}");
    }

    #[test]
    fn the_address_of_a_database_holds_no_secret() {
        let read = |url: &str| load_from(env(&[("DATABASE_URL", url)]), Env::database);
        for secret in ["libsql://user:hunter2@host", "libsql://hunter2@host", "https://host/?authToken=hunter2"] {
            let ConfigError(problems) = read(secret).unwrap_err();
            assert!(problems.len() == 1 && !problems[0].contains("hunter2"), "{problems:?}");
        }
        read("libsql://host?tls=0").unwrap();
    }
}
