//! How soon a new process of a function asks for work, and how soon it has answered its first request.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    common::CommonArgs,
    figures::{Percentiles, rounded},
    functions::{CALL_LIMIT, Functions, Programs, is_api, read},
    goal::Goal,
};
use crate::{
    build::workspace_root,
    openapi::{self, DOCUMENT_PATH},
    package::{Arch, Package, existing},
    template::Template,
};

/// For API functions, against a local file.
const GOAL_FIRST_POLL_MS: f64 = 5.0;
const GOAL_FIRST_ANSWER_MS: f64 = 15.0;

/// Options of `cargo dev bench cold`.
#[derive(Debug, Clone, Args)]
pub struct ColdArgs {
    /// Starts of each function
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub starts: u32,
    /// Measures only this function; may be repeated
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// What it shares with other benchmarks. An unoptimised build takes the place of packages.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What was measured of one function.
#[derive(Debug, Default)]
struct Figures {
    /// From the start of the process to its first request for work, in milliseconds.
    first_poll: Vec<f64>,
    /// From the start of the process to its first answer, in milliseconds; of API functions only.
    first_answer: Vec<f64>,
    /// Path of the first request.
    first_request: Option<String>,
    /// Memory in use when it asked for work.
    resident_bytes: u64,
    /// Sizes of program and zip file, if it was packaged.
    package_bytes: Option<(u64, u64)>,
}

/// Runs the benchmark and prints its figures.
pub(super) async fn cold(args: ColdArgs) -> Result<()> {
    let root = workspace_root()?;
    let mut programs = Programs::none()?;
    let template = programs.template.clone();
    let names = names(&template, &args.only)?;
    let packages = match args.common.debug {
        true => BTreeMap::new(),
        false => existing(&root, &template, Arch::of_this_machine()).await?,
    };
    println!("{} of the programs come from `cargo dev package`", packages.len());
    programs.files.extend(packages.iter().map(|(name, package)| (name.clone(), package.program.clone())));
    let programs = programs.with_built(&args.common, |name| names.contains(&name)).await?;
    let document = openapi::read(&root.join(DOCUMENT_PATH))?;

    let measure_all = async |functions: &Functions| {
        let mut all = BTreeMap::new();
        for name in &names {
            println!("Starting {name} {} times", args.starts);
            let path = first_request(&document, &template, name);
            let mut figures = measure(functions, name, path, args.starts).await?;
            figures.package_bytes = packages.get(*name).map(sizes).transpose()?;
            all.insert(*name, figures);
        }
        Ok(all)
    };
    let all = Functions::run(&programs, 1, None, measure_all).await?;
    print(&args, &all);
    let setting = json!({"database": "file", "starts": args.starts});
    args.common.finish("cold", setting, json!({"functions": figures(&all)}), &goals(&all))
}

/// The functions to measure.
fn names<'a>(template: &'a Template, only: &[String]) -> Result<Vec<&'a str>> {
    if let Some(unknown) = only.iter().find(|name| template.function(name).is_none()) {
        bail!("There is no function {unknown}.");
    }
    let all = template.functions.iter().map(|function| function.name.as_str());
    Ok(all.filter(|name| only.is_empty() || only.iter().any(|wanted| wanted == name)).collect())
}

async fn measure(functions: &Functions, name: &str, path: Option<String>, starts: u32) -> Result<Figures> {
    let mut figures = Figures { first_request: path, ..Figures::default() };
    // The first start only brings the program into memory.
    for start in 0..=starts {
        let event = figures.first_request.as_deref().map(|path| functions.reading(path)).transpose()?;
        let cold = functions.host.cold_start(name, event.map(|(_, event)| event), CALL_LIMIT).await;
        let cold = cold.with_context(|| format!("{name} did not start"))?;
        if let Some((_, answer)) = &cold.first_answer {
            check(answer).with_context(|| format!("the first request of {name}"))?;
        }
        if start == 0 {
            continue;
        }
        figures.first_poll.push(cold.to_first_poll.as_secs_f64() * 1000.0);
        figures.first_answer.extend(cold.first_answer.map(|(after, _)| after.as_secs_f64() * 1000.0));
        figures.resident_bytes = figures.resident_bytes.max(cold.resident_bytes);
    }
    Ok(figures)
}

/// The first operation of a function that needs no parameter, so that it reads from the database and succeeds.
fn first_request(document: &Value, template: &Template, function: &str) -> Option<String> {
    let paths = document["paths"].as_object()?.iter();
    let mut readable = paths.filter(|(path, item)| !path.contains('{') && item.get("get").is_some());
    let is_served = |path: &str| template.route("GET", path).is_some_and(|found| found.route.function == function);
    let path = readable.find(|(path, _)| is_served(path)).map(|(path, _)| path.as_str())?;
    Some(match path {
        // Lists what belongs to one prompt or one execution; there are none of this one.
        "/api/v1/comments" => format!("{path}?prompt_id=00000000-0000-4000-8000-000000000000"),
        _ => path.to_owned(),
    })
}

