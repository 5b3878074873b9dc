//! Which records gave a pixel.

use crate::store::RowId;

/// A bit for each record.
#[derive(Debug, Clone, Default)]
pub(super) struct UsedRecords {
    words: Vec<u64>,
}

impl UsedRecords {
    pub(super) fn new(records: u32) -> Self {
        Self { words: vec![0; (records as usize).div_ceil(64)] }
    }

    pub(super) fn add(&mut self, rows: &[RowId]) {
        for &row in rows {
            if let Some(word) = self.words.get_mut(row as usize / 64) {
                *word |= 1 << (row % 64);
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_once() {
        let mut used = UsedRecords::new(130);
        used.add(&[0, 5, 129]);
        used.add(&[5, 63, 64, 1000]);
        assert_eq!(used.count(), 5);
    }
}
