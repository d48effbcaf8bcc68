//! Answers of model vendors, over real HTTP.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};
use shared_core::{
    ProviderName,
    embeddings::{EmbeddingInputs, EmbeddingModel, EmbeddingWork},
};
use shared_providers::{
    ChatProvider, Endpoints, GenerationOptions, GenerationRequest, ProviderError, Providers, VoyageAi,
};
use shared_testing::vendor::{FakeVendor, Reply, anthropic, chat_completions, gemini, ollama, openai};
use tokio::runtime::{Builder, Runtime};

use crate::{harness::Target, hostile};

/// No error may contain it, even when a vendor repeats it.
const KEY: &str = "sk-test-0123456789abcdef";

const PIECES: &[&str] =
    &["{", "}", "[", "\"", ":", ",", "null", "text", KEY, "1e999", "\\u0000", "\u{0}", "é", " ", "\n"];

/// The body, changed; sometimes no JSON any more.
fn reply(u: &mut Unstructured<'_>, mut body: Value) -> Result<Reply> {
    const STATUSES: &[u16] =
        &[200, 201, 204, 206, 301, 400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 503, 529, 599];
    hostile::mutate(u, &mut body)?;
    let mut bytes = body.to_string().into_bytes();
    if u.ratio(1, 4)? {
        hostile::mutate_bytes(u, &mut bytes)?;
    }
    if u.ratio(1, 8)? {
        bytes = hostile::text_of(u, PIECES)?.into_bytes();
    }
    let status = if u.ratio(1, 2)? { 200 } else { *u.choose(STATUSES)? };
    let wait: String = hostile::text(u)?.chars().filter(|letter| letter.is_ascii_graphic()).collect();
    let content_type = u.choose(&["application/json", "text/html", "application/octet-stream"])?;
    Ok(Reply::bytes(content_type, bytes).with_status(status).with_header("retry-after", &wait))
}

/// `is_told` says whether the vendor was sent the key; Ollama is not.
fn assert_readable(error: &ProviderError, is_told: bool) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 10_000, "{text}");
    assert!(!is_told || !format!("{text}{error:?}").contains(KEY), "{error:?}");
}

/// The six vendors of language models.
pub(crate) struct Answers {
    vendor: FakeVendor,
    clients: Vec<(Box<dyn ChatProvider>, &'static str)>,
    runtime: Runtime,
}

const MODELS: [(ProviderName, &str); 6] = [
    (ProviderName::Ollama, "llama3.2"),
    (ProviderName::OpenAi, "gpt-4.1"),
    (ProviderName::Anthropic, "claude-sonnet-4-5"),
    (ProviderName::Gemini, "gemini-2.5-flash"),
    (ProviderName::DeepSeek, "deepseek-chat"),
    (ProviderName::DeepInfra, "Qwen/Qwen3-235B"),
];

/// Where a vendor generates and lists, and what it answers.
fn answers(name: ProviderName) -> (&'static str, Value, &'static str, Value) {
    let models = json!({"data": [{"id": "gpt-a"}, {"id": "b"}], "has_more": false, "last_id": "b"});
    match name {
        ProviderName::Ollama => {
            let tags = json!({"models": [{"name": "a"}, {"name": "b"}]});
            ("/api/generate", ollama::generated_body("A", "stop"), "/api/tags", tags)
        }
        ProviderName::OpenAi => {
            let output = [openai::reasoning(), openai::message("A"), openai::refusal("R")];
            ("/v1/responses", openai::response_body("completed", &output), "/v1/models", models)
        }
        ProviderName::Anthropic => {
            let content = [anthropic::thinking_block("T"), anthropic::text_block("A")];
            ("/v1/messages", anthropic::message_body(&content, "end_turn"), "/v1/models", models)
        }
        ProviderName::Gemini => (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            gemini::generated_body(&[gemini::thought_part("T"), gemini::text_part("A")], "STOP"),
            "/v1beta/models",
            json!({"models": [gemini::model("gemini-a", &["generateContent"])]}),
        ),
        ProviderName::DeepSeek => {
            ("/v1/chat/completions", chat_completions::completion_body("A", "stop"), "/v1/models", models)
        }
        ProviderName::DeepInfra => {
            ("/v1/openai/chat/completions", chat_completions::completion_body("A", "stop"), "/v1/openai/models", models)
        }
    }
}

impl Target for Answers {
    const NAME: &'static str = "vendor-answers";
    const CASES: u32 = 500;

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let vendor = runtime.block_on(FakeVendor::start());
        let url = vendor.url();
        let endpoints = Endpoints::from_lookup(|_| Some(url.clone())).expect("a URL");
        let providers = Providers::new(endpoints, Duration::from_secs(20));
        let client = |(name, model)| (providers.connect(name, &KEY.into()).expect("a vendor of this build"), model);
        Self { vendor, clients: MODELS.map(client).into(), runtime }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (client, model) = &self.clients[u.choose_index(self.clients.len())?];
        let (path, answer, list_path, list) = answers(client.name());
        let is_told = client.name() != ProviderName::Ollama;
        self.vendor.forget_requests();
        if u.ratio(1, 4)? {
            self.vendor.on("GET", list_path, reply(u, list)?);
            match self.runtime.block_on(client.models()) {
                Ok(models) => assert!(models.iter().all(|model| !model.is_empty())),
                Err(error) => assert_readable(&error, is_told),
            }
            return Ok(());
        }
        self.vendor.on("POST", path, reply(u, answer)?);
        let request = GenerationRequest {
            model: (*model).to_owned(),
            prompt: "P".to_owned(),
            user_input: "I".to_owned(),
            options: GenerationOptions::default(),
            schema: None,
            files: Vec::new(),
        };
        match self.runtime.block_on(client.generate(&request)) {
            Ok(answer) => assert!(!answer.text.trim().is_empty()),
            Err(error) => {
                assert_readable(&error, is_told);
                assert!(error.retry_after().is_none_or(|wait| wait <= Duration::from_secs(3600)));
            }
        }
        Ok(())
    }
}

/// Voyage AI.
pub(crate) struct Embeddings {
    vendor: FakeVendor,
    client: VoyageAi,
    runtime: Runtime,
}

impl Target for Embeddings {
    const NAME: &'static str = "embeddings";
    const CASES: u32 = 400;

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let vendor = runtime.block_on(FakeVendor::start());
        let client = VoyageAi::new(&vendor.url(), Duration::from_secs(20)).expect("a URL");
        Self { vendor, client, runtime }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let list = json!({
            "object": "list", "model": "voyage-3.5", "usage": {"total_tokens": 4},
            "data": [
                {"object": "embedding", "index": 1, "embedding": [0.5, -0.25]},
                {"object": "embedding", "index": 0, "embedding": [0.125, 1.0]}
            ]
        });
        self.vendor.forget_requests();
        self.vendor.on("POST", "/v1/embeddings", reply(u, list)?);
        let work = EmbeddingWork {
            inputs: EmbeddingInputs::Many(vec!["a".to_owned(), "b".to_owned()]),
            model: EmbeddingModel::Voyage35,
            input_type: None,
            webhook_destination_ids: Vec::new(),
        };
        match self.runtime.block_on(self.client.embed(&KEY.into(), &work)) {
            Ok(found) => {
                assert_eq!(found.vectors.len(), 2);
                assert_eq!(found.vectors[0].len(), found.vectors[1].len());
                assert!(found.vectors.iter().flatten().all(|number| number.is_finite()));
            }
            Err(error) => assert_readable(&error, true),
        }
        Ok(())
    }
}
