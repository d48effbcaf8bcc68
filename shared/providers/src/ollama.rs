//! Ollama, a model server of one's own (API reference, "Generate a response" and "List models").

mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use shared_core::ProviderName;

use crate::{
    Answer, ChatProvider, GenerationRequest, ProviderError,
    failure::{MAX_MESSAGE, cut},
    http::{Pool, Session},
    request::OptionName,
};
use wire::{GenerateBody, Generated, Options, Tags};

/// What is used when the caller does not say (contract section 11.2).
const DEFAULT_TEMPERATURE: f64 = 0.7;
const DEFAULT_TOP_P: f64 = 0.9;
const DEFAULT_TOP_K: u64 = 40;

/// An Ollama server.
pub(crate) struct Ollama {
    session: Session,
}

impl Ollama {
    pub(crate) fn new(pool: Arc<Pool>, base_url: String, timeout: Duration) -> Self {
        let (provider, headers) = (ProviderName::Ollama, HeaderMap::new());
        Self { session: Session { pool, provider, base_url, headers, key: None, timeout } }
    }

    fn body<'a>(request: &'a GenerationRequest) -> GenerateBody<'a> {
        let options = &request.options;
        GenerateBody {
            model: &request.model,
            prompt: prompt(request),
            stream: false,
            format: request.schema.as_ref(),
            options: Options {
                temperature: options.temperature.unwrap_or(DEFAULT_TEMPERATURE),
                top_p: options.top_p.unwrap_or(DEFAULT_TOP_P),
                top_k: options.top_k.unwrap_or(DEFAULT_TOP_K),
                num_predict: options.max_tokens,
            },
        }
    }
}

/// Prompt and input as one text, each in its part; the prompt alone when there is no input.
fn prompt(request: &GenerationRequest) -> String {
    if request.user_input.is_empty() {
        return request.prompt.clone();
    }
    format!("<context>\n{}\n</context>\n\n<task>\n{}\n</task>", request.prompt, request.user_input)
}

#[async_trait]
impl ChatProvider for Ollama {
    fn name(&self) -> ProviderName {
        ProviderName::Ollama
    }

    fn supports_files(&self) -> bool {
        false
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
        request.refuse_files(self.session.vendor())?;
        let answered = self.session.post::<Generated>("/api/generate", &request.model, &Self::body(request)).await?;
        let generated = answered.body;
        if let Some(error) = generated.error {
            return Err(self.session.unusable(format!("reported an error: {}", cut(&error, MAX_MESSAGE))));
        }
        if generated.response.trim().is_empty() {
            let reason = generated.done_reason.as_deref().unwrap_or("unknown");
            return Err(self.session.unusable(format!("gave an empty answer (done reason: {reason})")));
        }
        Ok(Answer {
            is_truncated: generated.done_reason.as_deref() == Some("length"),
            text: generated.response,
            input_tokens: generated.prompt_eval_count,
            output_tokens: generated.eval_count,
            stop_reason: generated.done_reason,
            ignored_options: request.options.ignored(&[OptionName::WebSearch]),
            request_id: answered.request_id,
        })
    }
}
