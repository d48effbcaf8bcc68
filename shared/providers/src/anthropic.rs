//! Anthropic's Messages API, or a gateway that speaks it (API reference, "Create a Message" and "List Models").

mod content;
mod families;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use shared_core::ProviderName;

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    http::{Pool, Session},
    request::OptionName,
    schema_instructions,
    secret::ApiKey,
    wire::each_once,
};
use wire::{Message, MessageBody, ModelPage, Tool, UserMessage};

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
    pub(crate) fn new(
        pool: Arc<Pool>,
        base_url: String,
        timeout: Duration,
        api_key: &str,
    ) -> Result<Self, ProviderError> {
        let provider = ProviderName::Anthropic;
        let key = ApiKey::new(api_key).ok_or_else(|| ProviderError::not_configured(provider))?;
        let key_header = key.header("").ok_or_else(|| ProviderError::unsendable_key(provider))?;
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-api-key"), key_header);
        headers.insert(HeaderName::from_static("anthropic-version"), API_VERSION);
        Ok(Self { session: Session { pool, provider, base_url, headers, key: Some(key), timeout } })
    }

    /// The text of all text blocks (thinking and web searches are blocks of their own), or why there is none.
    fn read(&self, message: &Message) -> Result<String, ProviderError> {
        let reason = message.stop_reason.as_deref().unwrap_or("unknown");
        if reason == "refusal" {
            return Err(self.session.unusable("refused to answer (stop reason: refusal)"));
        }
        let text: String =
            message.content.iter().filter(|block| block.kind == "text").map(|block| block.text.as_str()).collect();
        if text.trim().is_empty() {
            return Err(self.session.unusable(format!("gave an empty answer (stop reason: {reason})")));
        }
        Ok(text)
    }
}

/// The body for a request, and the options that this model does not take.
fn body(request: &GenerationRequest) -> Result<(MessageBody, Vec<OptionName>), ProviderError> {
    let options = &request.options;
    let mut unused = vec![OptionName::TopK];
    let mut body = MessageBody {
        model: request.model.clone(),
        max_tokens: options.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        messages: Vec::new(),
        system: None,
        temperature: None,
        top_p: None,
        tools: Vec::new(),
    };
    // Temperature or top_p, never both (contract section 11.2).
    match (families::takes_sampling(&request.model), options.temperature, options.top_p) {
        (false, ..) => unused.extend([OptionName::Temperature, OptionName::TopP]),
        (true, Some(temperature), _) => {
            body.temperature = Some(temperature);
            unused.push(OptionName::TopP);
        }
        (true, None, Some(top_p)) => body.top_p = Some(top_p),
        (true, None, None) => body.temperature = Some(DEFAULT_TEMPERATURE),
    }
    if options.web_search {
        body.tools.push(Tool { kind: "web_search_20250305", name: "web_search" });
    }
    let prompt = match &request.schema {
        Some(schema) => &schema_instructions::append(&request.prompt, schema),
        None => &request.prompt,
    };
    let (system, question) = request.instructions_and_question(prompt);
    body.system = system.map(str::to_owned);
    body.messages.push(UserMessage { role: "user", content: content::build(question, &request.files)? });
    Ok((body, unused))
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
            ids.extend(page.data.into_iter().map(|model| model.id));
            // A page that leads nowhere, or back to where we are, is the last.
            if !page.has_more || page.last_id.is_none() || page.last_id == after {
                break;
            }
            after = page.last_id;
        }
        Ok(each_once(ids))
    }

    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError> {
        let (body, unused) = body(request)?;
        let answered = self.session.post::<Message>("/v1/messages", &request.model, &body).await?;
        let message = answered.body;
        let text = self.read(&message)?;
        let reason = message.stop_reason.as_deref();
        Ok(Answer {
            text,
            input_tokens: message.usage.input_tokens,
            output_tokens: message.usage.output_tokens,
            // `pause_turn`: a long web search stopped half-way (guide "Handling stop reasons").
            is_truncated: matches!(reason, Some("max_tokens" | "model_context_window_exceeded" | "pause_turn")),
            stop_reason: message.stop_reason,
            ignored_options: request.options.ignored(&unused),
            request_id: answered.request_id,
        })
    }
}
