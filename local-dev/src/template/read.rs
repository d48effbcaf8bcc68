//! From SAM's YAML to [`Template`].
//!
//! Only what the template uses is understood: short-form references (`!Ref X`, `!GetAtt X.Arn`),
//! `Globals.Function`, and the event types `HttpApi`, `SQS` and `ScheduleV2`. What only the cloud can
//! tell (`!Sub` and `!If` in an environment) is noted as such.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, de::DeserializeOwned};
use yaml_serde::Value;

use super::{DeadLetter, EnvValue, Function, Queue, QueueMapping, Route, Schedule, Template};

/// Lambda's own defaults, for what the template leaves out.
const DEFAULT_TIMEOUT_SECONDS: u64 = 3;
const DEFAULT_MEMORY_MB: u32 = 128;
const DEFAULT_BATCH_SIZE: u32 = 10;
/// AWS would go on to 1,000; a machine under a desk should not.
const DEFAULT_MAX_CONCURRENCY: u32 = 10;
const DEFAULT_VISIBILITY_SECONDS: u64 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    globals: Globals,
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    default: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Globals {
    #[serde(default)]
    function: FunctionProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(default)]
    build_properties: BuildProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct BuildProperties {
    binary: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct FunctionProperties {
    timeout: Option<u64>,
    memory_size: Option<u32>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    events: BTreeMap<String, Event>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpApiEvent {
    path: Option<String>,
    method: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsEvent {
    queue: Value,
    batch_size: Option<Value>,
    #[serde(default)]
    function_response_types: Vec<String>,
    #[serde(default)]
    scaling_config: ScalingConfig,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleEvent {
    schedule_expression: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct QueueProperties {
    visibility_timeout: Option<u64>,
    redrive_policy: Option<RedrivePolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: Value,
    max_receive_count: u32,
}

pub(super) fn parse(text: &str) -> Result<Template> {
    let document: Document = yaml_serde::from_str(text)?;
    let mut template =
        Template { functions: vec![], routes: vec![], queues: vec![], mappings: vec![], schedules: vec![] };
    for (id, resource) in &document.resources {
        match resource.kind.as_str() {
            "AWS::Serverless::Function" => add_function(&mut template, &document, resource),
            "AWS::SQS::Queue" => add_queue(&mut template, id, resource),
            _ => Ok(()),
        }
        .with_context(|| format!("resource {id}"))?;
    }
    template.functions.sort_by(|a, b| a.name.cmp(&b.name));
    template.routes.sort_by(Route::by_specificity);
    template.queues.sort_by_key(|queue| queue.dead_letter.is_some());
    check_references(&template)?;
    Ok(template)
}

fn add_function(template: &mut Template, document: &Document, resource: &Resource) -> Result<()> {
    let properties: FunctionProperties = read(&resource.properties)?;
    let globals = &document.globals.function;
    let name =
        resource.metadata.build_properties.binary.clone().context("Metadata.BuildProperties.Binary is missing")?;

    let mut environment = BTreeMap::new();
    let variables = [&globals.environment, &properties.environment];
    for (variable, value) in variables.iter().flat_map(|layer| &layer.variables) {
        let value = env_value(document, value).with_context(|| format!("environment variable {variable}"))?;
        environment.insert(variable.clone(), value);
    }
    for (event_name, event) in &properties.events {
        add_event(template, document, &name, event_name, event).with_context(|| format!("event {event_name}"))?;
    }
    let timeout = properties.timeout.or(globals.timeout);
    template.functions.push(Function {
        name,
        timeout: Duration::from_secs(timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS)),
        memory_mb: properties.memory_size.or(globals.memory_size).unwrap_or(DEFAULT_MEMORY_MB),
        environment,
    });
    Ok(())
}

fn add_event(
    template: &mut Template,
    document: &Document,
    function: &str,
    event_name: &str,
    event: &Event,
) -> Result<()> {
    let function = function.to_owned();
    match event.kind.as_str() {
        "HttpApi" => {
            let http: HttpApiEvent = read(&event.properties)?;
            template.routes.push(match (&http.method, &http.path) {
                (None, None) => Route::default_route(function),
                (Some(method), Some(path)) => Route::new(method, path, function)?,
                _ => bail!("a route has both a method and a path, or neither"),
            });
        }
        "SQS" => {
            let sqs: SqsEvent = read(&event.properties)?;
            template.mappings.push(QueueMapping {
                queue: attribute_owner(&sqs.queue)?,
                function,
                batch_size: number(document, sqs.batch_size.as_ref(), DEFAULT_BATCH_SIZE)?,
                max_concurrency: number(
                    document,
                    sqs.scaling_config.maximum_concurrency.as_ref(),
                    DEFAULT_MAX_CONCURRENCY,
                )?,
                reports_item_failures: sqs.function_response_types.iter().any(|kind| kind == "ReportBatchItemFailures"),
            });
        }
        "ScheduleV2" => {
            let schedule: ScheduleEvent = read(&event.properties)?;
            template.schedules.push(Schedule {
                name: event_name.to_owned(),
                function,
                every: rate(&schedule.schedule_expression)?,
            });
        }
        other => bail!("events of type {other} cannot run locally"),
    }
    Ok(())
}

fn add_queue(template: &mut Template, id: &str, resource: &Resource) -> Result<()> {
    let properties: QueueProperties = match &resource.properties {
        Value::Null => QueueProperties::default(),
        properties => read(properties)?,
    };
    let visibility = properties.visibility_timeout;
    template.queues.push(Queue {
        name: id.to_owned(),
        visibility_timeout: Duration::from_secs(visibility.unwrap_or(DEFAULT_VISIBILITY_SECONDS)),
        dead_letter: match properties.redrive_policy {
            None => None,
            Some(policy) => Some(DeadLetter {
                queue: attribute_owner(&policy.dead_letter_target_arn)?,
                max_receive_count: policy.max_receive_count,
            }),
        },
    });
    Ok(())
}

fn check_references(template: &Template) -> Result<()> {
    let has_queue = |name: &str| template.queues.iter().any(|queue| queue.name == name);
    for mapping in &template.mappings {
        if !has_queue(&mapping.queue) {
            bail!("{} reads the unknown queue {}", mapping.function, mapping.queue);
        }
    }
    for queue in &template.queues {
        if let Some(dead_letter) = &queue.dead_letter
            && !has_queue(&dead_letter.queue)
        {
            bail!("{} names the unknown dead-letter queue {}", queue.name, dead_letter.queue);
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T> {
    Ok(yaml_serde::from_value(value.clone())?)
}

fn env_value(document: &Document, value: &Value) -> Result<EnvValue> {
    if let Some(text) = scalar(value) {
        return Ok(EnvValue::Literal(text));
    }
    if let Value::Tagged(tagged) = value
        && (tagged.tag == "Sub" || tagged.tag == "If")
    {
        return Ok(EnvValue::Cloud);
    }
    let name = tagged(value, "Ref").context("neither a literal nor a !Ref, !Sub or !If")?;
    if let Some(parameter) = document.parameters.get(name) {
        return Ok(EnvValue::Parameter { name: name.to_owned(), default: parameter.default.as_ref().and_then(scalar) });
    }
    match document.resources.get(name).map(|it| it.kind.as_str()) {
        Some("AWS::SQS::Queue") => Ok(EnvValue::QueueUrl(name.to_owned())),
        Some(kind) => bail!("!Ref {name} is a {kind}, only queues can be referred to"),
        None => bail!("!Ref {name} is neither a parameter nor a resource"),
    }
}

/// A number that stands here, or as the default of the parameter that is named here.
fn number(document: &Document, value: Option<&Value>, otherwise: u32) -> Result<u32> {
    let Some(value) = value else { return Ok(otherwise) };
    let text = match tagged(value, "Ref") {
        None => scalar(value),
        Some(name) => document.parameters.get(name).and_then(|parameter| parameter.default.as_ref()).and_then(scalar),
    };
    text.and_then(|text| text.parse().ok()).context("expected a number, or a parameter whose default is one")
}

/// The resource of `!GetAtt Resource.Arn`.
fn attribute_owner(value: &Value) -> Result<String> {
    let reference = tagged(value, "GetAtt").context("expected !GetAtt Resource.Arn")?;
    match reference.split_once('.') {
        Some((resource, "Arn")) => Ok(resource.to_owned()),
        _ => bail!("expected !GetAtt Resource.Arn, found {reference}"),
    }
}

fn tagged<'a>(value: &'a Value, tag: &str) -> Option<&'a str> {
    match value {
        Value::Tagged(tagged) if tagged.tag == tag => tagged.value.as_str(),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// `rate(1 minute)` and the like; `cron(...)` would need a calendar and is not needed here.
fn rate(expression: &str) -> Result<Duration> {
    let wrong = || format!("the schedule {expression:?} is not like rate(1 minute)");
    let (count, unit) = expression
        .strip_prefix("rate(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|inner| inner.split_once(' '))
        .with_context(wrong)?;
    let count: u64 = count.parse().ok().with_context(wrong)?;
    let seconds = match unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => bail!(wrong()),
    };
    Ok(Duration::from_secs(count * seconds))
}
