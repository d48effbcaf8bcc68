//! The headline figures. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, Usage};

/// A name with its part of all tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The provider or the model.
    pub name: String,
    /// Its tokens.
    pub tokens: u64,
    /// Its part in percent, unrounded; 0 when there are no tokens at all.
    pub percentage: f64,
}

/// Headline figures of a range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Tokens in and out.
    pub total_tokens: u64,
    /// Completed executions (defect DB-02: in the range).
    pub executions: u64,
    /// Distinct providers.
    pub providers: usize,
    /// Distinct pairs of provider and model (defect DB-07).
    pub models: usize,
    /// The provider with the most tokens.
    pub top_provider: Option<Share>,
    /// The model with the most tokens.
    pub top_model: Option<Share>,
}

/// The headline figures of usage by model.
pub fn stats(usage: &[(Model, Usage)]) -> Stats {
    let total_tokens = usage.iter().map(|(_, sums)| sums.total_tokens()).sum();
    let by_model: BTreeSet<_> = usage.iter().map(|(model, _)| model).collect();
    let mut by_provider = BTreeMap::<&str, u64>::new();
    for (model, sums) in usage {
        *by_provider.entry(&model.provider).or_default() += sums.total_tokens();
    }
    let models = usage.iter().map(|(model, sums)| (model.model.as_str(), sums.total_tokens()));
    Stats {
        total_tokens,
        executions: usage.iter().map(|(_, sums)| sums.executions).sum(),
        providers: by_provider.len(),
        models: by_model.len(),
        top_provider: top(by_provider.iter().map(|(name, tokens)| (*name, *tokens)), total_tokens),
        top_model: top(models, total_tokens),
    }
}

/// The one with the most tokens; the first by name among equals.
fn top<'a>(entries: impl Iterator<Item = (&'a str, u64)>, total: u64) -> Option<Share> {
    let (name, tokens) = entries.min_by_key(|&(name, tokens)| (std::cmp::Reverse(tokens), name))?;
    let percentage = if total == 0 { 0.0 } else { tokens as f64 / total as f64 * 100.0 };
    Some(Share { name: name.to_owned(), tokens, percentage })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(provider: &str, model: &str, tokens: u64) -> (Model, Usage) {
        let model = Model { provider: provider.to_owned(), model: model.to_owned() };
        (model, Usage { input_tokens: tokens, output_tokens: 0, executions: 1 })
    }

    #[test]
    fn shares_are_of_all_tokens_and_models_count_as_pairs() {
        let figures = stats(&[used("a", "m", 50), used("b", "m", 40), used("b", "n", 30)]);
        assert_eq!((figures.total_tokens, figures.executions, figures.providers, figures.models), (120, 3, 2, 3));
        let provider = figures.top_provider.unwrap();
        assert_eq!((provider.name.as_str(), provider.tokens), ("b", 70));
        assert!((provider.percentage - 70.0 / 120.0 * 100.0).abs() < 1e-9);
        assert_eq!(figures.top_model.unwrap().tokens, 50);
    }

    #[test]
    fn nothing_has_no_top_and_no_tokens_have_no_share() {
        assert_eq!(stats(&[]), Stats::default());
        let figures = stats(&[used("b", "n", 0), used("a", "m", 0)]);
        assert_eq!(figures.top_provider, Some(Share { name: "a".to_owned(), tokens: 0, percentage: 0.0 }));
    }
}
