//! `cargo dev`.

use std::process::ExitCode;

use clap::Parser;
use local_dev::{
    bench, chaos,
    cli::{Cli, Command, Fuzz, Infra, OpenApi},
    dev, fuzz, infra, openapi, package, reencrypt, sbom,
};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => dev::run(cli.start).await,
        Some(Command::Bench { what }) => bench::command(what).await,
        Some(Command::Chaos(args)) => chaos::command(args).await,
        Some(Command::Fuzz { what: None, requests }) => fuzz::command(requests).await,
        Some(Command::Fuzz { what: Some(Fuzz::Parsers(args)), .. }) => fuzz::parsers(&args),
        Some(Command::Sbom(args)) => sbom::command(&args),
        Some(Command::Infra { what: Infra::Check(args) }) => infra::check(&args),
        Some(Command::Infra { what: Infra::SeedMistakes }) => infra::seed_mistakes(),
        Some(Command::Package(args)) => package::command(args).await,
        Some(Command::Deploy(args)) => package::deploy(args).await,
        Some(Command::Openapi { what: OpenApi::Compare(args) }) => openapi::compare(&args),
        Some(Command::Reencrypt(args)) => reencrypt::command(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
