//! What to ask a model.

use serde_json::Value;
use shared_core::ProviderName;

use crate::{Answer, Attachment, ProviderError};

/// What to ask a model.
#[derive(Debug, Clone)]
pub struct GenerationRequest {
    /// The vendor's name for the model.
    pub model: String,
    /// The prompt text, called P in contract section 11.2: the instructions, or all there is to say when a template
    /// was compiled.
    pub prompt: String,
    /// The user input, called I in contract section 11.2; empty when a template was compiled.
    pub user_input: String,
    /// How to generate.
    pub options: GenerationOptions,
    /// The JSON Schema that the answer should match.
    pub schema: Option<Value>,
    /// Files that go with the question.
    pub files: Vec<Attachment>,
}

impl GenerationRequest {
    /// The instructions and the question, for vendors that keep the two apart: P and I, or nothing and P when there
    /// is no I.
    pub(crate) fn instructions_and_question<'a>(&'a self, prompt: &'a str) -> (Option<&'a str>, &'a str) {
        if self.user_input.is_empty() { (None, prompt) } else { (Some(prompt), &self.user_input) }
    }

    /// Fails when there are files, for vendors that take none (contract section 9.3).
    pub(crate) fn refuse_files(&self, provider: ProviderName) -> Result<(), ProviderError> {
        if self.files.is_empty() { Ok(()) } else { Err(ProviderError::files_not_supported(provider)) }
    }
}

/// How to generate; what is absent follows the defaults of contract section 11.2.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct GenerationOptions {
    /// How freely the model chooses among likely words, from 0 (hardly) to 2.
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u64>,
    /// Choose among the likeliest words that make up this share of probability, from 0 to 1.
    pub top_p: Option<f64>,
    /// Choose among so many likeliest words.
    pub top_k: Option<u64>,
    /// Let the model search the web.
    pub web_search: bool,
}

impl GenerationOptions {
    /// Reads the known members of stored execution options (`temperature`, `maxTokens`, `topP`, `topK`, `webSearch`).
    ///
    /// Everything else stays behind (defect E-12). What is of the wrong type counts as absent, also the empty string
    /// that the frontend sends for an emptied number field. Counts are whole: a fraction is cut off.
    pub fn from_stored(options: &Value) -> Self {
        let number = |name: &str| options.get(name).and_then(Value::as_f64);
        // A float-to-integer `as` saturates, so the largest numbers stay large.
        let count = |name: &str| number(name).filter(|count| *count >= 1.0).map(|count| count as u64);
        Self {
            temperature: number("temperature"),
            max_tokens: count("maxTokens"),
            top_p: number("topP"),
            top_k: count("topK"),
            web_search: options.get("webSearch").and_then(Value::as_bool).unwrap_or(false),
        }
    }

    /// Which of these options a vendor leaves unused although the caller gave them, by their contract names.
    pub(crate) fn ignored(&self, unused: &[OptionName]) -> Vec<String> {
        let is_ignored = |name: &OptionName| unused.contains(name) && self.gives(*name);
        OptionName::ALL.into_iter().filter(is_ignored).map(|name| name.as_str().to_owned()).collect()
    }

    fn gives(&self, name: OptionName) -> bool {
        match name {
            OptionName::Temperature => self.temperature.is_some(),
            OptionName::TopP => self.top_p.is_some(),
            OptionName::TopK => self.top_k.is_some(),
            OptionName::WebSearch => self.web_search,
        }
    }
}

/// The options that some vendor does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionName {
    Temperature,
    TopP,
    TopK,
    WebSearch,
}

impl OptionName {
    const ALL: [Self; 4] = [Self::Temperature, Self::TopP, Self::TopK, Self::WebSearch];

    /// The name in the contract.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::TopP => "topP",
            Self::TopK => "topK",
            Self::WebSearch => "webSearch",
        }
    }
}

/// How a model treats an option that shapes its choice of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// It takes the option; the contract's default goes along when none is given.
    WithDefault,
    /// It takes the option, and its vendor advises to leave its own default alone.
    WhenGiven,
    /// It refuses the option or passes over it.
    Refused,
}

impl Sampling {
    /// The value to send.
    pub(crate) fn choose<T>(self, given: Option<T>, default: T) -> Option<T> {
        match self {
            Self::WithDefault => Some(given.unwrap_or(default)),
            Self::WhenGiven => given,
            Self::Refused => None,
        }
    }
}

/// What of a request a vendor or model does not take as it is.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    unused: Vec<OptionName>,
    notes: Vec<String>,
}

impl Remarks {
    /// These options are left out.
    pub(crate) fn leave_out(&mut self, names: &[OptionName]) {
        self.unused.extend(names);
    }

    /// This option is left out if the model refuses it.
    pub(crate) fn leave_out_refused(&mut self, name: OptionName, sampling: Sampling) {
        if sampling == Sampling::Refused {
            self.unused.push(name);
        }
    }

    /// The schema goes as words, although the vendor could hold an answer to one.
    pub(crate) fn schema_in_words(&mut self, reason: &str) {
        self.notes.push(format!("The schema was sent as words since {reason}."));
    }

    /// Something else that somebody who reads the answer should know.
    pub(crate) fn note(&mut self, sentence: &str) {
        self.notes.push(sentence.to_owned());
    }

    /// The answer, with these remarks about its request.
    pub(crate) fn on(self, answer: Answer, options: &GenerationOptions) -> Answer {
        Answer { ignored_options: options.ignored(&self.unused), notes: self.notes, ..answer }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_known_members_and_leaves_the_rest_behind() {
        let stored = json!({
            "temperature": 0.01, "maxTokens": 200, "topP": 1, "topK": 50.0, "webSearch": true,
            "schema": {"type": "object"}, "files": [{"data": "c211Z2dsZWQ="}]
        });
        let expected = GenerationOptions {
            temperature: Some(0.01),
            max_tokens: Some(200),
            top_p: Some(1.0),
            top_k: Some(50),
            web_search: true,
        };
        assert_eq!(GenerationOptions::from_stored(&stored), expected);
    }

    #[test]
    fn wrong_types_and_empty_strings_count_as_absent() {
        let stored = json!({"temperature": "", "maxTokens": "200", "topP": null, "topK": 0, "webSearch": "true"});
        assert_eq!(GenerationOptions::from_stored(&stored), GenerationOptions::default());
        for odd in [json!(null), json!([]), json!("temperature"), json!(3)] {
            assert_eq!(GenerationOptions::from_stored(&odd), GenerationOptions::default());
        }
        let negative = json!({"maxTokens": -3, "topK": 1e300});
        assert_eq!(GenerationOptions::from_stored(&negative).max_tokens, None);
        assert_eq!(GenerationOptions::from_stored(&negative).top_k, Some(u64::MAX));
    }

    #[test]
    fn only_given_options_are_reported_as_ignored() {
        let options = GenerationOptions { top_k: Some(3), web_search: true, ..GenerationOptions::default() };
        assert_eq!(options.ignored(&OptionName::ALL), ["topK", "webSearch"]);
        assert_eq!(options.ignored(&[OptionName::WebSearch, OptionName::TopK]), ["topK", "webSearch"]);
        assert!(options.ignored(&[OptionName::TopP]).is_empty());
    }
}
