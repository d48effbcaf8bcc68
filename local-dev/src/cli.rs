//! The command line of `cargo dev`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    bench::Bench,
    chaos::ChaosArgs,
    fuzz::{FuzzArgs, ParsersArgs},
    infra::InfraCheckArgs,
    openapi::CompareArgs,
    package::{DeployArgs, PackageArgs},
    reencrypt::ReencryptArgs,
    sbom::SbomArgs,
};

/// Runs the whole system on this machine: functions, queues, database and clock, in one command.
///
/// Nothing has to be installed but Rust and Python 3 (with venv). The first start builds everything
/// and takes some minutes; later ones take seconds. Ctrl-C stops everything; data stays in .dev/.
#[derive(Debug, Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of starting the system.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to start the system.
    #[command(flatten)]
    pub start: StartArgs,
}

/// Options of `cargo dev` itself.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Also starts a demo model server that answers without a model, in place of a real Ollama
    #[arg(long)]
    pub demo: bool,
    /// Serves the built single-page application in DIR beside the API
    #[arg(long, value_name = "DIR")]
    pub ui: Option<PathBuf>,
    /// Port of the API on 127.0.0.1
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Deletes database and logs first; secrets and tools stay
    #[arg(long)]
    pub reset: bool,
    /// Uses the libSQL server at URL in place of a file, with the token in DATABASE_AUTH_TOKEN if it wants one
    ///
    /// It is migrated to the schema of this working copy. Secrets still come from the data directory: keys that another
    /// installation stored cannot be read without its encryption key.
    #[arg(long, value_name = "URL", conflicts_with = "reset")]
    pub database: Option<String>,
    /// Builds with optimisation
    #[arg(long)]
    pub release: bool,
    /// Runs prebuilt binaries on the runtime host instead of cargo lambda watch: quicker, without rebuilds
    #[arg(long)]
    pub host: bool,
    /// Directory for database, secrets and logs [default: .dev in the repository]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seconds between two runs of the maintenance job
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub maintenance_interval: u64,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measures the system on this machine
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: Bench,
    },
    /// Kills processes, loses messages and lets the provider fail while executions run, and checks that nothing is lost
    ///
    /// Starts a system of its own in a temporary directory, with the runtime host, a provider that follows a script and
    /// a receiver of webhooks, and talks to nothing outside this machine. Fails unless every rule holds; database and
    /// logs stay then.
    Chaos(ChaosArgs),
    /// Deploys to AWS: packages every function and runs `sam deploy`
    Deploy(DeployArgs),
    /// Calls a fresh system with thousands of made-up requests and compares every answer with docs/openapi.json
    #[command(args_conflicts_with_subcommands = true)]
    Fuzz {
        /// What else can be fuzzed.
        #[command(subcommand)]
        what: Option<Fuzz>,
        /// How much is tried.
        #[command(flatten)]
        requests: FuzzArgs,
    },
    /// Lists every crate that is built into the functions, as a CycloneDX document
    Sbom(SbomArgs),
    /// Works with what is deployed
    Infra {
        /// What to do with it.
        #[command(subcommand)]
        what: Infra,
    },
    /// Makes the zip file of every function, and fails when one is too large
    Package(PackageArgs),
    /// Works with the OpenAPI document
    Openapi {
        /// What to do with it.
        #[command(subcommand)]
        what: OpenApi,
    },
    /// Encrypts what is stored encrypted with the first key of ENCRYPTION_KEY, so that the others can go
    ///
    /// Takes the keys from secrets.env: put a new one in front, separated by a comma. May be interrupted and run again,
    /// and run beside the system.
    Reencrypt(ReencryptArgs),
}

/// What can be fuzzed besides the whole API.
#[derive(Debug, Subcommand)]
pub enum Fuzz {
    /// Feeds everything that reads foreign input with input that was made up to break it
    ///
    /// Templates, schemas, bodies, paths, credentials, events, records, answers of vendors and more: the targets of
    /// `cargo test -p tests --test fuzz`, round after round with one seed after the other. What fails is cut down and
    /// kept, and can be fed again.
    Parsers(ParsersArgs),
}

/// What can be done with the template.
#[derive(Debug, Subcommand)]
pub enum Infra {
    /// Holds the template against linters, the project's own promises and a played AWS
    Check(InfraCheckArgs),
    /// Seeds mistakes into copies of the template and shows which check notices each
    SeedMistakes,
}

/// What can be done with the OpenAPI document.
#[derive(Debug, Subcommand)]
pub enum OpenApi {
    /// Prints how it differs from another document; fails on differences that nobody accepted
    Compare(CompareArgs),
}

