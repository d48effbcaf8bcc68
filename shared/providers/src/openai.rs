//! OpenAI's Responses API, or a gateway that speaks it (API reference, "Responses" and "Models").

mod families;
mod input;
mod strict_schema;
mod wire;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use serde_json::Value;
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
use strict_schema::Fit;
use wire::{Created, Format, ModelList, ResponseBody, ResponseError, Text, Tool};

/// The longest answer in tokens when the caller does not say (contract section 11.2).
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Codes of a failed response after which the same call may succeed (API reference, "The response object", `error`).
const TRANSIENT_CODES: [&str; 3] = ["server_error", "rate_limit_exceeded", "vector_store_timeout"];

/// Codes of a failed response that mean a filter (the same place).
const FILTER_CODES: [&str; 4] =
    ["bio_policy", "image_content_policy_violation", "invalid_prompt", "misalignment_policy_violation"];

/// OpenAI, reached with one key.
pub(crate) struct OpenAi {
    session: Session,
}

impl OpenAi {
    pub(crate) fn new(connection: Connection, api_key: &Secret) -> Result<Self, ProviderError> {
        Ok(Self { session: Session::with_key(connection, ProviderName::OpenAi, AUTHORIZATION, "Bearer ", api_key)? })
    }

    /// The vendor began a response and gave up.
    fn failed(&self, error: &ResponseError) -> ProviderError {
        let code = if error.code.is_empty() { "no code" } else { error.code.as_str() };
        let said = cut(&self.session.redact(&error.message), MAX_MESSAGE);
        let failed = self.session.unusable(format!("could not finish the response ({code}): {said}"));
        match code {
            code if TRANSIENT_CODES.contains(&code) => failed.transient(),
            code if FILTER_CODES.contains(&code) => failed.of_kind(FailureKind::ContentFilter),
            _ => failed,
        }
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
                let filtered = self.session.unusable("stopped the answer by its content filter");
                return Err(filtered.of_kind(FailureKind::ContentFilter));
            }
            _ => {}
        }
        let mut text = String::new();
        for part in created.output.into_iter().filter(|item| item.kind == "message").flat_map(|item| item.content) {
            match part.kind.as_str() {
                "output_text" => text.push_str(&part.text),
                "refusal" => {
                    let refusal = cut(&self.session.redact(&part.refusal), MAX_MESSAGE);
                    let refused = self.session.unusable(format!("refused to answer: {refusal}"));
                    return Err(refused.of_kind(FailureKind::ContentFilter));
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

/// The body for a request, and what the model does not take of it.
fn body(request: &GenerationRequest) -> Result<(ResponseBody, Remarks), ProviderError> {
    let options = &request.options;
    let mut remarks = Remarks::default();
    remarks.leave_out(&[OptionName::TopK]);
    let takes_sampling = families::takes_sampling(&request.model);
    if !takes_sampling {
        remarks.leave_out(&[OptionName::Temperature, OptionName::TopP]);
    }
    let searches = options.web_search && families::searches_the_web(&request.model);
    if !searches {
        remarks.leave_out(&[OptionName::WebSearch]);
    }
    let text = request.schema.as_ref().and_then(|schema| format_for(&request.model, schema, &mut remarks));
    let words = match &request.schema {
        Some(schema) if text.is_none() => Some(instructions::append(&request.prompt, schema)),
        _ => None,
    };
    let (instructions, question) = request.instructions_and_question(words.as_deref().unwrap_or(&request.prompt));
    let body = ResponseBody {
        model: request.model.clone(),
        input: input::build(question, &request.files)?,
        instructions: instructions.map(str::to_owned),
        max_output_tokens: options.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        temperature: options.temperature.filter(|_| takes_sampling),
        top_p: options.top_p.filter(|_| takes_sampling),
        tools: if searches { vec![Tool { kind: "web_search" }] } else { Vec::new() },
        text,
    };
    Ok((body, remarks))
}

/// The schema as the model takes it; `None` when it must go as words.
fn format_for(model: &str, schema: &Value, remarks: &mut Remarks) -> Option<Text> {
    if !families::takes_schema(model) {
        return None;
    }
    let (schema, strict) = match strict_schema::fit(schema, families::is_fine_tuned(model)) {
        Fit::Strict(schema) => (schema, true),
        // A map with open keys, a member of any type and the like: strict mode refuses such a schema, the plain mode
        // takes every schema of an object and follows it as well as it can.
        Fit::Loose(schema) => {
            remarks.note("The schema was sent without strict mode since strict mode cannot express it.");
            (schema, false)
        }
        // Neither mode takes a schema whose root is no object.
        Fit::None => {
            remarks.schema_in_words("its root describes no object");
            return None;
        }
    };
    Some(Text { format: Format { kind: "json_schema", name: "schema-name", schema, strict } })
}

#[async_trait]
impl ChatProvider for OpenAi {
    fn name(&self) -> ProviderName {
        ProviderName::OpenAi
    }

    fn supports_files(&self) -> bool {
        true
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
        let (body, remarks) = body(request)?;
        let answered = self.session.post::<Created>("/v1/responses", &request.model, &body).await?;
        let tokens = answered.body.usage;
        let id = answered.body.id.clone();
        let (text, stop_reason, is_truncated) = self.read(answered.body)?;
        let answer = Answer {
            text,
            input_tokens: tokens.input_tokens,
            output_tokens: tokens.output_tokens,
            tokens: tokens.by_purpose(),
            usage: usage(&answered.json, "usage"),
            stop_reason,
            is_truncated,
            request_id: answered.request_id.or(id),
            duration: answered.duration,
            ..Answer::default()
        };
        Ok(remarks.on(answer, &request.options))
    }
}
