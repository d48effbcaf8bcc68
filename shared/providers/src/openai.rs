//! OpenAI's Responses API, or a gateway that speaks it (API reference, "Responses" and "Models").

mod families;
mod strict_schema;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use shared_core::ProviderName;

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    failure::{MAX_MESSAGE, cut},
    http::{Pool, Session},
    request::OptionName,
    schema_instructions,
    secret::ApiKey,
    wire::each_once,
};
use strict_schema::Fit;
use wire::{Created, Format, ModelList, ResponseBody, ResponseError, Text, Tool};

/// The longest answer in tokens when the caller does not say (contract section 11.2).
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Codes of a failed response after which the same call may succeed (API reference, "The response object", `error`).
const TRANSIENT_CODES: [&str; 3] = ["server_error", "rate_limit_exceeded", "vector_store_timeout"];

/// OpenAI, reached with one key.
pub(crate) struct OpenAi {
    session: Session,
}

impl OpenAi {
    pub(crate) fn new(
        pool: Arc<Pool>,
        base_url: String,
        timeout: Duration,
        api_key: &str,
    ) -> Result<Self, ProviderError> {
        let provider = ProviderName::OpenAi;
        let key = ApiKey::new(api_key).ok_or_else(|| ProviderError::not_configured(provider))?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, key.header("Bearer ").ok_or_else(|| ProviderError::unsendable_key(provider))?);
        Ok(Self { session: Session { pool, provider, base_url, headers, key: Some(key), timeout } })
    }

    /// The vendor began a response and gave up.
    fn failed(&self, error: &ResponseError) -> ProviderError {
        let code = if error.code.is_empty() { "no code" } else { error.code.as_str() };
        let said = cut(&self.session.redact(&error.message), MAX_MESSAGE);
        let failed = self.session.unusable(format!("could not finish the response ({code}): {said}"));
        if TRANSIENT_CODES.contains(&code) { failed.transient() } else { failed }
    }

    /// What came out: the text of all message items (web searches and reasoning are items of their own), or why there
    /// is none.
    fn read(&self, created: Created) -> Result<(String, Option<String>, bool), ProviderError> {
        let reason = created.incomplete_details.and_then(|details| details.reason);
        let error = created.error.unwrap_or_default();
        match created.status.as_deref() {
            Some("failed" | "cancelled") => return Err(self.failed(&error)),
            // Some gateways answer 200 with nothing but an error.
            _ if !error.message.is_empty() => return Err(self.failed(&error)),
            // We never ask for background work, so these are no answers to our question.
            Some(status @ ("queued" | "in_progress")) => {
                return Err(self.session.unusable(format!("gave an unfinished response ({status})")));
            }
            _ if reason.as_deref() == Some("content_filter") => {
                return Err(self.session.unusable("stopped the answer by its content filter"));
            }
            _ => {}
        }
        let mut text = String::new();
        for part in created.output.into_iter().filter(|item| item.kind == "message").flat_map(|item| item.content) {
            match part.kind.as_str() {
                "output_text" => text.push_str(&part.text),
                "refusal" => {
                    let refusal = cut(&self.session.redact(&part.refusal), MAX_MESSAGE);
                    return Err(self.session.unusable(format!("refused to answer: {refusal}")));
                }
                _ => {}
            }
        }
        if text.trim().is_empty() {
            let why = reason.map(|reason| format!(" (it stopped at {reason})")).unwrap_or_default();
            return Err(self.session.unusable(format!("gave an empty answer{why}")));
        }
        let is_truncated = created.status.as_deref() == Some("incomplete");
        Ok((text, reason.or(created.status), is_truncated))
    }
}

/// The body for a request, and the options that this model does not take.
fn body(request: &GenerationRequest) -> (ResponseBody, Vec<OptionName>) {
    let options = &request.options;
    let takes_sampling = families::takes_sampling(&request.model);
    let mut unused = vec![OptionName::TopK];
    if !takes_sampling {
        unused.extend([OptionName::Temperature, OptionName::TopP]);
    }
    let mut prompt = request.prompt.clone();
    let text = request.schema.as_ref().and_then(|schema| {
        let (schema, strict) = match strict_schema::fit(schema, families::is_fine_tuned(&request.model)) {
            Fit::Strict(schema) => (schema, true),
            // A map with open keys, a member of any type and the like: strict mode refuses such a schema, the plain
            // mode takes every schema of an object and follows it as well as it can.
            Fit::Loose(schema) => (schema, false),
            // Neither mode takes a schema whose root is no object.
            Fit::None => {
                prompt = schema_instructions::append(&prompt, schema);
                return None;
            }
        };
        Some(Text { format: Format { kind: "json_schema", name: "schema-name", schema, strict } })
    });
    let (instructions, input) = request.instructions_and_question(&prompt);
    let body = ResponseBody {
        model: request.model.clone(),
        input: input.to_owned(),
        instructions: instructions.map(str::to_owned),
        max_output_tokens: options.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        temperature: options.temperature.filter(|_| takes_sampling),
        top_p: options.top_p.filter(|_| takes_sampling),
        tools: if options.web_search { vec![Tool { kind: "web_search" }] } else { Vec::new() },
        text,
    };
    (body, unused)
}

#[async_trait]
impl ChatProvider for OpenAi {
    fn name(&self) -> ProviderName {
        ProviderName::OpenAi
    }

    fn supports_files(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.session.expect_ok("/v1/models", &[]).await
    }

    async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let deadline = self.session.light_deadline();
        let list = self.session.get::<ModelList>("/v1/models", &[], deadline).await;
        let models = list.map_err(ProviderError::while_listing_models)?.body.data;
        Ok(each_once(models.into_iter().map(|model| model.id).filter(|id| families::answers_text(id))))
    }

    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError> {
        request.refuse_files(self.session.vendor())?;
        let (body, unused) = body(request);
        let answered = self.session.post::<Created>("/v1/responses", &request.model, &body).await?;
        let usage = answered.body.usage;
        let (text, stop_reason, is_truncated) = self.read(answered.body)?;
        Ok(Answer {
            text,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            stop_reason,
            is_truncated,
            ignored_options: request.options.ignored(&unused),
            request_id: answered.request_id,
        })
    }
}
