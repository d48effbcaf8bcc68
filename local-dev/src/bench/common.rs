//! What all benchmarks have in common: their options, and how they end.

use std::{fmt, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use super::goal::Goal;
use crate::build::Profile;

/// Options that every benchmark has.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Uses an unoptimised build
    #[arg(long)]
    pub debug: bool,
    /// Also writes the figures to FILE
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Fails when a goal is missed
    #[arg(long)]
    pub check: bool,
}

impl CommonArgs {
    /// How the functions are built.
    pub(super) const fn profile(&self) -> Profile {
        if self.debug { Profile::Dev } else { Profile::Quick }
    }

    /// Prints which goals are met, and writes the figures to the file that was asked for, if any, together with what they
    /// depend on.
    pub(super) fn finish(&self, benchmark: &str, setting: Value, figures: Value, goals: &[Goal]) -> Result<()> {
        println!();
        for goal in goals {
            println!("  {goal}");
        }
        if let Some(file) = &self.json {
            let report = self.report(benchmark, setting, figures, goals);
            fs::write(file, format!("{report:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let missed = goals.iter().filter(|goal| !goal.is_reached()).count();
        match self.check && missed > 0 {
            true => bail!("{missed} of {} goals were missed", goals.len()),
            false => Ok(()),
        }
    }

    fn report(&self, benchmark: &str, setting: Value, figures: Value, goals: &[Goal]) -> Value {
        let basics = json!({"cores": cores(), "build": self.profile().name(), "runtime": "host"});
        let mut report = Map::new();
        report.insert("benchmark".to_owned(), json!(benchmark));
        report.insert(
            "setting".to_owned(),
            Value::Object([members(basics), members(setting)].into_iter().flatten().collect()),
        );
        report.extend(members(figures));
        report.insert("goals".to_owned(), goals.iter().map(Goal::json).collect());
        Value::Object(report)
    }
}

impl fmt::Display for CommonArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores, {} build, runtime host", cores(), self.profile().name())
    }
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// How many processors there are.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(json: Option<PathBuf>, check: bool) -> CommonArgs {
        CommonArgs { debug: false, json, check }
    }

    #[test]
    fn the_file_has_setting_figures_and_goals() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("figures.json");
        let goals = [Goal::at_most("a start", 5.0, "ms", 4.0)];
        let (setting, figures) = (json!({"database": "file"}), json!({"startMs": 4.0}));
        common(Some(file.clone()), false).finish("cold", setting, figures, &goals).unwrap();
        let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!((&report["benchmark"], &report["startMs"]), (&json!("cold"), &json!(4.0)));
        assert_eq!((&report["setting"]["build"], &report["setting"]["database"]), (&json!("quick"), &json!("file")));
        assert_eq!(report["goals"][0]["reached"], true);
    }

    #[test]
    fn a_missed_goal_fails_only_a_check() {
        let goals = [Goal::at_most("a start", 5.0, "ms", 6.0), Goal::at_least("a share", 90.0, "%", 95.0)];
        let finish = |check| common(None, check).finish("cold", json!({}), json!({}), &goals);
        assert!(finish(false).is_ok());
        assert_eq!(finish(true).unwrap_err().to_string(), "1 of 2 goals were missed");
    }
}
