//! What each vendor's error answers mean: one table for all statuses, and one per vendor for what statuses do not tell.

use reqwest::StatusCode;
use shared_core::ProviderName;

use crate::error::FailureKind::{self, Auth, ContentFilter, Invalid, Quota, Transient, UnknownModel};

/// What a status means while nothing more precise is known. 529 is Anthropic's word for overload.
const STATUSES: [(u16, FailureKind); 12] = [
    (401, Auth),
    (402, Quota),
    (403, Auth),
    (407, Auth),
    (408, Transient),
    (425, Transient),
    (429, Transient),
    (500, Transient),
    (502, Transient),
    (503, Transient),
    (504, Transient),
    (529, Transient),
];

/// What a vendor says beyond the status.
pub(crate) struct Rules {
    /// Codes, types and reasons; they win over the status.
    codes: &'static [(&'static str, FailureKind)],
    /// Parts of the message, in lower case, that only come with this status.
    words: &'static [(u16, &'static str, FailureKind)],
    /// Part of the name of a quota that comes back too late for an execution.
    slow_quota: Option<&'static str>,
}

/// OpenAI, guide "Error codes". What waits for somebody to pay comes as 429 too.
const OPENAI: Rules = Rules {
    codes: &[
        ("insufficient_quota", Quota),
        ("credit_balance_exhausted", Quota),
        ("organization_spend_limit_exceeded", Quota),
        ("organization_usage_limit_exceeded", Quota),
        ("project_spend_limit_exceeded", Quota),
        ("billing_hard_limit_reached", Quota),
        ("billing_not_active", Quota),
        ("invalid_api_key", Auth),
        ("model_not_found", UnknownModel),
        ("content_filter", ContentFilter),
        ("content_policy_violation", ContentFilter),
        ("image_content_policy_violation", ContentFilter),
        ("misalignment_policy_violation", ContentFilter),
        ("bio_policy", ContentFilter),
        ("invalid_prompt", ContentFilter),
        ("context_length_exceeded", Invalid),
    ],
    words: &[],
    slow_quota: None,
};

/// Anthropic, API reference "Errors".
const ANTHROPIC: Rules = Rules {
    codes: &[
        ("billing_error", Quota),
        ("enforced_spend_limit_reached", Quota),
        ("credit_balance_exhausted", Quota),
        ("authentication_error", Auth),
        ("permission_error", Auth),
    ],
    words: &[(400, "credit balance is too low", Quota)],
    slow_quota: None,
};

/// Gemini, guide "Troubleshooting", backend error codes. A quota of a day does not come back within an execution's time.
const GEMINI: Rules = Rules {
    codes: &[("API_KEY_INVALID", Auth), ("BILLING_DISABLED", Quota), ("SERVICE_DISABLED", Auth)],
    words: &[(400, "api key", Auth), (400, "enable billing", Quota)],
    slow_quota: Some("PerDay"),
};

/// DeepSeek, "Error Codes". It has codes for little and says the rest in words.
const DEEPSEEK: Rules = Rules {
    codes: &[("model_not_found", UnknownModel)],
    words: &[(400, "model not exist", UnknownModel), (400, "content exists risk", ContentFilter)],
    slow_quota: None,
};

/// DeepInfra speaks OpenAI's codes ("OpenAI-compatible API").
const DEEPINFRA: Rules = Rules {
    codes: &[("model_not_found", UnknownModel), ("insufficient_quota", Quota), ("invalid_api_key", Auth)],
    words: &[(400, "model is not available", UnknownModel)],
    slow_quota: None,
};

/// Ollama, API reference "Errors": statuses and words only.
const OLLAMA: Rules = Rules { codes: &[], words: &[], slow_quota: None };

/// Voyage AI, "API error codes": statuses and words only.
pub(crate) const VOYAGEAI: Rules = Rules { codes: &[], words: &[], slow_quota: None };

/// The rules of a vendor of language models.
pub(crate) const fn of_provider(provider: ProviderName) -> Rules {
    match provider {
        ProviderName::Ollama => OLLAMA,
        ProviderName::OpenAi => OPENAI,
        ProviderName::Anthropic => ANTHROPIC,
        ProviderName::Gemini => GEMINI,
        ProviderName::DeepSeek => DEEPSEEK,
        ProviderName::DeepInfra => DEEPINFRA,
    }
}

