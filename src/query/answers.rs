//! The answers of a batch of queries, one after another in one buffer.

use crate::store::RowId;

/// Rows for each query of a batch. Keep it and use it again: its buffers stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub(super) rows: Vec<RowId>,
    /// Where the rows of each query end.
    ends: Vec<usize>,
}

impl Answers {
    /// Without answers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many queries were answered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True where no query was answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The rows of a query, by its position in the batch.
    #[must_use]
    pub fn get(&self, query: usize) -> Option<&[RowId]> {
        let start = self.start(query);
        self.ends.get(query).map(|&end| &self.rows[start..end])
    }

    /// The rows of each query, in the order of the batch.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[RowId]> {
        (0..self.len()).map(|i| &self.rows[self.start(i)..self.ends[i]])
    }

    fn start(&self, query: usize) -> usize {
        query.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.ends.clear();
    }

    /// Ends the answers of all queries before this one.
    pub(super) fn close_until(&mut self, query: usize) {
        while self.ends.len() < query {
            self.ends.push(self.rows.len());
        }
    }

    pub(super) fn each_mut(&mut self, mut each: impl FnMut(&mut [RowId])) {
        let mut start = 0;
        for &end in &self.ends {
            each(&mut self.rows[start..end]);
            start = end;
        }
    }
}
