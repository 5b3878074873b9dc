//! Images of few colours: a sorted table, and indices in the green channel (RFC 9649, 3.5.4).

use super::refs::{AT_ONCE, is_run};

const EMPTY: u32 = u32::MAX;
/// Slots of the hash table, as a power of two; so many that colours rarely share one.
const SLOT_BITS: u32 = 12;

/// A colour table; keeps its scratch.
#[derive(Default)]
pub(super) struct Palette {
    /// The colours, ascending.
    pub(super) colors: Vec<u32>,
    /// A hash table of the colours, and the index of each.
    slots: Vec<u32>,
    index_of: Vec<u8>,
    row: Vec<u8>,
    /// The indices as an image.
    pub(super) indices: Vec<u32>,
}

impl Palette {
    /// Collects the colours; false if they are more than 256. They are opaque.
    pub(super) fn collect(&mut self, argb: &[u32]) -> bool {
        self.slots.clear();
        self.slots.resize(1 << SLOT_BITS, EMPTY);
        self.colors.clear();
        // Pixels are opaque: this is none.
        let mut last = 0;
        for pixels in argb.chunks(AT_ONCE) {
            if is_run(pixels, last) {
                continue;
            }
            last = pixels[pixels.len() - 1];
            for &color in pixels {
                let key = color & 0xff_ffff;
                let slot = self.find(key);
                if self.slots[slot] == EMPTY {
                    if self.colors.len() == 256 {
                        return false;
                    }
                    self.slots[slot] = key;
                    self.colors.push(color);
                }
            }
        }
        self.colors.sort_unstable();
        self.index_of.resize(1 << SLOT_BITS, 0);
        for i in 0..self.colors.len() {
            let slot = self.find(self.colors[i] & 0xff_ffff);
            self.index_of[slot] = i as u8;
        }
        true
    }

    #[inline]
    fn find(&self, key: u32) -> usize {
        let mut slot = (key.wrapping_mul(0x9e37_79b1) >> (32 - SLOT_BITS)) as usize;
        while self.slots[slot] != key && self.slots[slot] != EMPTY {
            slot = (slot + 1) % (1 << SLOT_BITS);
        }
        slot
    }

    /// How many indices share a pixel, as a power of two.
    pub(super) fn bundle_bits(&self) -> u32 {
        match self.colors.len() {
            0..=2 => 3,
            3..=4 => 2,
            5..=16 => 1,
            _ => 0,
        }
    }

    /// Makes the image of indices; returns its width.
    pub(super) fn index(&mut self, argb: &[u32], width: usize) -> usize {
        let bundle = self.bundle_bits();
        let bits = 8 >> bundle;
        let (mut indices, mut row) = (std::mem::take(&mut self.indices), std::mem::take(&mut self.row));
        indices.clear();
        row.resize(width, 0);
        let mut last = (0, 0);
        for colors in argb.chunks(width) {
            for (colors, row) in colors.chunks(AT_ONCE).zip(row.chunks_mut(AT_ONCE)) {
                if is_run(colors, last.0) {
                    row.fill(last.1);
                    continue;
                }
                for (index, &color) in row.iter_mut().zip(colors) {
                    *index = self.index_of[self.find(color & 0xff_ffff)];
                }
                last = (colors[colors.len() - 1], row[row.len() - 1]);
            }
            let pixel = |green: u32| 0xff00_0000 | green << 8;
            if bundle == 0 {
                indices.extend(row.iter().map(|&index| pixel(index.into())));
            } else {
                indices.extend(
                    row.chunks(1 << bundle).map(|group| {
                        pixel(group.iter().rev().fold(0, |above, &index| above << bits | u32::from(index)))
                    }),
                );
            }
        }
        (self.indices, self.row) = (indices, row);
        width.div_ceil(1 << bundle)
    }
}
