//! The chat-completions format that several vendors share (OpenAI's API reference, "Create chat completion"); what is a
//! vendor's own is a [`Dialect`]: `deepseek.rs`, `deepinfra.rs`.

mod wire;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use shared_core::{ProviderName, Secret};

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    error::FailureKind,
    failure::{MAX_MESSAGE, cut},
    http::{Connection, Session},
    request::{OptionName, Remarks, Sampling},
    schema,
    wire::{each_once, usage},
};
pub(crate) use wire::Model;
use wire::{Completion, CompletionBody, Message, ModelList, ResponseFormat};

/// What is used when the caller does not say (contract section 11.2).
const DEFAULT_TEMPERATURE: f64 = 0.7;
const DEFAULT_TOP_P: f64 = 0.9;
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// What a vendor of this format has of its own.
pub(crate) struct Dialect {
    pub(crate) provider: ProviderName,
    /// Where it answers.
    pub(crate) completions_path: &'static str,
    /// Where it lists its models.
    pub(crate) models_path: &'static str,
    /// A free call that tells a wrong key by 401 or 403, for a vendor that lists its models to everybody.
    pub(crate) account_path: Option<&'static str>,
    /// How a model treats `temperature` and `top_p`.
    pub(crate) sampling: fn(&str) -> (Sampling, Sampling),
    /// Which listed models answer text.
    pub(crate) answering: fn(Vec<Model>) -> Vec<Model>,
}

/// A vendor of this format, reached with one key.
pub(crate) struct ChatCompletions {
    dialect: &'static Dialect,
    session: Session,
}

impl ChatCompletions {
    pub(crate) fn new(
        dialect: &'static Dialect,
        connection: Connection,
        api_key: &Secret,
    ) -> Result<Self, ProviderError> {
        let session = Session::with_key(connection, dialect.provider, AUTHORIZATION, "Bearer ", api_key)?;
        Ok(Self { dialect, session })
    }

    /// The body for a request, and what the model does not take of it.
    fn body(&self, request: &GenerationRequest) -> (CompletionBody, Remarks) {
        let options = &request.options;
        let mut remarks = Remarks::default();
        remarks.leave_out(&[OptionName::TopK, OptionName::WebSearch]);
        let (temperature, top_p) = (self.dialect.sampling)(&request.model);
        remarks.leave_out_refused(OptionName::Temperature, temperature);
        remarks.leave_out_refused(OptionName::TopP, top_p);
        let mut response_format = None;
        let prompt = match &request.schema {
            Some(schema) => {
                // JSON mode knows only objects.
                if schema::excludes_objects(schema) {
                    remarks.note("The vendor's JSON mode was left off since the schema describes no object.");
                } else {
                    response_format = Some(ResponseFormat { kind: "json_object" });
                }
                &schema::instructions::append(&request.prompt, schema)
            }
            None => &request.prompt,
        };
        let (instructions, question) = request.instructions_and_question(prompt);
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        let body = CompletionBody {
            model: request.model.clone(),
            messages: instructions
                .map(|text| message("system", text))
                .into_iter()
                .chain([message("user", question)])
                .collect(),
            max_tokens: options.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            temperature: temperature.choose(options.temperature, DEFAULT_TEMPERATURE),
            top_p: top_p.choose(options.top_p, DEFAULT_TOP_P),
            response_format,
        };
        (body, remarks)
    }

    /// The text of the first choice and why it ended, or why there is none.
    fn read(&self, completion: &Completion) -> Result<(String, Option<String>), ProviderError> {
        if let Some(error) = &completion.error {
            let said = cut(&self.session.redact(&error.message), MAX_MESSAGE);
            return Err(self.session.unusable(format!("reported an error: {said}")));
        }
        let choice = completion.choices.first().ok_or_else(|| self.session.unusable("gave no choices"))?;
        let reason = choice.finish_reason.clone();
        match reason.as_deref() {
            Some("content_filter") => {
                let filtered = self.session.unusable("stopped the answer by its content filter");
                return Err(filtered.of_kind(FailureKind::ContentFilter));
            }
            // DeepSeek's word for a machine that gave out half-way.
            Some("insufficient_system_resource") => {
                return Err(self.session.unusable("interrupted the answer for lack of resources").transient());
            }
            _ => {}
        }
        if let Some(refusal) = choice.message.refusal.as_deref().filter(|refusal| !refusal.trim().is_empty()) {
            let refusal = cut(&self.session.redact(refusal), MAX_MESSAGE);
            return Err(self
                .session
                .unusable(format!("refused to answer: {refusal}"))
                .of_kind(FailureKind::ContentFilter));
        }
        let text = choice.message.text();
        if text.trim().is_empty() {
            let reason = reason.as_deref().unwrap_or("unknown");
            return Err(self.session.unusable(format!("gave an empty answer (finish reason: {reason})")));
        }
        Ok((text, reason))
    }
}

#[async_trait]
impl ChatProvider for ChatCompletions {
    fn name(&self) -> ProviderName {
        self.dialect.provider
    }

    fn supports_files(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.session.expect_ok(self.dialect.models_path, &[]).await?;
        let Some(path) = self.dialect.account_path else { return Ok(()) };
        match self.session.expect_ok(path, &[]).await {
            // A gateway before the vendor may not know this call.
            Err(error) if error.kind() == FailureKind::Auth => Err(error),
            _ => Ok(()),
        }
    }

    async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let deadline = self.session.light_deadline();
        let list = self.session.get::<ModelList>(self.dialect.models_path, &[], deadline).await;
        let models = (self.dialect.answering)(list.map_err(ProviderError::while_listing_models)?.body.data);
        Ok(each_once(models.into_iter().map(|model| model.id)))
    }

    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError> {
        request.refuse_files(self.dialect.provider)?;
        let (body, remarks) = self.body(request);
        let path = self.dialect.completions_path;
        let answered = self.session.post::<Completion>(path, &request.model, &body).await?;
        let (text, stop_reason) = self.read(&answered.body)?;
        let tokens = answered.body.usage;
        let answer = Answer {
            text,
            input_tokens: tokens.prompt_tokens,
            output_tokens: tokens.completion_tokens,
            tokens: tokens.by_purpose(),
            usage: usage(&answered.json, "usage"),
            is_truncated: stop_reason.as_deref() == Some("length"),
            stop_reason,
            request_id: answered.request_id.or(answered.body.id),
            duration: answered.duration,
            ..Answer::default()
        };
        Ok(remarks.on(answer, &request.options))
    }
}
