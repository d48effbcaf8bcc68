//! How soon a new process of a function asks for work, and how soon it has answered its first request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use axum::http::Request;
use serde_json::{Value, json};
use shared_core::config::DatabaseConfig;

use super::{
    alone::{Alone, CALL_LIMIT, REGISTER},
    figures::{Percentiles, reached, rounded},
    system::cores,
};
use crate::{
    build::{Profile, build_functions, workspace_root},
    cli::ColdArgs,
    host::Host,
    openapi::DOCUMENT_PATH,
    package::{Arch, Package, existing},
    report::Reporter,
    stack::{DATABASE_FILE, Isolation, MIGRATE, functions_alone},
    template::Template,
};

/// For API functions, against a local file.
const GOAL_FIRST_POLL_MS: f64 = 5.0;

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
pub async fn cold(args: ColdArgs) -> Result<()> {
    let root = workspace_root()?;
    let template = Template::load(&root)?;
    let names = names(&template, &args.only)?;
    let packages = existing(&root, &template, Arch::of_this_machine()).await?;
    let programs = programs(&root, &template, &names, &packages).await?;
    let document = fs::read_to_string(root.join(DOCUMENT_PATH)).context("cannot read the OpenAPI document")?;
    let document: Value = serde_json::from_str(&document).context("the OpenAPI document is no JSON")?;

    let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
    let database = DatabaseConfig::File(dir.path().join(DATABASE_FILE));
    let (data_dir, env) = (dir.path(), BTreeMap::new());
    let isolation = Isolation { data_dir, database: &database, programs: &programs, env: &env, max_instances: 1 };
    let functions = functions_alone(&template, &isolation)?;
    let host = Host::new(functions, dir.path(), &Reporter::silent())?;
    let alone = Alone { template: &template, host: &host };
    let token = alone.set_up().await?;
    let mut all = BTreeMap::new();
    for name in names {
        println!("Starting {name} {} times", args.starts);
        let path = first_request(&document, &template, name);
        let mut figures = measure(&alone, name, path, &token, args.starts).await?;
        figures.package_bytes = packages.get(name).map(sizes).transpose()?;
        all.insert(name, figures);
    }
    host.shutdown().await;
    print(&args, &all);
    match &args.json {
        None => Ok(()),
        Some(file) => fs::write(file, format!("{:#}\n", report(&args, &all)))
            .with_context(|| format!("cannot write {}", file.display())),
    }
}

/// The functions to measure.
fn names<'a>(template: &'a Template, only: &[String]) -> Result<Vec<&'a str>> {
    if let Some(unknown) = only.iter().find(|name| template.function(name).is_none()) {
        bail!("There is no function {unknown}.");
    }
    let all = template.functions.iter().map(|function| function.name.as_str());
    Ok(all.filter(|name| only.is_empty() || only.iter().any(|wanted| wanted == name)).collect())
}

/// The programs of these functions and of those that set up the system: packaged, or else built here.
async fn programs(
    root: &Path,
    template: &Template,
    names: &[&str],
    packages: &BTreeMap<String, Package>,
) -> Result<BTreeMap<String, PathBuf>> {
    let register = template.route("POST", REGISTER).context("the template has no route for registering")?;
    let needed: BTreeSet<&str> = names.iter().copied().chain([MIGRATE, register.route.function.as_str()]).collect();
    let (packaged, missing): (Vec<&str>, Vec<&str>) = needed.into_iter().partition(|name| packages.contains_key(*name));
    println!("{} of the programs come from `cargo dev package`", packaged.len());
    let mut programs: BTreeMap<String, PathBuf> =
        packaged.into_iter().map(|name| (name.to_owned(), packages[name].program.clone())).collect();
    if !missing.is_empty() {
        println!(
            "{} have not been packaged and are built with the quick profile: {}",
            missing.len(),
            missing.join(", ")
        );
        let built = build_functions(root, &missing, Profile::Quick, true).await?;
        programs.extend(missing.into_iter().map(|name| (name.to_owned(), built.join(name))));
    }
    Ok(programs)
}

