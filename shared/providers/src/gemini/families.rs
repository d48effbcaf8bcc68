//! What Gemini's model families can do. The vendor's list says which models generate content, but neither what kind of
//! content nor with which options, so we go by their names for that.

use crate::request::Sampling;

/// Name parts of models whose answer is something else than text, or that work only with tools of their own.
const OTHER_KINDS: [&str; 8] = ["audio", "computer", "embedding", "image", "live", "research", "robotics", "tts"];

/// Numbers from here on are dates, not versions.
const FIRST_DATE: u32 = 100;

/// Whether a model that generates content can be asked for text.
pub(super) fn answers_text(model: &str) -> bool {
    model.contains("gemini") && !model.split(['-', '/']).any(|part| OTHER_KINDS.contains(&part))
}

/// How a model treats temperature, `topP` and `topK` (guides "Gemini 3" and "Latest model"). Up to 2.5 they are options
/// like any. For the third generation the vendor advises its own defaults. From 3.5 Flash-Lite and 3.6 on it passes over
/// all three.
pub(super) fn sampling(model: &str) -> Sampling {
    let Some(version) = version(model) else {
        // `gemini-flash-latest` and its like are the newest; names that are not Google's belong to a gateway.
        return if model.contains("gemini") { Sampling::Refused } else { Sampling::WithDefault };
    };
    let is_lite = model.contains("flash-lite");
    match version {
        (0..=2, _) => Sampling::WithDefault,
        (3, 0..=4) => Sampling::WhenGiven,
        (3, 5) if !is_lite => Sampling::WhenGiven,
        _ => Sampling::Refused,
    }
}

/// Whether a model searches the web and is held to a schema in one call; that came with the third generation (guide
/// "Structured outputs", "Structured outputs with tools").
pub(super) fn searches_with_schema(model: &str) -> bool {
    version(model).is_some_and(|(major, _)| major >= 3)
}

/// The version in `gemini-2.5-pro`, `google/gemini-3-flash` or `gemini-1.5-flash-002`.
fn version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.rsplit_once("gemini-")?;
    let mut numbers = name.split('-').next()?.split('.').map(|part| part.parse::<u32>().ok());
    let major = numbers.next().flatten().filter(|major| *major < FIRST_DATE)?;
    Some((major, numbers.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_answers_text() {
        for model in ["models/gemini-2.5-pro", "models/gemini-3-flash-preview", "models/gemini-flash-latest"] {
            assert!(answers_text(model), "{model}");
        }
        for model in [
            "models/gemini-2.5-flash-image",
            "models/gemini-2.5-flash-preview-tts",
            "models/gemini-live-2.5-flash-preview",
            "models/gemini-2.5-computer-use-preview-10-2025",
            "models/gemini-robotics-er-1.5-preview",
            "models/gemini-embedding-001",
            "models/gemma-3-27b-it",
            "models/imagen-4.0-generate-001",
        ] {
            assert!(!answers_text(model), "{model}");
        }
    }

    #[test]
    fn newer_families_take_fewer_sampling_options() {
        for model in ["gemini-1.5-flash-002", "gemini-2.0-flash", "gemini-2.5-flash-lite", "some-gateway-model"] {
            assert_eq!(sampling(model), Sampling::WithDefault, "{model}");
        }
        for model in ["gemini-3-pro-preview", "gemini-3.1-pro", "gemini-3.1-flash-lite", "google/gemini-3.5-flash"] {
            assert_eq!(sampling(model), Sampling::WhenGiven, "{model}");
        }
        for model in
            ["gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.8-flash", "gemini-4-pro", "gemini-pro-latest"]
        {
            assert_eq!(sampling(model), Sampling::Refused, "{model}");
        }
    }

    #[test]
    fn the_third_generation_searches_under_a_schema() {
        assert!(searches_with_schema("gemini-3-flash-preview"));
        for model in ["gemini-2.5-pro", "gemini-flash-latest", "x"] {
            assert!(!searches_with_schema(model), "{model}");
        }
    }
}
