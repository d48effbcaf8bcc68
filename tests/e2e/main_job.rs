//! A person registers, stores a provider key, writes a prompt, runs it, and reads the result.

use serde_json::json;
use shared_testing::vendor::{self, FakeVendor};

use crate::{
    client::Session,
    place::{Place, at_both_places},
};

at_both_places!(from_registration_to_a_result_with_the_demo_provider);

async fn from_registration_to_a_result_with_the_demo_provider(place: Place) {
    let session = Session::start_at(place, None, |options| options.redeliver_every = Some(2)).await;
    session.add_provider("ollama").await;
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    let prompt = json!({"name": "greeting", "prompt": "Greet {{name}} & family.", "json_schema_input": schema});
    let prompt_id = session.post("/api/v1/prompts", &prompt).await["id"].clone();
    let models = session.get("/api/v1/executions/providers/models").await;
    assert!(models["ollama"].as_array().is_some_and(|list| list.contains(&json!("demo:latest"))), "{models}");

    let run =
        json!({"promptId": prompt_id, "userInput": "{\"name\": \"Ada\"}", "providerModel": ["ollama:demo:latest"]});
    let ids = session.run(&run).await;
    let execution = session.wait_for_end(&ids[0]).await;
    assert_eq!(execution["status"], "completed", "{execution}");
    assert!(execution["result"].as_str().is_some_and(|text| text.contains("Greet Ada & family.")), "{execution}");
    assert_eq!((&execution["result_valid"], &execution["origin"]), (&json!(true), &json!("app")));
    assert_eq!(execution["prompt"], json!({"name": "greeting", "version": 1}));

    let many = vec!["ollama:demo:latest"; 30];
    let ids = session.run_text("Say hello", &many).await;
    for id in &ids {
        assert_eq!(session.wait_for_end(id).await["status"], "completed");
    }
    let stats = session.get("/api/v1/executions/stats/all").await;
    assert_eq!((&stats["total"], &stats["completed"]), (&json!(31), &json!(31)), "every message twice, every run once");
    session.end_and_search(&["Ada & family", "Say hello", "{{name}}"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_path_with_the_formats_of_openai_and_anthropic() {
    let vendors = FakeVendor::start().await;
    vendors.on("GET", "/v1/models", vendor::openai::models_page(["gpt-4.1"]));
    vendors.on("POST", "/v1/responses", vendor::openai::response_text("hello from openai"));
    vendors.on("POST", "/v1/messages", vendor::anthropic::message("hello from anthropic"));
    let session = Session::start(Some(vendors.url()), |_| ()).await;
    session.add_provider("openai").await;
    let ids = session.run_text("Say hello", &["openai:gpt-4.1"]).await;
    assert_eq!(session.wait_for_end(&ids[0]).await["result"], "hello from openai");

    vendors.on("GET", "/v1/models", vendor::anthropic::models_page(["claude-sonnet-4"], false));
    session.add_provider("anthropic").await;
    let ids = session.run_text("Say hello", &["anthropic:claude-sonnet-4"]).await;
    assert_eq!(session.wait_for_end(&ids[0]).await["result"], "hello from anthropic");
    session.end_and_search(&["Say hello", "hello from"]).await;
}