async fn measure(alone: &Alone<'_>, function: &str, path: Option<String>, token: &str, starts: u32) -> Result<Figures> {
    let mut figures = Figures { first_request: path, ..Figures::default() };
    // The first start only brings the program into memory.
    for start in 0..=starts {
        let payload = match &figures.first_request {
            None => None,
            Some(path) => {
                let request = Request::get(path).header("authorization", format!("Bearer {token}"));
                Some(alone.event(request, b"")?.1)
            }
        };
        let cold = alone.host.cold_start(function, payload, CALL_LIMIT).await;
        let cold = cold.with_context(|| format!("{function} did not start"))?;
        if let Some((_, answer)) = &cold.first_answer {
            check(answer).with_context(|| format!("the first request of {function}"))?;
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
pub(super) fn first_request(document: &Value, template: &Template, function: &str) -> Option<String> {
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
    let answer: Value = serde_json::from_slice(answer).context("the answer is no JSON")?;
    if answer["statusCode"] != 200 {
        bail!("was answered with {answer}");
    }
    Ok(())
}

fn sizes(package: &Package) -> Result<(u64, u64)> {
    let bytes = |path| fs::metadata(path).map(|file| file.len()).context("cannot read a package");
    Ok((bytes(&package.program)?, bytes(&package.archive)?))
}

fn is_api(figures: &Figures) -> bool {
    figures.first_request.is_some()
}

fn print(args: &ColdArgs, all: &BTreeMap<&str, Figures>) {
    println!("\nStarts on {} cores, runtime host, local database file; {} starts each\n", cores(), args.starts);
    let (poll, answer) = ("first poll p50 / p99", "first answer p50 / p99");
    println!("{:<18}{poll:>22}  {answer:>24}{:>9}{:>10}{:>9}", "function", "RSS", "program", "zip");
    for (name, figures) in all {
        let times = |values: &[f64]| {
            let times = Percentiles::of(values.to_vec());
            if values.is_empty() { "-".to_owned() } else { format!("{:.1} / {:.1} ms", times.p50, times.p99) }
        };
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1_000_000.0);
        let (program, archive) =
            figures.package_bytes.map_or(("quick".to_owned(), "-".to_owned()), |(program, zip)| (mb(program), mb(zip)));
        let (first_poll, first_answer) = (times(&figures.first_poll), times(&figures.first_answer));
        let resident = mb(figures.resident_bytes);
        println!("{name:<18}{first_poll:>22}  {first_answer:>24}{resident:>9}{program:>10}{archive:>9}");
    }
    let late = late(all);
    let details = if late.is_empty() { String::new() } else { format!(" by {}", late.join(", ")) };
    println!(
        "\n  goal: first poll of API functions at most {GOAL_FIRST_POLL_MS} ms (p50): {}{details}\n",
        reached(late.is_empty())
    );
}

/// API functions that miss the goal.
fn late<'a>(all: &BTreeMap<&'a str, Figures>) -> Vec<&'a str> {
    let apis = all.iter().filter(|(_, figures)| is_api(figures));
    let late = apis.filter(|(_, figures)| Percentiles::of(figures.first_poll.clone()).p50 > GOAL_FIRST_POLL_MS);
    late.map(|(name, _)| *name).collect()
}

fn report(args: &ColdArgs, all: &BTreeMap<&str, Figures>) -> Value {
    let functions = all.iter().map(|(name, figures)| {
        let mut values = json!({
            "build": if figures.package_bytes.is_some() { "package" } else { "quick" },
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
    json!({
        "benchmark": "cold",
        "setting": { "cores": cores(), "runtime": "host", "database": "file", "starts": args.starts },
        "functions": functions.collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> (Value, Template) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let document = fs::read_to_string(root.join(DOCUMENT_PATH)).unwrap();
        (serde_json::from_str(&document).unwrap(), Template::load(&root).unwrap())
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
    fn only_api_functions_can_miss_the_goal() {
        let figures = |path: Option<&str>, times: &[f64]| Figures {
            first_poll: times.to_vec(),
            first_request: path.map(str::to_owned),
            ..Figures::default()
        };
        let all = BTreeMap::from([
            ("api-late", figures(Some("/"), &[5.1, 5.1, 1.0])),
            ("api-once-late", figures(Some("/"), &[50.0, 5.0, 5.0])),
            ("job-late", figures(None, &[9.0])),
        ]);
        assert_eq!(late(&all), ["api-late"]);
    }
}
