use std::{path::Path, time::Duration};

use super::{EnvValue, Template};

fn ours() -> Template {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Template::load(&root).unwrap()
}

fn routed(template: &Template, method: &str, path: &str) -> String {
    template.route(method, path).unwrap().route.key.clone()
}

#[test]
fn reads_the_functions_of_our_template() {
    let template = ours();
    let names: Vec<&str> = template.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "api-api-keys",
            "api-audit",
            "api-auth",
            "api-comments",
            "api-dashboard",
            "api-deployments",
            "api-executions",
            "api-files",
            "api-jobs",
            "api-prompts",
            "api-settings",
            "api-system",
            "api-test-data",
            "api-users",
            "job-embedding",
            "job-execution",
            "job-maintenance",
            "job-webhook",
            "migrate",
        ]
    );
    let job = template.function("job-execution").unwrap();
    assert_eq!(job.timeout, Duration::from_secs(900));
    assert_eq!(job.environment["EXECUTIONS_QUEUE_URL"], EnvValue::QueueUrl("ExecutionsQueue".to_owned()));
    assert_eq!(job.environment["DATABASE_URL"], EnvValue::Parameter { name: "DatabaseUrl".to_owned(), default: None });
    assert_eq!(job.environment["ENCRYPTION_KEY"], EnvValue::Cloud);
    assert!(!template.function("migrate").unwrap().environment.contains_key("ENCRYPTION_KEY"));
    assert_eq!(template.mappings.iter().find(|it| it.queue == "ExecutionsQueue").unwrap().max_concurrency, 10);
}

#[test]
fn queues_wait_six_times_as_long_as_their_function() {
    let template = ours();
    assert!(!template.mappings.is_empty());
    for mapping in &template.mappings {
        let queue = template.queues.iter().find(|q| q.name == mapping.queue).unwrap();
        let function = template.function(&mapping.function).unwrap();
        assert!(queue.visibility_timeout >= function.timeout * 6, "{}", queue.name);
        assert!(queue.dead_letter.is_some(), "{}", queue.name);
        assert!((1..=10).contains(&mapping.batch_size));
        assert!((2..=1_000).contains(&mapping.max_concurrency));
        assert!(mapping.reports_item_failures);
    }
}

#[test]
fn a_dead_letter_queue_stands_before_its_users() {
    let names: Vec<String> = ours().queues.into_iter().map(|q| q.name).collect();
    let kinds = ["Embeddings", "Executions", "Webhooks"];
    let expected = ["DeadLetterQueue", "Queue"].map(|end| kinds.map(|kind| format!("{kind}{end}")));
    assert_eq!(names, expected.concat());
}

#[test]
fn reads_the_schedule() {
    let schedules = ours().schedules;
    assert_eq!(schedules.len(), 1);
    assert_eq!(schedules[0].function, "job-maintenance");
    assert_eq!(schedules[0].every, Duration::from_secs(60));
}

#[test]
fn a_family_is_its_root_with_and_without_slash_and_its_tree() {
    let template = ours();
    for (path, key) in [
        ("/api/v1/prompts", "ANY /api/v1/prompts"),
        ("/api/v1/prompts/", "ANY /api/v1/prompts/"),
        ("/api/v1/prompts/a/b/", "ANY /api/v1/prompts/{proxy+}"),
        ("/API/V1/Prompts/A", "ANY /api/v1/prompts/{proxy+}"),
        ("/api/health", "ANY /api/health"),
        ("/api/v1/promptsX", "$default"),
        ("/", "$default"),
        ("", "$default"),
        ("//api/health", "$default"),
    ] {
        assert_eq!(routed(&template, "GET", path), key, "{path}");
    }
}

#[test]
fn path_parameters_are_decoded() {
    let template = ours();
    let found = template.route("GET", "/api/v1/prompts/a%20b/c%2Fd").unwrap();
    assert_eq!(found.parameters["proxy"], "a b/c/d");
    assert_eq!(found.route.function, "api-prompts");
}

const SPECIFICITY: &str = r#"
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: f } }
    Properties:
      Events:
        A: { Type: HttpApi, Properties: { Method: ANY, Path: "/{proxy+}" } }
        B: { Type: HttpApi, Properties: { Method: GET, Path: "/pets/{id}" } }
        C: { Type: HttpApi, Properties: { Method: GET, Path: /pets/dog } }
        D: { Type: HttpApi, Properties: { Method: ANY, Path: /pets/dog } }
        E: { Type: HttpApi, Properties: {} }
"#;

#[test]
fn the_most_specific_route_wins() {
    let template = Template::parse(SPECIFICITY).unwrap();
    for (method, path, key) in [
        ("GET", "/pets/dog", "GET /pets/dog"),
        ("POST", "/pets/dog", "ANY /pets/dog"),
        ("GET", "/pets/cat", "GET /pets/{id}"),
        ("POST", "/pets/cat", "ANY /{proxy+}"),
        ("GET", "/pets/cat/1", "ANY /{proxy+}"),
        ("GET", "/pets/", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
    ] {
        assert_eq!(routed(&template, method, path), key, "{method} {path}");
    }
}

#[test]
fn says_where_a_template_does_not_fit() {
    let text = SPECIFICITY.replace("Type: HttpApi, Properties: {}", "Type: SNS");
    let error = Template::parse(&text).unwrap_err();
    assert_eq!(format!("{error:#}"), "resource F: event E: events of type SNS cannot run locally");
}

const MAPPING: &str = r#"
Parameters:
  Copies: { Type: Number, Default: 3 }
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: f } }
    Properties:
      Events:
        Q:
          Type: SQS
          Properties: { Queue: !GetAtt Q.Arn, BatchSize: 5, ScalingConfig: { MaximumConcurrency: !Ref Copies } }
  Q: { Type: AWS::SQS::Queue }
"#;

#[test]
fn a_number_may_be_the_default_of_a_parameter() {
    let mapping = &Template::parse(MAPPING).unwrap().mappings[0];
    assert_eq!((mapping.batch_size, mapping.max_concurrency), (5, 3));
    for (from, to) in [("Default: 3", "Default: many"), ("!Ref Copies", "!Ref Other"), ("!Ref Copies", "!Sub x")] {
        let error = Template::parse(&MAPPING.replace(from, to)).unwrap_err();
        assert!(format!("{error:#}").contains("expected a number"), "{error:#}");
    }
}
