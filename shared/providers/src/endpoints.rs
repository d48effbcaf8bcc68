//! Where each vendor is reached.

use reqwest::Url;
use shared_core::ProviderName;

/// The base URL of each vendor (decision V-09): what comes before the paths of contract section 11.2, without a
/// trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    ollama: String,
    openai: String,
    anthropic: String,
    gemini: String,
    deepseek: String,
    deepinfra: String,
}

impl Default for Endpoints {
    /// The vendors' own addresses; Ollama on this machine.
    fn default() -> Self {
        let vendors = |name| default_url(name).to_owned();
        Self {
            ollama: vendors(ProviderName::Ollama),
            openai: vendors(ProviderName::OpenAi),
            anthropic: vendors(ProviderName::Anthropic),
            gemini: vendors(ProviderName::Gemini),
            deepseek: vendors(ProviderName::DeepSeek),
            deepinfra: vendors(ProviderName::DeepInfra),
        }
    }
}

impl Endpoints {
    /// Reads `OLLAMA_BASE_URL`, `OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL`, `GEMINI_BASE_URL`, `DEEPSEEK_BASE_URL` and
    /// `DEEPINFRA_BASE_URL`; what is missing or blank keeps the vendor's own address. A trailing slash goes, and so
    /// does a trailing `/v1` for OpenAI, Anthropic and DeepSeek, whose paths start with it: people who copy a URL from
    /// an SDK's configuration bring it along.
    ///
    /// # Errors
    /// One sentence for every variable that holds no usable URL.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut endpoints = Self::default();
        let mut problems = Vec::new();
        for provider in ProviderName::ALL {
            let variable = variable(provider);
            let Some(value) = lookup(variable).filter(|value| !value.trim().is_empty()) else { continue };
            match base_url(provider, value.trim()) {
                Ok(url) => *endpoints.slot(provider) = url,
                Err(rule) => problems.push(format!("{variable} {rule}.")),
            }
        }
        if problems.is_empty() { Ok(endpoints) } else { Err(problems.join(" ")) }
    }

    /// Where this vendor is reached, without a trailing slash.
    pub fn base_url(&self, provider: ProviderName) -> &str {
        match provider {
            ProviderName::Ollama => &self.ollama,
            ProviderName::OpenAi => &self.openai,
            ProviderName::Anthropic => &self.anthropic,
            ProviderName::Gemini => &self.gemini,
            ProviderName::DeepSeek => &self.deepseek,
            ProviderName::DeepInfra => &self.deepinfra,
        }
    }

    fn slot(&mut self, provider: ProviderName) -> &mut String {
        match provider {
            ProviderName::Ollama => &mut self.ollama,
            ProviderName::OpenAi => &mut self.openai,
            ProviderName::Anthropic => &mut self.anthropic,
            ProviderName::Gemini => &mut self.gemini,
            ProviderName::DeepSeek => &mut self.deepseek,
            ProviderName::DeepInfra => &mut self.deepinfra,
        }
    }
}

/// The vendor's own address (contract section 11.2).
const fn default_url(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Ollama => "http://localhost:11434",
        ProviderName::OpenAi => "https://api.openai.com",
        ProviderName::Anthropic => "https://api.anthropic.com",
        ProviderName::Gemini => "https://generativelanguage.googleapis.com",
        ProviderName::DeepSeek => "https://api.deepseek.com",
        ProviderName::DeepInfra => "https://api.deepinfra.com",
    }
}

const fn variable(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Ollama => "OLLAMA_BASE_URL",
        ProviderName::OpenAi => "OPENAI_BASE_URL",
        ProviderName::Anthropic => "ANTHROPIC_BASE_URL",
        ProviderName::Gemini => "GEMINI_BASE_URL",
        ProviderName::DeepSeek => "DEEPSEEK_BASE_URL",
        ProviderName::DeepInfra => "DEEPINFRA_BASE_URL",
    }
}

/// The base URL of a provider in `value`, or the rule that it breaks.
fn base_url(provider: ProviderName, value: &str) -> Result<String, &'static str> {
    let starts_with_v1 = matches!(provider, ProviderName::OpenAi | ProviderName::Anthropic | ProviderName::DeepSeek);
    let base = checked_url(value)?;
    Ok(if starts_with_v1 { without_version(&base).to_owned() } else { base })
}

/// The URL without a trailing `/v1`, for a vendor whose paths start with it.
pub(crate) fn without_version(base: &str) -> &str {
    base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/')
}

/// The URL in `value` without a trailing slash, or the rule that it breaks. The value itself is not repeated: it may
/// hold a password.
pub(crate) fn checked_url(value: &str) -> Result<String, &'static str> {
    let url = Url::parse(value).map_err(|_| "must be a URL such as https://host/path")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must start with http:// or https:// and name a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not contain a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Endpoints, String> {
        Endpoints::from_lookup(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_the_vendors_addresses() {
        let endpoints = read(&[("OPENAI_BASE_URL", "  ")]).unwrap();
        assert_eq!(endpoints, Endpoints::default());
        assert_eq!(endpoints.base_url(ProviderName::Ollama), "http://localhost:11434");
        assert_eq!(endpoints.base_url(ProviderName::OpenAi), "https://api.openai.com");
        assert_eq!(endpoints.base_url(ProviderName::Anthropic), "https://api.anthropic.com");
        assert_eq!(endpoints.base_url(ProviderName::Gemini), "https://generativelanguage.googleapis.com");
        assert_eq!(endpoints.base_url(ProviderName::DeepSeek), "https://api.deepseek.com");
        assert_eq!(endpoints.base_url(ProviderName::DeepInfra), "https://api.deepinfra.com");
    }

    #[test]
    fn trailing_slashes_and_the_version_that_our_paths_bring_are_removed() {
        let endpoints = read(&[
            ("OLLAMA_BASE_URL", "http://127.0.0.1:9999//"),
            ("OPENAI_BASE_URL", "https://gateway.example/openai/v1/"),
            ("ANTHROPIC_BASE_URL", "https://gateway.example/anthropic"),
            ("GEMINI_BASE_URL", "https://gateway.example/v1"),
        ])
        .unwrap();
        assert_eq!(endpoints.base_url(ProviderName::Ollama), "http://127.0.0.1:9999");
        assert_eq!(endpoints.base_url(ProviderName::OpenAi), "https://gateway.example/openai");
        assert_eq!(endpoints.base_url(ProviderName::Anthropic), "https://gateway.example/anthropic");
        assert_eq!(endpoints.base_url(ProviderName::Gemini), "https://gateway.example/v1");
    }

    #[test]
    fn every_bad_variable_gets_its_sentence_and_no_value_is_repeated() {
        let problem = read(&[
            ("OLLAMA_BASE_URL", "localhost:11434"),
            ("OPENAI_BASE_URL", "not a url"),
            ("ANTHROPIC_BASE_URL", "ftp://host"),
            ("GEMINI_BASE_URL", "https://user:hunter2@host"),
            ("DEEPSEEK_BASE_URL", "https://host/?key=hunter2"),
            ("DEEPINFRA_BASE_URL", "https://host/fine"),
        ])
        .unwrap_err();
        assert_eq!(problem.matches(". ").count() + 1, 5, "{problem}");
        for variable in ["OLLAMA", "OPENAI", "ANTHROPIC", "GEMINI", "DEEPSEEK"] {
            assert!(problem.contains(&format!("{variable}_BASE_URL must")), "{problem}");
        }
        assert!(!problem.contains("hunter2"));
    }
}
