//! What Anthropic's model families can do. The version in a model's name tells it.

/// The last version (major, minor) whose models take `temperature` or `top_p`. Those after it answer 400 to any value
/// that is not their default (guides "Migrating to Claude Opus 4.7" and "Migrating to Claude Sonnet 5").
const LAST_WITH_SAMPLING: (u32, u32) = (4, 6);

/// Numbers from here on are dates, not versions.
const FIRST_DATE: u32 = 1000;

/// The first version whose models can be held to a JSON Schema (guide "Structured outputs").
const FIRST_WITH_SCHEMA: (u32, u32) = (4, 5);

/// What a name tells about its model.
#[derive(Debug, PartialEq, Eq)]
enum Family {
    /// One of Anthropic's, of this version.
    Version(u32, u32),
    /// One of Anthropic's without a version in its name: the newest ones have none.
    Newest,
    /// Not Anthropic's; it belongs to a gateway.
    Foreign,
}

/// Whether a model takes `temperature` or `top_p`. Foreign ones follow the contract.
pub(super) fn takes_sampling(model: &str) -> bool {
    match family(model) {
        Family::Version(major, minor) => (major, minor) <= LAST_WITH_SAMPLING,
        Family::Newest => false,
        Family::Foreign => true,
    }
}

/// Whether a model can be held to a JSON Schema.
pub(super) fn takes_schema(model: &str) -> bool {
    match family(model) {
        Family::Version(major, minor) => (major, minor) >= FIRST_WITH_SCHEMA,
        Family::Newest => true,
        Family::Foreign => false,
    }
}

fn family(model: &str) -> Family {
    let Some((_, name)) = model.rsplit_once("claude-") else { return Family::Foreign };
    // `claude-opus-4-1-20250805`, `claude-3-5-sonnet-latest`, `claude-2.1`, and a gateway's `claude-opus-4.1@date`.
    let mut numbers = name
        .split(['-', '.', '@', ':'])
        .map(|part| part.parse::<u32>().ok().filter(|number| *number < FIRST_DATE))
        .skip_while(Option::is_none);
    match numbers.next().flatten() {
        Some(major) => Family::Version(major, numbers.next().flatten().unwrap_or(0)),
        None => Family::Newest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_up_to_4_6_take_sampling_options() {
        for model in [
            "claude-2.1",
            "claude-3-haiku-20240307",
            "claude-3-5-sonnet-latest",
            "claude-3-7-sonnet-20250219",
            "claude-sonnet-4-20250514",
            "claude-opus-4-0",
            "claude-opus-4-1-20250805",
            "claude-sonnet-4-5",
            "claude-haiku-4-5-20251001",
            "claude-opus-4-6",
            "claude-sonnet-4-5@20250929",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic/claude-sonnet-4.5",
            "some-gateway-model",
        ] {
            assert!(takes_sampling(model), "{model}");
        }
    }

    #[test]
    fn later_models_do_not() {
        for model in ["claude-opus-4-7", "claude-opus-4.8", "claude-sonnet-5", "claude-opus-5-1-20260801", "claude-new"]
        {
            assert!(!takes_sampling(model), "{model}");
        }
    }

    #[test]
    fn models_from_4_5_on_can_be_held_to_a_schema() {
        for model in
            ["claude-sonnet-4-5", "claude-haiku-4-5-20251001", "claude-opus-4.6", "claude-sonnet-5", "claude-new"]
        {
            assert!(takes_schema(model), "{model}");
        }
        for model in ["claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "claude-opus-4-1", "some-gateway-model"]
        {
            assert!(!takes_schema(model), "{model}");
        }
    }
}
