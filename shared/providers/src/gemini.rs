//! Google's Gemini API (API reference, "Generating content", `models.generateContent` and `models.list`).

mod families;
mod file;
mod schema;
mod wire;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::HeaderName;
use serde_json::{Value, json};
use shared_core::{ProviderName, Secret};

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    error::FailureKind,
    failure::{MAX_MESSAGE, cut},
    http::{Connection, Session},
    request::{OptionName, Remarks},
    schema::instructions,
    wire::{each_once, usage},
};
use wire::{Content, GenerateBody, Generated, GenerationConfig, ModelPage, Part, Tool};

/// What is used when the caller does not say (contract section 11.2).
const DEFAULT_TEMPERATURE: f64 = 0.7;
const DEFAULT_TOP_P: f64 = 0.9;
const DEFAULT_TOP_K: u64 = 40;
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// How many models one page of the list holds; the vendor's largest.
const PAGE_SIZE: &str = "1000";

/// After so many pages the list is not a list any more.
const MAX_PAGES: usize = 50;

/// What a model's name may bring into a path as it is.
const IN_PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reasons to stop that mean a filter (API reference, `FinishReason`).
const FILTERS: [&str; 9] = [
    "BLOCKLIST",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "PROHIBITED_CONTENT",
    "RECITATION",
    "SAFETY",
    "SPII",
];

/// Gemini, reached with one key.
pub(crate) struct Gemini {
    session: Session,
}

impl Gemini {
    /// The key goes into a header, where no log of addresses shows it (defect V-08).
    pub(crate) fn new(connection: Connection, api_key: &Secret) -> Result<Self, ProviderError> {
        let header = HeaderName::from_static("x-goog-api-key");
        Ok(Self { session: Session::with_key(connection, ProviderName::Gemini, header, "", api_key)? })
    }

    fn filtered(&self, what: String) -> ProviderError {
        self.session.unusable(what).of_kind(FailureKind::ContentFilter)
    }

    /// The text of all parts of the first candidate but its thoughts, and why it ended; or why there is none.
    fn read(&self, generated: &Generated) -> Result<(String, Option<String>), ProviderError> {
        let blocked = generated.prompt_feedback.block_reason.as_deref();
        let Some(candidate) = generated.candidates.first() else {
            return Err(match blocked {
                Some(reason) => self.filtered(format!("blocked the prompt ({reason})")),
                None => self.session.unusable("gave no candidates"),
            });
        };
        let reason = candidate.finish_reason.clone();
        let shown = reason.as_deref().unwrap_or("unknown");
        let why = candidate.finish_message.as_deref().map(|message| cut(message, MAX_MESSAGE));
        let why = why.map(|message| format!("; {message}")).unwrap_or_default();
        if FILTERS.contains(&shown) {
            return Err(
                self.filtered(format!("stopped the answer by its content filter (finish reason: {shown}{why})"))
            );
        }
        let parts = candidate.content.parts.iter().filter(|part| !part.thought);
        let text: String = parts.map(|part| part.text.as_str()).collect();
        if text.trim().is_empty() {
            return Err(self.session.unusable(format!("gave an empty answer (finish reason: {shown}{why})")));
        }
        Ok((text, reason))
    }
}

/// The body for a request, and what the model does not take of it.
fn body(request: &GenerationRequest) -> Result<(GenerateBody, Remarks), ProviderError> {
    let options = &request.options;
    let mut remarks = Remarks::default();
    let sampling = families::sampling(&request.model);
    for name in [OptionName::Temperature, OptionName::TopP, OptionName::TopK] {
        remarks.leave_out_refused(name, sampling);
    }
    let (words, json_schema) = match &request.schema {
        None => (None, None),
        Some(schema) => match schema_for(request, schema) {
            Ok(fitted) => (None, Some(fitted)),
            Err(reason) => {
                remarks.schema_in_words(reason);
                (Some(instructions::append(&request.prompt, schema)), None)
            }
        },
    };
    let (instructions, question) = request.instructions_and_question(words.as_deref().unwrap_or(&request.prompt));
    let mut parts = vec![Part::text(question)];
    for attachment in &request.files {
        parts.push(file::part(attachment)?);
    }
    let body = GenerateBody {
        contents: vec![Content { role: Some("user"), parts }],
        // The prompt itself, which must never get lost (defect V-01).
        system_instruction: instructions.map(|text| Content { role: None, parts: vec![Part::text(text)] }),
        generation_config: GenerationConfig {
            temperature: sampling.choose(options.temperature, DEFAULT_TEMPERATURE),
            top_p: sampling.choose(options.top_p, DEFAULT_TOP_P),
            top_k: sampling.choose(options.top_k, DEFAULT_TOP_K),
            max_output_tokens: options.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            response_mime_type: json_schema.is_some().then_some("application/json"),
            response_json_schema: json_schema,
        },
        tools: if options.web_search { vec![Tool { google_search: json!({}) }] } else { Vec::new() },
    };
    Ok((body, remarks))
}

/// The schema as the vendor takes it, or why it cannot.
fn schema_for(request: &GenerationRequest, schema: &Value) -> Result<Value, &'static str> {
    if request.options.web_search && !families::searches_with_schema(&request.model) {
        return Err("this model cannot search the web and be held to a schema at once");
    }
    schema::fit(schema)
}

#[async_trait]
impl ChatProvider for Gemini {
    fn name(&self) -> ProviderName {
        ProviderName::Gemini
    }

    fn supports_files(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.session.expect_ok("/v1beta/models", &[("pageSize", "1")]).await
    }

    async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let deadline = self.session.light_deadline();
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("pageSize", PAGE_SIZE)];
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let page = self.session.get::<ModelPage>("/v1beta/models", &query, deadline).await;
            let page = page.map_err(ProviderError::while_listing_models)?.body;
            if page.models.is_none() && token.is_none() {
                return Err(self.session.unusable("answered without a list of models").while_listing_models());
            }
            names
                .extend(page.models.into_iter().flatten().filter(|model| model.answers_text()).map(|model| model.id()));
            // A page that leads nowhere, or back to where we are, is the last.
            let next = page.next_page_token.filter(|next| !next.is_empty());
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
        Ok(each_once(names))
    }

    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError> {
        let (body, remarks) = body(request)?;
        let model = utf8_percent_encode(&request.model, &IN_PATH);
        let path = format!("/v1beta/models/{model}:generateContent");
        let answered = self.session.post::<Generated>(&path, &request.model, &body).await?;
        let (text, stop_reason) = self.read(&answered.body)?;
        let tokens = answered.body.usage_metadata;
        let answer = Answer {
            text,
            input_tokens: tokens.prompt_token_count,
            output_tokens: tokens.candidates_token_count.saturating_add(tokens.thoughts_token_count),
            tokens: tokens.by_purpose(),
            usage: usage(&answered.json, "usageMetadata"),
            is_truncated: stop_reason.as_deref().is_some_and(|reason| reason != "STOP"),
            stop_reason,
            request_id: answered.request_id.or(answered.body.response_id),
            duration: answered.duration,
            ..Answer::default()
        };
        Ok(remarks.on(answer, &request.options))
    }
}
