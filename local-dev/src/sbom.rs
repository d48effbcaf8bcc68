//! `cargo dev sbom`: what the functions are made of, as a CycloneDX document for scanners and customers.
//!
//! It comes from `cargo metadata` and `Cargo.lock`, without a network: every crate of ours that is deployed and whatever
//! it links or runs while it is built, with licence and checksum. Features count as over the whole workspace, so a
//! function may be listed with a crate that its own build leaves out, never without one that it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::build::workspace_root;

/// What is listed, and where to.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct SbomArgs {
    /// Lists what this function is made of, instead of all
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// Writes to FILE instead of printing
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Makes the document.
pub fn command(args: &SbomArgs) -> Result<()> {
    let document = document(&workspace_root()?, args.function.as_deref())?;
    let text = format!("{}\n", serde_json::to_string_pretty(&document)?);
    match &args.output {
        None => print!("{text}"),
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
    }
    Ok(())
}

/// The document of one function, or of all.
pub fn document(root: &Path, function: Option<&str>) -> Result<Value> {
    let metadata = metadata(root)?;
    let list = |pointer: &str| metadata.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> =
        list("/packages").into_iter().map(|package| (text(&package["id"]), package)).collect();
    let links: BTreeMap<String, Vec<String>> =
        list("/resolve/nodes").iter().map(|node| (text(&node["id"]), deployed_dependencies(node))).collect();

    let is_function = |package: &Value| text(&package["manifest_path"]).contains("/functions/");
    let functions = packages.values().filter(|package| is_function(package));
    let starts: Vec<String> = functions
        .filter(|package| function.is_none_or(|name| package["name"] == name))
        .map(|package| text(&package["id"]))
        .collect();
    if starts.is_empty() {
        bail!("there is no function {}", function.unwrap_or_default());
    }
    let reached = reached(&starts, &links);

    let checksums = checksums(root)?;
    let components: Vec<Value> = reached.iter().map(|id| component(&packages[id], &checksums)).collect();
    let dependencies: Vec<Value> = reached
        .iter()
        .map(|id| json!({"ref": reference(&packages[id]), "dependsOn": links[id].iter().map(|id| reference(&packages[id])).collect::<BTreeSet<_>>()}))
        .chain([json!({"ref": "root", "dependsOn": starts.iter().map(|id| reference(&packages[id])).collect::<BTreeSet<_>>()})])
        .collect();
    let name = function.unwrap_or("functions");
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "root", "name": name, "version": env!("CARGO_PKG_VERSION")}},
        "components": components,
        "dependencies": dependencies,
    }))
}

fn metadata(root: &Path) -> Result<Value> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["metadata", "--format-version", "1", "--locked"]);
    // Functions run on Linux; both architectures link the same crates.
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

/// Everything that a package links, and what its build runs; not what only its tests need.
fn deployed_dependencies(node: &Value) -> Vec<String> {
    let is_deployed = |dependency: &Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
    };
    let dependencies = node["deps"].as_array().into_iter().flatten();
    dependencies.filter(|dependency| is_deployed(dependency)).map(|dependency| text(&dependency["pkg"])).collect()
}

fn reached(starts: &[String], links: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = starts.to_vec();
    while let Some(id) = waiting.pop() {
        if reached.insert(id.clone()) {
            waiting.extend(links.get(&id).into_iter().flatten().cloned());
        }
    }
    reached
}

/// What `Cargo.lock` knows of every crate from a registry, by name and version.
fn checksums(root: &Path) -> Result<BTreeMap<(String, String), String>> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let value = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    Ok(blocks
        .filter_map(|block| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?)))
        .collect())
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": name,
        "version": version,
        "purl": format!("pkg:cargo/{name}@{version}"),
    });
    if let Some(licence) = package["license"].as_str() {
        // A slash is the old way to write OR.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(&(name, version)) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn reference(package: &Value) -> String {
    format!("{}@{}", text(&package["name"]), text(&package["version"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_listed_with_all_that_it_links() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let all = document(&root, None).unwrap();
        let one = document(&root, Some("job-webhook")).unwrap();
        for document in [&all, &one] {
            let components = document["components"].as_array().unwrap();
            let known: BTreeSet<&str> =
                components.iter().filter_map(|component| component["bom-ref"].as_str()).collect();
            assert_eq!(known.len(), components.len(), "each once");
            for edge in document["dependencies"].as_array().unwrap() {
                assert!(edge["ref"] == "root" || known.contains(edge["ref"].as_str().unwrap()), "{edge}");
                assert!(
                    edge["dependsOn"].as_array().unwrap().iter().all(|to| known.contains(to.as_str().unwrap())),
                    "{edge}"
                );
            }
            for component in components {
                let is_ours = component["version"] == env!("CARGO_PKG_VERSION") && component.get("hashes").is_none();
                assert!(
                    is_ours || component["hashes"][0]["content"].as_str().is_some_and(|hex| hex.len() == 64),
                    "{component}"
                );
                assert!(component["licenses"][0]["expression"].is_string(), "{component}");
            }
        }
        let names = |document: &Value| -> BTreeSet<String> {
            document["components"].as_array().unwrap().iter().map(|component| text(&component["name"])).collect()
        };
        assert!(names(&one).contains("reqwest") && names(&one).is_subset(&names(&all)));
        assert!(!names(&one).contains("axum") && names(&all).contains("axum"), "a job links no HTTP server");
        assert!(!names(&all).contains("proptest") && !names(&all).contains("local-dev"), "tests are not deployed");
        assert!(document(&root, Some("no-such-function")).is_err());
    }
}
