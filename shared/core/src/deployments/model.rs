//! Which of a provider's models a submitted name means (defects DP-04 and DP-06). Pure.
//!
//! The frontend's form cuts `provider:model` at every colon and keeps two parts, so `llama3:8b` arrives as `llama3`.

use crate::provider_name::ProviderName;

/// The provider does not offer the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provider \"{provider}\" has no model \"{model}\"")]
pub struct ModelUnknown {
    /// The provider.
    pub provider: ProviderName,
    /// The model as submitted.
    pub model: String,
}

/// The model to store: the submitted one, or the only one that it can be the beginning of. Without a list there is
/// nothing to compare with.
pub(super) fn resolve(
    provider: ProviderName,
    submitted: String,
    models: Option<&[String]>,
) -> Result<String, ModelUnknown> {
    let Some(models) = models else {
        return Ok(submitted);
    };
    if models.contains(&submitted) {
        return Ok(submitted);
    }
    let mut candidates = models.iter().filter(|model| is_cut(&submitted, model));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ => Err(ModelUnknown { provider, model: submitted }),
    }
}

/// Whether an edit that submits this name means the model that is stored already, so that saving the form unchanged
/// changes nothing, whatever the provider offers by now.
pub(super) fn means(submitted: &str, stored: &str, models: Option<&[String]>) -> bool {
    let is_listed = || models.is_some_and(|models| models.iter().any(|model| model == submitted));
    submitted == stored || (is_cut(submitted, stored) && !is_listed())
}

/// Whether `short` is `full` cut at one of its colons.
fn is_cut(short: &str, full: &str) -> bool {
    full.strip_prefix(short).is_some_and(|rest| rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(submitted: &str, models: &[&str]) -> Result<String, ModelUnknown> {
        let models: Vec<String> = models.iter().map(|&model| model.to_owned()).collect();
        resolve(ProviderName::Ollama, submitted.to_owned(), Some(&models))
    }

    #[test]
    fn a_cut_name_becomes_the_only_model_that_it_can_mean() {
        assert_eq!(resolved("llama3", &["qwen:7b", "llama3:8b", "llama31:8b"]).unwrap(), "llama3:8b");
        assert_eq!(resolved("llama3", &["llama3", "llama3:8b"]).unwrap(), "llama3", "listed as it is");
        assert_eq!(resolved("hf:org/x", &["hf:org/x:q4"]).unwrap(), "hf:org/x:q4");
        for (submitted, models) in [
            ("llama3", vec!["llama3:8b", "llama3:70b"]),
            ("llama", vec!["llama3:8b"]),
            ("llama3:8", vec!["llama3:8b"]),
            ("anything", vec![]),
        ] {
            assert!(resolved(submitted, &models).is_err(), "{submitted}");
        }
        assert_eq!(resolve(ProviderName::Ollama, "any".to_owned(), None).unwrap(), "any", "the list is unknown");
    }

    #[test]
    fn saving_an_unchanged_form_keeps_the_model() {
        let two = ["llama3:8b".to_owned(), "llama3:70b".to_owned()];
        assert!(means("llama3", "llama3:8b", Some(&two)));
        assert!(means("llama3", "llama3:8b", None));
        assert!(means("gone", "gone", Some(&two)));
        assert!(!means("llama3", "llama3:8b", Some(&["llama3".to_owned()])), "that one exists");
        assert!(!means("llama3:70b", "llama3:8b", Some(&two)));
    }
}
