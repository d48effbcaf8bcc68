//! `cargo dev`.

use std::process::ExitCode;

use clap::Parser;
use local_dev::{
    bench,
    cli::{Bench, Cli, Command},
    dev,
};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => dev::run(cli.start).await,
        Some(Command::Bench { what: Bench::Pipeline(args) }) => bench::pipeline(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
