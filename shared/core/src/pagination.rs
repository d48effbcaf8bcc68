//! Pages of a list (contract 3).

use serde::Serialize;

/// Page size when the caller names none.
pub const DEFAULT_LIMIT: u32 = 10;
/// Largest page size (decision R-06).
pub const MAX_LIMIT: u32 = 1000;

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// 1-based.
    pub page: u32,
    /// Entries per page, 1 to [`MAX_LIMIT`].
    pub limit: u32,
}

impl PageRequest {
    /// How many entries come before this page.
    pub fn offset(self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.limit)
    }
}

/// Sort direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Smallest first; missing values come first.
    Ascending,
    /// Largest first; missing values come last.
    #[default]
    Descending,
}

impl Direction {
    /// The SQL keyword.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}

/// One page of a list with its place in the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The entries of this page.
    pub data: Vec<T>,
    /// Matching entries over all pages.
    pub total: u64,
    /// The page that was asked for, even past the end.
    pub page: u32,
    /// The page size in effect.
    pub limit: u32,
    /// `ceil(total / limit)`.
    pub total_pages: u64,
    /// Whether a later page exists.
    pub has_next: bool,
    /// Whether an earlier page number exists, also past the end.
    pub has_prev: bool,
}

impl<T> Page<T> {
    /// Describes `data` as the requested page of `total` entries.
    pub fn new(data: Vec<T>, total: u64, request: PageRequest) -> Self {
        let total_pages = total.div_ceil(u64::from(request.limit));
        Self {
            data,
            total,
            page: request.page,
            limit: request.limit,
            total_pages,
            has_next: u64::from(request.page) < total_pages,
            has_prev: request.page > 1,
        }
    }

    /// The same page with every entry converted.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(convert).collect(),
            total: self.total,
            page: self.page,
            limit: self.limit,
            total_pages: self.total_pages,
            has_next: self.has_next,
            has_prev: self.has_prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_past_the_end_keeps_its_number() {
        let page = Page::<u8>::new(Vec::new(), 21, PageRequest { page: 9, limit: 10 });
        assert_eq!((page.page, page.total_pages, page.has_next, page.has_prev), (9, 3, false, true));
        let empty = Page::<u8>::new(Vec::new(), 0, PageRequest { page: 1, limit: 10 });
        assert_eq!((empty.total_pages, empty.has_next, empty.has_prev), (0, false, false));
    }
}
