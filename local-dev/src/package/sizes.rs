//! How large the packages are.

use std::{fmt::Write, fs};

use anyhow::{Context, Result};

use super::Package;

const MB: f64 = 1_000_000.0;

/// Sizes of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) name: String,
    pub(super) program_bytes: u64,
    pub(super) archive_bytes: u64,
}

impl Size {
    /// Measures a package.
    pub(super) fn of(name: &str, package: &Package) -> Result<Self> {
        let bytes = |path| fs::metadata(path).map(|file| file.len()).context("cannot read a package");
        Ok(Self {
            name: name.to_owned(),
            program_bytes: bytes(&package.program)?,
            archive_bytes: bytes(&package.archive)?,
        })
    }

    fn is_above(&self, budget: f64) -> bool {
        self.archive_bytes as f64 > budget * MB
    }
}

/// Names of those whose zip file is larger than so many MB.
pub(super) fn above(sizes: &[Size], budget: f64) -> Vec<&str> {
    sizes.iter().filter(|size| size.is_above(budget)).map(|size| size.name.as_str()).collect()
}

/// One line for each, the largest zip file first.
pub(super) fn table(sizes: &[Size], budget: f64) -> String {
    let mut sizes: Vec<&Size> = sizes.iter().collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(size.archive_bytes));
    let mut table = format!("{:<20}{:>12}{:>12}\n", "function", "program", "zip");
    for size in sizes {
        let (program, archive) = (size.program_bytes as f64 / MB, size.archive_bytes as f64 / MB);
        let mark = if size.is_above(budget) { "   above the budget" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(table, "{:<20}{program:>9.2} MB{archive:>9.2} MB{mark}", size.name);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(name: &str, program_bytes: u64, archive_bytes: u64) -> Size {
        Size { name: name.to_owned(), program_bytes, archive_bytes }
    }

    #[test]
    fn the_largest_comes_first_and_those_above_the_budget_are_marked() {
        let sizes = [size("small", 5_000_000, 2_345_678), size("large", 11_000_000, 4_000_001)];
        let expected = "function                 program         zip\n\
                        large                   11.00 MB     4.00 MB   above the budget\n\
                        small                    5.00 MB     2.35 MB\n";
        assert_eq!(table(&sizes, 4.0), expected);
    }

    #[test]
    fn the_budget_itself_is_accepted() {
        let sizes = [size("equal", 0, 4_000_000), size("above", 0, 4_000_001)];
        assert_eq!(above(&sizes, 4.0), ["above"]);
    }
}
