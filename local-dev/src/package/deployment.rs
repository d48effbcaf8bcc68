//! The template as it is deployed with packages: `infra/template.yaml`, with the zip files in place of a build.
//!
//! Written as JSON, which CloudFormation takes too and which leaves no question of quoting open.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use serde_json::{Map, Value as Json, json};
use yaml_serde::Value as Yaml;

use super::Arch;

/// The text of a template whose functions are the packages in `archives`, which are for `arch`.
///
/// The parameter for the architecture admits that one only: packages for one processor and a stack for another would
/// deploy, and then no function would start.
pub(super) fn template(text: &str, archives: &BTreeMap<String, &Path>, arch: Arch) -> Result<String> {
    let template: Yaml = yaml_serde::from_str(text).context("the template is no YAML")?;
    let mut template = json(&template)?;
    let architecture = object(&mut template, &["Parameters", "Architecture"])?;
    architecture.insert("Default".to_owned(), json!(arch.name()));
    architecture.insert("AllowedValues".to_owned(), json!([arch.name()]));
    object(&mut template, &["Globals", "Function"])?.remove("CodeUri");
    for (id, resource) in object(&mut template, &["Resources"])? {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str();
        let binary = binary.with_context(|| format!("{id} names no binary"))?;
        let archive = archives.get(binary).with_context(|| format!("{binary} has not been packaged"))?;
        resource["Properties"]["CodeUri"] = json!(archive.to_str().context("a path is no text")?);
        // It says how `sam build` builds; nothing is left to build.
        if let Some(resource) = resource.as_object_mut() {
            resource.remove("Metadata");
        }
    }
    Ok(format!("{template:#}\n"))
}

fn object<'a>(value: &'a mut Json, path: &[&str]) -> Result<&'a mut Map<String, Json>> {
    let found = path.iter().try_fold(value, |value, name| value.get_mut(*name));
    found.and_then(Json::as_object_mut).with_context(|| format!("the template has no {}", path.join(".")))
}

/// JSON for a piece of a template, with CloudFormation's short forms (`!Ref X`) in their long form.
fn json(yaml: &Yaml) -> Result<Json> {
    Ok(match yaml {
        Yaml::Sequence(items) => Json::Array(items.iter().map(json).collect::<Result<_>>()?),
        Yaml::Mapping(members) => {
            let members = members.iter().map(|(name, value)| Ok((key(name)?, json(value)?)));
            Json::Object(members.collect::<Result<_>>()?)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let value = match (tag, json(&tagged.value)?) {
                ("GetAtt", Json::String(text)) => json!(text.splitn(2, '.').collect::<Vec<_>>()),
                (_, value) => value,
            };
            let name = if matches!(tag, "Ref" | "Condition") { tag.to_owned() } else { format!("Fn::{tag}") };
            json!({ name: value })
        }
        plain => serde_json::to_value(plain).context("the template has something that JSON has not")?,
    })
}

fn key(name: &Yaml) -> Result<String> {
    match name {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        other => anyhow::bail!("the template has a name that is no text: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{TEMPLATE_PATH, Template};

    fn ours() -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        std::fs::read_to_string(root.join(TEMPLATE_PATH)).unwrap()
    }

    #[test]
    fn short_forms_become_long_ones() {
        let yaml =
            "a: !Ref X\nb: !GetAtt X.Y.Z\nc: !If [C, !Sub '${A}', !Ref 'AWS::NoValue']\nd: {Condition: !Condition E}";
        let expected = json!({
            "a": {"Ref": "X"},
            "b": {"Fn::GetAtt": ["X", "Y.Z"]},
            "c": {"Fn::If": ["C", {"Fn::Sub": "${A}"}, {"Ref": "AWS::NoValue"}]},
            "d": {"Condition": {"Condition": "E"}},
        });
        assert_eq!(json(&yaml_serde::from_str(yaml).unwrap()).unwrap(), expected);
    }

    #[test]
    fn every_function_of_our_template_is_its_package_and_nothing_is_left_to_build() {
        let functions = Template::parse(&ours()).unwrap().functions;
        let paths: BTreeMap<String, String> =
            functions.iter().map(|function| (function.name.clone(), format!("../{}.zip", function.name))).collect();
        let archives = paths.iter().map(|(name, path)| (name.clone(), Path::new(path))).collect();
        let text = template(&ours(), &archives, Arch::X86_64).unwrap();
        let packaged: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(packaged["Resources"]["ApiAuth"]["Properties"]["CodeUri"], "../api-auth.zip");
        assert_eq!(text.matches("\"CodeUri\"").count(), functions.len());
        assert!(!text.contains("BuildMethod"));
        assert_eq!(packaged["Parameters"]["Architecture"]["AllowedValues"], json!(["x86_64"]));
        assert_eq!(packaged["Parameters"]["Architecture"]["Default"], "x86_64");
    }

    #[test]
    fn a_function_without_a_package_is_an_error_that_names_it() {
        let error = template(&ours(), &BTreeMap::new(), Arch::Arm64).unwrap_err().to_string();
        assert!(error.ends_with("has not been packaged"), "{error}");
    }
}