/// A start that ends in a refusal or an error would be a figure for something else.
fn check(answer: &[u8]) -> Result<()> {
    match read(answer)? {
        (200, _) => Ok(()),
        (status, body) => bail!("was answered with {status}: {body}"),
    }
}

fn sizes(package: &Package) -> Result<(u64, u64)> {
    let bytes = |path| fs::metadata(path).map(|file| file.len()).context("cannot read a package");
    Ok((bytes(&package.program)?, bytes(&package.archive)?))
}

fn print(args: &ColdArgs, all: &BTreeMap<&str, Figures>) {
    println!("\nStarts on {}, local database file; {} starts each\n", args.common, args.starts);
    let (poll, answer) = ("first poll p50 / p99", "first answer p50 / p99");
    println!("{:<18}{poll:>22}  {answer:>24}{:>9}{:>10}{:>9}", "function", "RSS", "program", "zip");
    for (name, figures) in all {
        let times = |values: &[f64]| {
            let times = Percentiles::of(values.to_vec());
            if values.is_empty() { "-".to_owned() } else { format!("{:.1} / {:.1} ms", times.p50, times.p99) }
        };
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1_000_000.0);
        let (program, archive) =
            figures.package_bytes.map_or(("built".to_owned(), "-".to_owned()), |(program, zip)| (mb(program), mb(zip)));
        let (first_poll, first_answer) = (times(&figures.first_poll), times(&figures.first_answer));
        let resident = mb(figures.resident_bytes);
        println!("{name:<18}{first_poll:>22}  {first_answer:>24}{resident:>9}{program:>10}{archive:>9}");
    }
}

fn goals(all: &BTreeMap<&str, Figures>) -> [Goal; 2] {
    let medians = |times: fn(&Figures) -> &Vec<f64>| {
        let apis = all.iter().filter(|(name, _)| is_api(name));
        let medians = apis.map(|(name, figures)| ((*name).to_owned(), Percentiles::of(times(figures).clone()).p50));
        medians.collect::<Vec<_>>()
    };
    let (polls, answers) = (medians(|figures| &figures.first_poll), medians(|figures| &figures.first_answer));
    [
        Goal::all_at_most("first poll of API functions, p50,", GOAL_FIRST_POLL_MS, "ms", polls),
        Goal::all_at_most("first answer of API functions, p50,", GOAL_FIRST_ANSWER_MS, "ms", answers),
    ]
}

fn figures(all: &BTreeMap<&str, Figures>) -> Map<String, Value> {
    let functions = all.iter().map(|(name, figures)| {
        let mut values = json!({
            "isPackaged": figures.package_bytes.is_some(),
            "toFirstPollMs": Percentiles::of(figures.first_poll.clone()).json(),
            "residentMb": rounded(figures.resident_bytes as f64 / 1_000_000.0),
        });
        if let Some(path) = &figures.first_request {
            values["firstRequest"] = json!(path);
            values["toFirstAnswerMs"] = Percentiles::of(figures.first_answer.clone()).json();
        }
        if let Some((program, archive)) = figures.package_bytes {
            values["programBytes"] = json!(program);
            values["zipBytes"] = json!(archive);
        }
        ((*name).to_owned(), values)
    });
    functions.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn ours() -> (Value, Template) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        (openapi::read(&root.join(DOCUMENT_PATH)).unwrap(), Template::load(&root).unwrap())
    }

    #[test]
    fn every_api_function_has_a_first_request_and_no_other_has() {
        let (document, template) = ours();
        for function in &template.functions {
            let path = first_request(&document, &template, &function.name);
            assert_eq!(path.is_some(), function.name.starts_with("api-"), "{}: {path:?}", function.name);
        }
    }

    #[test]
    fn only_answers_that_succeeded_count() {
        assert!(check(br#"{"statusCode": 200}"#).is_ok());
        assert!(check(br#"{"statusCode": 401}"#).is_err() && check(b"{}").is_err() && check(b"").is_err());
    }

    #[test]
    fn only_api_functions_can_miss_the_goals() {
        let figures = |first_poll: &[f64], first_answer: &[f64]| Figures {
            first_poll: first_poll.to_vec(),
            first_answer: first_answer.to_vec(),
            ..Figures::default()
        };
        let all = BTreeMap::from([
            ("api-late", figures(&[5.1, 5.1, 1.0], &[9.0])),
            ("api-once-late", figures(&[50.0, 5.0, 5.0], &[16.0])),
            ("job-late", figures(&[9.0], &[])),
        ]);
        let [polls, answers] = goals(&all).map(|goal| goal.to_string());
        assert!(polls.ends_with("missed, api-late 5.1") && answers.ends_with("missed, api-once-late 16"), "{polls}");
    }
}
