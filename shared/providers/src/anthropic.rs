//! Anthropic's Messages API, or a gateway that speaks it (API reference, "Create a Message" and "List Models").

mod content;
mod families;
mod schema;
mod wire;

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;
use shared_core::{ProviderName, Secret};

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    error::FailureKind,
    http::{Connection, Session},
    request::{OptionName, Remarks},
    schema::instructions,
    wire::{each_once, usage},
};
use wire::{Format, Message, MessageBody, ModelPage, OutputConfig, Tool, UserMessage};

/// The version of the API that the bodies here follow (API reference, "Versions").
const API_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// What is used when the caller does not say (contract section 11.2).
const DEFAULT_MAX_TOKENS: u64 = 4096;
const DEFAULT_TEMPERATURE: f64 = 0.9;

/// How many models one page of the list holds; the vendor's largest.
const PAGE_SIZE: &str = "1000";

/// After so many pages the list is not a list any more.
const MAX_PAGES: usize = 50;

/// Anthropic, reached with one key.
pub(crate) struct Anthropic {
    session: Session,
}

impl Anthropic {
    pub(crate) fn new(connection: Connection, api_key: &Secret) -> Result<Self, ProviderError> {
        let header = HeaderName::from_static("x-api-key");
        let session = Session::with_key(connection, ProviderName::Anthropic, header, "", api_key)?;
        Ok(Self { session: session.with_header(HeaderName::from_static("anthropic-version"), API_VERSION) })
    }

    /// The text of all text blocks (thinking and web searches are blocks of their own), or why there is none.
    fn read(&self, message: &Message) -> Result<String, ProviderError> {
        let reason = message.stop_reason.as_deref().unwrap_or("unknown");
        if reason == "refusal" {
            let refused = self.session.unusable("refused to answer (stop reason: refusal)");
            return Err(refused.of_kind(FailureKind::ContentFilter));
        }
        let text: String =
            message.content.iter().filter(|block| block.kind == "text").map(|block| block.text.as_str()).collect();
        if text.trim().is_empty() {
            return Err(self.session.unusable(format!("gave an empty answer (stop reason: {reason})")));
        }
        Ok(text)
    }
}

/// The body for a request, and what the model does not take of it.
fn body(request: &GenerationRequest) -> Result<(MessageBody, Remarks), ProviderError> {
    let options = &request.options;
    let mut remarks = Remarks::default();
    remarks.leave_out(&[OptionName::TopK]);
    let mut body = MessageBody {
        model: request.model.clone(),
        max_tokens: options.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        messages: Vec::new(),
        system: None,
        temperature: None,
        top_p: None,
        tools: Vec::new(),
        output_config: None,
    };
    // Temperature or top_p, never both (contract section 11.2).
    match (families::takes_sampling(&request.model), options.temperature, options.top_p) {
        (false, ..) => remarks.leave_out(&[OptionName::Temperature, OptionName::TopP]),
        (true, Some(temperature), _) => {
            body.temperature = Some(temperature);
            remarks.leave_out(&[OptionName::TopP]);
        }
        (true, None, Some(top_p)) => body.top_p = Some(top_p),
        (true, None, None) => body.temperature = Some(DEFAULT_TEMPERATURE),
    }
    if options.web_search {
        body.tools.push(Tool { kind: "web_search_20250305", name: "web_search" });
    }
    let mut words = None;
    if let Some(schema) = &request.schema {
        if families::takes_schema(&request.model) {
            match schema_for(request, schema) {
                Ok(schema) => {
                    body.output_config = Some(OutputConfig { format: Format { kind: "json_schema", schema } })
                }
                Err(reason) => remarks.schema_in_words(reason),
            }
        }
        if body.output_config.is_none() {
            words = Some(instructions::append(&request.prompt, schema));
        }
    }
    let (system, question) = request.instructions_and_question(words.as_deref().unwrap_or(&request.prompt));
    body.system = system.map(str::to_owned);
    body.messages.push(UserMessage { role: "user", content: content::build(question, &request.files)? });
    Ok((body, remarks))
}

/// The schema as the vendor takes it, or why it cannot.
fn schema_for(request: &GenerationRequest, schema: &Value) -> Result<Value, &'static str> {
    // Web searches bring citations, which stand between the texts of an answer.
    if request.options.web_search {
        return Err("answers with citations of the web cannot be held to one");
    }
    schema::fit(schema)
}

#[async_trait]
impl ChatProvider for Anthropic {
    fn name(&self) -> ProviderName {
        ProviderName::Anthropic
    }

    fn supports_files(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.session.expect_ok("/v1/models", &[("limit", "1")]).await
    }

    async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let deadline = self.session.light_deadline();
        let mut ids = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", PAGE_SIZE)];
            query.extend(after.as_deref().map(|id| ("after_id", id)));
            let page = self.session.get::<ModelPage>("/v1/models", &query, deadline).await;
            let page = page.map_err(ProviderError::while_listing_models)?.body;
            ids.extend(page.data.into_iter().filter(|model| !model.is_retired()).map(|model| model.id));
            // A page that leads nowhere, or back to where we are, is the last.
            if !page.has_more || page.last_id.is_none() || page.last_id == after {
                break;
            }
            after = page.last_id;
        }
        Ok(each_once(ids))
    }

    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError> {
        let (body, remarks) = body(request)?;
        let answered = self.session.post::<Message>("/v1/messages", &request.model, &body).await?;
        let message = answered.body;
        let text = self.read(&message)?;
        let reason = message.stop_reason.as_deref();
        let answer = Answer {
            text,
            input_tokens: message.usage.input_tokens,
            output_tokens: message.usage.output_tokens,
            tokens: message.usage.by_purpose(),
            usage: usage(&answered.json, "usage"),
            // `pause_turn`: a long web search stopped half-way (guide "Handling stop reasons").
            is_truncated: matches!(reason, Some("max_tokens" | "model_context_window_exceeded" | "pause_turn")),
            stop_reason: message.stop_reason,
            request_id: answered.request_id,
            duration: answered.duration,
            ..Answer::default()
        };
        Ok(remarks.on(answer, &request.options))
    }
}
