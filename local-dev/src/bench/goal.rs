//! Limits for figures, and whether they are kept.

use std::fmt;

use serde_json::{Value, json};

use super::figures::rounded;

/// A limit for one figure, or for many of a kind.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    what: String,
    limit: Limit,
    unit: &'static str,
    /// What was measured, by name; a single figure has none.
    figures: Vec<(String, f64)>,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// A figure that must not be above `limit`.
    pub(super) fn at_most(what: impl Into<String>, limit: f64, unit: &'static str, figure: f64) -> Self {
        Self::all_at_most(what, limit, unit, [(String::new(), figure)])
    }

    /// Figures of which none must be above `limit`.
    pub(super) fn all_at_most(
        what: impl Into<String>,
        limit: f64,
        unit: &'static str,
        figures: impl IntoIterator<Item = (String, f64)>,
    ) -> Self {
        Self { what: what.into(), limit: Limit::AtMost(limit), unit, figures: figures.into_iter().collect() }
    }

    /// A figure that must not be below `limit`.
    pub(super) fn at_least(what: impl Into<String>, limit: f64, unit: &'static str, figure: f64) -> Self {
        let figures = vec![(String::new(), figure)];
        Self { what: what.into(), limit: Limit::AtLeast(limit), unit, figures }
    }

    /// Whether every figure keeps the limit.
    pub(super) fn is_reached(&self) -> bool {
        self.missed().next().is_none()
    }

    /// The figures that do not keep it; one that could not be measured does not.
    fn missed(&self) -> impl Iterator<Item = &(String, f64)> {
        self.figures.iter().filter(|(_, figure)| match self.limit {
            Limit::AtMost(limit) => figure.is_nan() || *figure > limit,
            Limit::AtLeast(limit) => figure.is_nan() || *figure < limit,
        })
    }

    /// For the file of figures.
    pub(super) fn json(&self) -> Value {
        let (kind, limit) = match self.limit {
            Limit::AtMost(limit) => ("atMost", limit),
            Limit::AtLeast(limit) => ("atLeast", limit),
        };
        let missed: Vec<Value> =
            self.missed().map(|(name, figure)| json!({"of": name, "is": rounded(*figure)})).collect();
        json!({"goal": self.what, kind: limit, "unit": self.unit, "reached": missed.is_empty(), "missed": missed})
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, limit) = match self.limit {
            Limit::AtMost(limit) => ("at most", limit),
            Limit::AtLeast(limit) => ("at least", limit),
        };
        let (what, unit) = (&self.what, self.unit);
        write!(f, "goal: {what} {kind} {limit} {unit}: ")?;
        let shown = |(name, figure): &(String, f64)| match name.as_str() {
            "" => format!("{}", rounded(*figure)),
            name => format!("{name} {}", rounded(*figure)),
        };
        match (self.is_reached(), self.figures.as_slice()) {
            (true, [figure]) => write!(f, "reached, {}", shown(figure)),
            (true, _) => write!(f, "reached"),
            (false, _) => write!(f, "missed, {}", self.missed().map(shown).collect::<Vec<_>>().join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_tells_what_missed_it() {
        let goal = Goal::at_most("an answer", 5.0, "ms", 5.0);
        assert_eq!((goal.is_reached(), goal.to_string().as_str()), (true, "goal: an answer at most 5 ms: reached, 5"));
        let starts = [("a".to_owned(), 1.0), ("b".to_owned(), 5.123), ("c".to_owned(), f64::NAN)];
        let goal = Goal::all_at_most("first poll", 5.0, "ms", starts);
        assert_eq!(goal.to_string(), "goal: first poll at most 5 ms: missed, b 5.12; c NaN");
        assert_eq!(goal.json()["missed"][0], json!({"of": "b", "is": 5.12}));
    }

    #[test]
    fn some_figures_may_not_be_low() {
        assert!(Goal::at_least("share", 90.0, "%", 90.0).is_reached());
        assert!(!Goal::at_least("share", 90.0, "%", 89.9).is_reached());
    }
}