/// What the answer means.
pub(super) fn kind(rules: &Rules, status: StatusCode, codes: &[String], message: &str) -> FailureKind {
    if let Some((_, kind)) = rules.codes.iter().find(|(code, _)| codes.iter().any(|present| present == code)) {
        return *kind;
    }
    if rules.slow_quota.is_some_and(|part| codes.iter().any(|code| code.contains(part))) {
        return Quota;
    }
    let message = message.to_ascii_lowercase();
    let is_said = |(at, words, _): &&(u16, &str, FailureKind)| *at == status.as_u16() && message.contains(words);
    if let Some((_, _, kind)) = rules.words.iter().find(is_said) {
        return *kind;
    }
    // No other 404 of any vendor says the word: a wrong base URL or path is answered otherwise.
    if status == StatusCode::NOT_FOUND && message.contains("model") {
        return UnknownModel;
    }
    STATUSES.iter().find(|(known, _)| *known == status.as_u16()).map_or(Invalid, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(provider: ProviderName, status: u16, codes: &[&str], message: &str) -> FailureKind {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        kind(&of_provider(provider), StatusCode::from_u16(status).unwrap(), &codes, message)
    }

    #[test]
    fn statuses_mean_the_same_everywhere() {
        for provider in ProviderName::ALL {
            for (status, expected) in [
                (302, Invalid),
                (400, Invalid),
                (401, Auth),
                (402, Quota),
                (403, Auth),
                (404, Invalid),
                (408, Transient),
                (409, Invalid),
                (413, Invalid),
                (422, Invalid),
                (425, Transient),
                (429, Transient),
                (500, Transient),
                (501, Invalid),
                (502, Transient),
                (503, Transient),
                (504, Transient),
                (529, Transient),
            ] {
                assert_eq!(known(provider, status, &[], "It went wrong."), expected, "{provider} {status}");
            }
            assert_eq!(known(provider, 404, &[], "Model x not found"), UnknownModel, "{provider}");
            assert_eq!(known(provider, 500, &[], "model runner has stopped"), Transient, "{provider}");
        }
    }

    #[test]
    fn openai_tells_by_code() {
        let openai = |status, code| known(ProviderName::OpenAi, status, &[code, "invalid_request_error"], "");
        assert_eq!(openai(429, "insufficient_quota"), Quota);
        assert_eq!(openai(429, "rate_limit_exceeded"), Transient);
        assert_eq!(openai(403, "model_not_found"), UnknownModel);
        assert_eq!(openai(400, "content_policy_violation"), ContentFilter);
        assert_eq!(openai(400, "context_length_exceeded"), Invalid);
        assert_eq!(openai(400, "invalid_api_key"), Auth);
    }

    #[test]
    fn anthropic_tells_by_type_and_in_words() {
        let anthropic = |status, kind, message| known(ProviderName::Anthropic, status, &[kind], message);
        let poor = "Your credit balance is too low to access the Anthropic API.";
        assert_eq!(anthropic(400, "invalid_request_error", poor), Quota);
        assert_eq!(anthropic(429, "enforced_spend_limit_reached", ""), Quota);
        assert_eq!(anthropic(429, "rate_limit_error", ""), Transient);
        assert_eq!(anthropic(529, "overloaded_error", ""), Transient);
        assert_eq!(anthropic(403, "permission_error", ""), Auth);
    }

    #[test]
    fn gemini_tells_a_minute_from_a_day_and_a_key_from_a_request() {
        let gemini = |status, codes: &[&str], message| known(ProviderName::Gemini, status, codes, message);
        let minute = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
        assert_eq!(gemini(429, &["RESOURCE_EXHAUSTED", minute], ""), Transient);
        let day = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
        assert_eq!(gemini(429, &["RESOURCE_EXHAUSTED", day], ""), Quota);
        assert_eq!(gemini(400, &["INVALID_ARGUMENT", "API_KEY_INVALID"], "API key not valid."), Auth);
        assert_eq!(gemini(400, &["INVALID_ARGUMENT"], "Invalid value at 'contents'"), Invalid);
        assert_eq!(gemini(400, &["FAILED_PRECONDITION"], "Please enable billing on your project"), Quota);
        assert_eq!(gemini(503, &["UNAVAILABLE"], "The model is overloaded."), Transient);
    }

    #[test]
    fn deepseek_and_deepinfra_tell_in_words() {
        let deepseek = |status, message| known(ProviderName::DeepSeek, status, &["invalid_request_error"], message);
        assert_eq!(deepseek(400, "Model Not Exist"), UnknownModel);
        assert_eq!(deepseek(400, "Content Exists Risk"), ContentFilter);
        assert_eq!(deepseek(402, "Insufficient Balance"), Quota);
        assert_eq!(known(ProviderName::DeepInfra, 400, &[], "Model is not available"), UnknownModel);
        assert_eq!(known(ProviderName::DeepInfra, 429, &[], "Model busy, retry later"), Transient);
        assert_eq!(known(ProviderName::DeepInfra, 404, &["model_not_found"], "Not Found"), UnknownModel);
    }
}
