//! Ollama, a model server of one's own (API reference, "Generate a response", "List models" and "Show model details").

mod wire;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use shared_core::{ProviderName, executions::TokenUsage};

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    attachment::FileKind,
    error::FailureKind,
    failure::{MAX_MESSAGE, cut},
    http::{Connection, Session},
    request::{OptionName, Remarks},
};
use wire::{GenerateBody, Generated, Options, Shown, Tags};

/// What is used when the caller does not say (contract section 11.2).
const DEFAULT_TEMPERATURE: f64 = 0.7;
const DEFAULT_TOP_P: f64 = 0.9;
const DEFAULT_TOP_K: u64 = 40;

/// The image types that models which see are able to read.
const IMAGES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];

/// The members of an answer that say what the call used.
const USAGE: [&str; 6] =
    ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"];

/// An Ollama server.
pub(crate) struct Ollama {
    session: Session,
}

impl Ollama {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { session: Session::without_key(connection, ProviderName::Ollama) }
    }

    /// Fails when the server says that the model cannot see; such a model would answer without the images. A server too
    /// old to tell, or one without the model, gets the call all the same and says so itself.
    async fn require_sight(&self, model: &str) -> Result<(), ProviderError> {
        let Ok(shown) = self.session.post::<Shown>("/api/show", model, &json!({"model": model})).await else {
            return Ok(());
        };
        if shown.body.capabilities.is_empty() || shown.body.capabilities.iter().any(|name| name == "vision") {
            return Ok(());
        }
        let blind = ProviderError::vendor(format!("the Ollama model \"{model}\" takes no images"));
        Err(blind.of_kind(FailureKind::Invalid))
    }
}

/// The body for a request. Images go beside the prompt, text into it.
fn body(request: &GenerationRequest) -> Result<GenerateBody<'_>, ProviderError> {
    let options = &request.options;
    let mut prompt = prompt(request);
    let mut images = Vec::new();
    for file in &request.files {
        match file.kind()? {
            FileKind::Image(mime) if IMAGES.contains(&mime.as_str()) => images.push(file.base64()),
            FileKind::Text { text, .. } => {
                prompt.push_str("\n\n");
                prompt.push_str(&file.quoted(text));
            }
            FileKind::Pdf => return Err(file.not_taken("Ollama", KINDS, "application/pdf")),
            FileKind::Image(mime) | FileKind::Other(mime) => return Err(file.not_taken("Ollama", KINDS, &mime)),
        }
    }
    Ok(GenerateBody {
        model: &request.model,
        prompt,
        images,
        stream: false,
        format: request.schema.as_ref(),
        options: Options {
            temperature: options.temperature.unwrap_or(DEFAULT_TEMPERATURE),
            top_p: options.top_p.unwrap_or(DEFAULT_TOP_P),
            top_k: options.top_k.unwrap_or(DEFAULT_TOP_K),
            num_predict: options.max_tokens,
        },
    })
}

const KINDS: &str = "images (JPEG, PNG, WebP) and text";

/// Prompt and input as one text, each in its part; the prompt alone when there is no input.
fn prompt(request: &GenerationRequest) -> String {
    if request.user_input.is_empty() {
        return request.prompt.clone();
    }
    format!("<context>\n{}\n</context>\n\n<task>\n{}\n</task>", request.prompt, request.user_input)
}

/// The members of the answer that say what the call used, as they came.
fn usage(answer: &Value) -> Option<Value> {
    let told: Map<String, Value> =
        USAGE.iter().filter_map(|name| Some(((*name).to_owned(), answer.get(*name)?.clone()))).collect();
    (!told.is_empty()).then_some(Value::Object(told))
}

#[async_trait]
impl ChatProvider for Ollama {
    fn name(&self) -> ProviderName {
        ProviderName::Ollama
    }

    fn supports_files(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.session.expect_ok("/api/tags", &[]).await
    }

    async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let deadline = self.session.light_deadline();
        let tags = self.session.get::<Tags>("/api/tags", &[], deadline).await;
        Ok(tags.map_err(ProviderError::while_listing_models)?.body.names())
    }

    async fn generate(&self, request: &GenerationRequest) -> Result<Answer, ProviderError> {
        let body = body(request)?;
        if !body.images.is_empty() {
            self.require_sight(&request.model).await?;
        }
        let answered = self.session.post::<Generated>("/api/generate", &request.model, &body).await?;
        let generated = answered.body;
        if let Some(error) = generated.error {
            return Err(self.session.unusable(format!("reported an error: {}", cut(&error, MAX_MESSAGE))));
        }
        if generated.response.trim().is_empty() {
            let reason = generated.done_reason.as_deref().unwrap_or("unknown");
            return Err(self.session.unusable(format!("gave an empty answer (done reason: {reason})")));
        }
        let (input, output) = (generated.prompt_eval_count, generated.eval_count);
        let answer = Answer {
            is_truncated: generated.done_reason.as_deref() == Some("length"),
            text: generated.response,
            input_tokens: input,
            output_tokens: output,
            tokens: TokenUsage { input, output, ..TokenUsage::default() },
            usage: usage(&answered.json),
            stop_reason: generated.done_reason,
            request_id: answered.request_id,
            duration: answered.duration,
            ..Answer::default()
        };
        let mut remarks = Remarks::default();
        remarks.leave_out(&[OptionName::WebSearch]);
        Ok(remarks.on(answer, &request.options))
    }
}
