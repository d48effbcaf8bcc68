//! What OpenAI's model families can do. The vendor's list says only their names, so we go by those (guide "Models").

/// Name parts of models that do something else than answer text with text through the Responses API: pictures and
/// sound, live sessions, vectors, verdicts, the old completions, and the search and research models, which answer only
/// through another API or with tools of their own.
const OTHER_KINDS: [&str; 16] = [
    "audio",
    "deep",
    "diarize",
    "embedding",
    "image",
    "instruct",
    "live",
    "moderation",
    "realtime",
    "research",
    "search",
    "speech",
    "transcribe",
    "translate",
    "tts",
    "whisper",
];

/// Whether a model can be asked for text: `gpt-…`, `chatgpt-…`, `o1`, `o3`, `o4` and so on, and what was fine-tuned
/// from them (defect V-04).
pub(super) fn answers_text(model: &str) -> bool {
    let base = base(model);
    let is_known = base.starts_with("gpt-") || base.starts_with("chatgpt-") || is_o_series(base);
    is_known && !base.split('-').any(|part| OTHER_KINDS.contains(&part))
}

/// Whether a model takes `temperature` and `top_p`. Reasoning models refuse them (guides "Reasoning" and "Latest
/// model"): the o series, and everything from GPT-5 on but `gpt-5-chat`. Some of the later ones take them while they
/// are told not to reason, which we do not ask for.
pub(super) fn takes_sampling(model: &str) -> bool {
    let base = base(model);
    if is_o_series(base) || base.starts_with("codex-") {
        return false;
    }
    let generation = base.strip_prefix("gpt-").map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    match generation.flatten().and_then(|digits| digits.parse::<u32>().ok()) {
        Some(generation) => generation < 5 || base.starts_with("gpt-5-chat"),
        None => true,
    }
}

/// Whether a model can be held to a JSON Schema (guide "Structured outputs", "Supported models"). Names that are not
/// OpenAI's belong to a gateway, and follow the contract.
pub(super) fn takes_schema(model: &str) -> bool {
    let base = base(model);
    let is_first_4o = base.starts_with("gpt-4o-2024-05-13");
    !is_before_4o(base) && !is_first_4o && base != "chatgpt-4o-latest" && !is_first_o1(base)
}

/// Whether a model searches the web (guide "Web search", "Limitations"; the models' own pages).
pub(super) fn searches_the_web(model: &str) -> bool {
    let base = base(model);
    let is_blind = base.starts_with("gpt-4.1-nano") || base.starts_with("o1") || base.starts_with("o3-mini");
    !is_before_4o(base) && !is_blind
}

/// `gpt-3.5-...`, `gpt-4`, `gpt-4-turbo` and their dated names.
fn is_before_4o(base: &str) -> bool {
    base.starts_with("gpt-3") || base == "gpt-4" || base.starts_with("gpt-4-")
}

/// The first reasoning models, before `o1` itself.
fn is_first_o1(base: &str) -> bool {
    base.starts_with("o1-mini") || base.starts_with("o1-preview")
}

/// Fine-tuned models take fewer schema keywords (guide "Structured outputs").
pub(super) fn is_fine_tuned(model: &str) -> bool {
    model.starts_with("ft:")
}

/// The model that `ft:gpt-4o-mini-2024-07-18:org::id` was tuned from; without the vendor's name that gateways put in
/// front.
fn base(model: &str) -> &str {
    let model = model.strip_prefix("ft:").unwrap_or(model);
    let model = model.strip_prefix("openai/").unwrap_or(model);
    model.split(':').next().unwrap_or(model)
}

fn is_o_series(base: &str) -> bool {
    base.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_answers_text() {
        for model in [
            "gpt-3.5-turbo",
            "gpt-4",
            "gpt-4o-mini-2024-07-18",
            "gpt-4.1",
            "gpt-5",
            "gpt-5.2-codex",
            "gpt-5-chat-latest",
            "gpt-oss-120b",
            "chatgpt-4o-latest",
            "o1",
            "o3-mini",
            "o4-mini-2025-04-16",
            "ft:gpt-4o-mini-2024-07-18:acme::AbC123",
            "ft:o4-mini-2025-04-16:acme:image-prompts:AbC123",
        ] {
            assert!(answers_text(model), "{model}");
        }
    }

    #[test]
    fn hides_what_does_something_else() {
        for model in [
            "gpt-image-1",
            "chatgpt-image-latest",
            "gpt-audio-1.5",
            "gpt-4o-audio-preview",
            "gpt-realtime",
            "gpt-4o-mini-realtime-preview-2024-12-17",
            "gpt-4o-mini-tts",
            "gpt-4o-transcribe-diarize",
            "gpt-4o-search-preview",
            "gpt-5-search-api",
            "gpt-3.5-turbo-instruct",
            "o3-deep-research",
            "omni-moderation-latest",
            "text-embedding-3-small",
            "whisper-1",
            "tts-1-hd",
            "dall-e-3",
            "sora-2",
            "davinci-002",
            "ft:davinci-002:acme::AbC123",
            "computer-use-preview",
            "",
        ] {
            assert!(!answers_text(model), "{model}");
        }
    }

    #[test]
    fn reasoning_families_refuse_sampling_options() {
        for model in
            ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5-nano", "gpt-5.2", "gpt-5.6-luna", "gpt-6", "codex-mini-latest"]
        {
            assert!(!takes_sampling(model), "{model}");
        }
        assert!(!takes_sampling("ft:o4-mini-2025-04-16:acme::AbC123"));
        assert!(!takes_sampling("openai/gpt-5"));
        for model in [
            "gpt-3.5-turbo",
            "gpt-4o",
            "gpt-4.1",
            "chatgpt-4o-latest",
            "gpt-5-chat-latest",
            "gpt-oss-20b",
            "llama-3",
            "olmo",
        ] {
            assert!(takes_sampling(model), "{model}");
        }
        assert!(takes_sampling("ft:gpt-4o-mini-2024-07-18:acme::AbC123"));
    }

    #[test]
    fn older_models_are_not_held_to_a_schema() {
        for model in ["gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "gpt-4o-2024-05-13", "chatgpt-4o-latest", "o1-mini"] {
            assert!(!takes_schema(model), "{model}");
        }
        for model in
            ["gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "o1", "o3-mini", "gpt-5", "gpt-6-sol", "a-gateways-model"]
        {
            assert!(takes_schema(model), "{model}");
        }
    }

    #[test]
    fn some_models_do_not_search_the_web() {
        for model in ["gpt-3.5-turbo", "gpt-4", "gpt-4.1-nano-2025-04-14", "o1", "o3-mini"] {
            assert!(!searches_the_web(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "gpt-4.1-mini", "o3", "o4-mini", "gpt-5-mini", "a-gateways-model"] {
            assert!(searches_the_web(model), "{model}");
        }
    }
}