impl StartArgs {
    /// Time between two runs of the maintenance job.
    pub fn maintenance_interval(&self) -> Duration {
        Duration::from_secs(self.maintenance_interval)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::{
        bench::{ApiArgs, AuthArgs, ColdArgs, RemoteArgs},
        package::Arch,
    };

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli = Cli::parse_from(["cargo dev", "--demo", "--port", "3001"]);
        assert!(cli.command.is_none() && cli.start.demo && cli.start.port == 3001);
        assert!(Cli::try_parse_from(["cargo dev", "--port", "0"]).is_err());
        let cli = Cli::parse_from(["cargo dev", "--database", "http://127.0.0.1:8080"]);
        assert_eq!(cli.start.database.as_deref(), Some("http://127.0.0.1:8080"));
        let deleting = ["cargo dev", "--database", "http://127.0.0.1:8080", "--reset"];
        assert!(Cli::try_parse_from(deleting).is_err(), "a server's data is not deleted");
        let cli = Cli::parse_from(["cargo dev", "bench", "pipeline", "--json", "x.json"]);
        assert!(matches!(cli.command, Some(Command::Bench { what: Bench::Pipeline(_) })));
        let cli = Cli::parse_from(["cargo dev", "bench", "admission", "--rounds", "3", "--debug"]);
        assert!(matches!(cli.command, Some(Command::Bench { what: Bench::Admission(_) })));
        let cli = Cli::parse_from(["cargo dev", "bench", "cold", "--starts", "3", "--only", "migrate"]);
        assert!(matches!(cli.command, Some(Command::Bench { what: Bench::Cold(ColdArgs { starts: 3, .. }) })));
        let cli = Cli::parse_from(["cargo dev", "bench", "scale", "--sizes", "1000,2000"]);
        assert!(matches!(cli.command, Some(Command::Bench { what: Bench::Scale(args) }) if args.sizes == [1000, 2000]));
        let cli = Cli::parse_from(["cargo dev", "bench", "api", "--connections", "1,2", "--only", "api-prompts"]);
        assert!(
            matches!(cli.command, Some(Command::Bench { what: Bench::Api(ApiArgs { connections, .. }) }) if connections == [1, 2])
        );
        let cli = Cli::parse_from(["cargo dev", "bench", "auth"]);
        assert!(
            matches!(cli.command, Some(Command::Bench { what: Bench::Auth(AuthArgs { keys, .. }) }) if keys == [1, 100, 10_000])
        );
        let cli = Cli::parse_from(["cargo dev", "bench", "remote", "--latency-ms", "7"]);
        assert!(
            matches!(cli.command, Some(Command::Bench { what: Bench::Remote(RemoteArgs { latency_ms, .. }) }) if latency_ms == [7])
        );
        let cli = Cli::parse_from(["cargo dev", "infra", "check"]);
        assert!(matches!(cli.command, Some(Command::Infra { what: Infra::Check(_) })));
        let cli = Cli::parse_from(["cargo dev", "chaos", "--seed", "7", "--executions", "50"]);
        assert!(matches!(cli.command, Some(Command::Chaos(ChaosArgs { seed: 7, executions: 50, kills: 100, .. }))));
        let cli =
            Cli::parse_from(["cargo dev", "package", "--only", "migrate", "--only", "api-auth", "--budget", "3.5"]);
        let only = vec!["migrate".to_owned(), "api-auth".to_owned()];
        let expected = PackageArgs { only, arch: Arch::Arm64, budget: 3.5, check_reproducible: false };
        assert!(matches!(cli.command, Some(Command::Package(args)) if args == expected));
        let cli =
            Cli::parse_from(["cargo dev", "deploy", "--guided", "--arch", "x86_64", "--", "--region", "eu-west-1"]);
        let more = vec!["--region".to_owned(), "eu-west-1".to_owned()];
        let expected = DeployArgs { guided: true, stack_name: None, arch: Arch::X86_64, more };
        assert!(matches!(cli.command, Some(Command::Deploy(args)) if args == expected));
        let cli = Cli::parse_from(["cargo dev", "reencrypt", "--database", "http://127.0.0.1:8080", "--count"]);
        assert!(matches!(cli.command, Some(Command::Reencrypt(ReencryptArgs { database: Some(_), count: true, .. }))));
        assert!(Cli::try_parse_from(["cargo dev", "package", "--arch", "mips"]).is_err());
        let cli = Cli::parse_from(["cargo dev", "fuzz", "--seed", "7"]);
        assert!(matches!(cli.command, Some(Command::Fuzz { what: None, requests: FuzzArgs { seed: 7, .. } })));
        let cli = Cli::parse_from(["cargo dev", "fuzz", "parsers", "--seconds", "9", "--only", "templates"]);
        let Some(Command::Fuzz { what: Some(Fuzz::Parsers(args)), .. }) = cli.command else {
            panic!("another command")
        };
        assert_eq!((args.seconds, args.seed, args.only.as_deref()), (9, 1, Some("templates")));
        let cli = Cli::parse_from(["cargo dev", "openapi", "compare", "--contract", "x.json"]);
        assert!(matches!(cli.command, Some(Command::Openapi { what: OpenApi::Compare(_) })));
    }
}
