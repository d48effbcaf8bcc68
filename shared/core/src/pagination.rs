//! Pages of a list (contract 3).

use serde::Serialize;

use crate::db::{Db, DbError, Row, Statement};

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

/// Up to so many entries are skipped without asking first how many there are.
const NEAR: i64 = 10_000;

/// Consecutive entries of a list, seen from its beginning or from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// How many entries.
    pub limit: u32,
    /// How many come before them, on the side they are seen from.
    pub offset: i64,
    is_from_end: bool,
}

impl Stretch {
    /// The direction in which to walk to it.
    pub fn direction(self, asked: Direction) -> Direction {
        match (self.is_from_end, asked) {
            (false, asked) => asked,
            (true, Direction::Ascending) => Direction::Descending,
            (true, Direction::Descending) => Direction::Ascending,
        }
    }
}

impl PageRequest {
    /// The page seen from the beginning.
    pub fn stretch(self) -> Stretch {
        Stretch { limit: self.limit, offset: self.offset(), is_from_end: false }
    }

    /// The page seen from where fewer entries lie before it.
    fn nearest_stretch(self, total: u64) -> Stretch {
        let behind = i64::try_from(total).unwrap_or(i64::MAX) - self.offset();
        let limit = behind.clamp(0, i64::from(self.limit));
        let offset_from_end = behind - limit;
        match u32::try_from(limit) {
            Ok(limit) if offset_from_end < self.offset() => {
                Stretch { limit, offset: offset_from_end.max(0), is_from_end: true }
            }
            _ => self.stretch(),
        }
    }

    /// Counts a list and reads this page of it, in one round trip. A page far inside is counted first and then read from
    /// the end that is nearer: what lies before it has to be walked through.
    pub async fn read(
        self,
        db: &Db,
        count: Statement,
        select: impl Fn(Stretch) -> Statement,
    ) -> Result<(u64, Vec<Row>), DbError> {
        let total_in = |row: Option<&Row>| row.map_or(Ok(0), |row| row.get("n"));
        if self.offset() <= NEAR {
            let mut answers = db.read_many(vec![count, select(self.stretch())]).await?;
            let rows = answers.pop().unwrap_or_default().rows;
            return Ok((total_in(answers.first().and_then(|answer| answer.first()))?, rows));
        }
        let total = total_in(db.read_many(vec![count]).await?.first().and_then(|answer| answer.first()))?;
        let rows = db.read_many(vec![select(self.nearest_stretch(total))]).await?.pop().unwrap_or_default().rows;
        Ok((total, rows))
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
    fn a_page_is_reached_from_the_nearer_end() {
        let stretch = |page, limit| {
            let stretch = PageRequest { page, limit }.nearest_stretch(95);
            (stretch.limit, stretch.offset, stretch.is_from_end)
        };
        assert_eq!(stretch(1, 10), (10, 0, false));
        assert_eq!(stretch(5, 10), (10, 40, false), "40 before it, 45 behind it");
        assert_eq!(stretch(6, 10), (10, 35, true));
        assert_eq!(stretch(9, 10), (10, 5, true));
        assert_eq!(stretch(10, 10), (5, 0, true), "the last one is not full");
        assert_eq!(stretch(11, 10), (0, 0, true), "nothing is past the end");
        assert_eq!(stretch(1, 1000), (1000, 0, false));
    }

    #[test]
    fn a_page_past_the_end_keeps_its_number() {
        let page = Page::<u8>::new(Vec::new(), 21, PageRequest { page: 9, limit: 10 });
        assert_eq!((page.page, page.total_pages, page.has_next, page.has_prev), (9, 3, false, true));
        let empty = Page::<u8>::new(Vec::new(), 0, PageRequest { page: 1, limit: 10 });
        assert_eq!((empty.total_pages, empty.has_next, empty.has_prev), (0, false, false));
    }
}
