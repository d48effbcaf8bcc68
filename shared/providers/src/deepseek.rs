//! DeepSeek (its API documentation, "Create Chat Completion", "Lists Models", guides "Thinking Mode" and "JSON Output").

use shared_core::ProviderName;

use crate::{
    chat_completions::{Dialect, Model},
    request::Sampling::{self, Refused, WhenGiven, WithDefault},
};

pub(crate) const DIALECT: Dialect = Dialect {
    provider: ProviderName::DeepSeek,
    completions_path: "/v1/chat/completions",
    models_path: "/v1/models",
    account_path: None,
    sampling,
    answering,
};

/// Models that do not think before they answer.
const WITHOUT_THINKING: [&str; 4] = ["deepseek-chat", "deepseek-coder", "deepseek-v2", "deepseek-v3"];

/// How a model treats `temperature` and `top_p`. Models that think pass over `temperature` without a word, and over
/// `top_p` too but for the flash models, which use it. They think unless told not to, which we do not do.
fn sampling(model: &str) -> (Sampling, Sampling) {
    let model = model.to_ascii_lowercase();
    let base = model.rsplit('/').next().unwrap_or(&model);
    if !base.starts_with("deepseek-") || WITHOUT_THINKING.iter().any(|name| base.starts_with(name)) {
        return (WithDefault, WithDefault);
    }
    (Refused, if base.contains("flash") { WhenGiven } else { Refused })
}

/// The list tells nothing but names, so we go by those (contract section 11.2).
fn answering(models: Vec<Model>) -> Vec<Model> {
    models.into_iter().filter(|model| model.id.contains("deepseek") || model.id.contains("chat")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_models_take_no_temperature() {
        for model in ["deepseek-chat", "deepseek-v3.2", "deepseek-ai/DeepSeek-V3", "some-chat"] {
            assert_eq!(sampling(model), (WithDefault, WithDefault), "{model}");
        }
        for model in ["deepseek-reasoner", "deepseek-v4-pro", "deepseek-r1"] {
            assert_eq!(sampling(model), (Refused, Refused), "{model}");
        }
        for model in ["deepseek-flash", "deepseek-v4-flash"] {
            assert_eq!(sampling(model), (Refused, WhenGiven), "{model}");
        }
    }
}
