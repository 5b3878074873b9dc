//! Images of few colours: a sorted table, and indices in the green channel (RFC 9649, 3.5.4).

const EMPTY: u32 = u32::MAX;
const SLOTS: usize = 1024;

/// A colour table; keeps its scratch.
#[derive(Default)]
pub(super) struct Palette {
    /// The colours, ascending.
    pub(super) colors: Vec<u32>,
    /// A hash table of the colours, and the index of each.
    slots: Vec<(u32, u8)>,
    /// The indices as an image.
    pub(super) indices: Vec<u32>,
}

impl Palette {
    /// Collects the colours; false if they are more than 256. They are opaque.
    pub(super) fn collect(&mut self, argb: &[u32]) -> bool {
        self.slots.clear();
        self.slots.resize(SLOTS, (EMPTY, 0));
        self.colors.clear();
        let mut last = EMPTY;
        for &color in argb {
            let key = color & 0xff_ffff;
            if key == last {
                continue;
            }
            last = key;
            let slot = self.find(key);
            if self.slots[slot].0 == EMPTY {
                if self.colors.len() == 256 {
                    return false;
                }
                self.slots[slot].0 = key;
                self.colors.push(color);
            }
        }
        self.colors.sort_unstable();
        for i in 0..self.colors.len() {
            let slot = self.find(self.colors[i] & 0xff_ffff);
            self.slots[slot].1 = i as u8;
        }
        true
    }

    fn find(&self, key: u32) -> usize {
        let mut slot = (key.wrapping_mul(0x9e37_79b1) >> 22) as usize;
        while self.slots[slot].0 != key && self.slots[slot].0 != EMPTY {
            slot = (slot + 1) % SLOTS;
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
        let mut indices = std::mem::take(&mut self.indices);
        indices.clear();
        let mut last = (EMPTY, 0);
        for row in argb.chunks(width) {
            for group in row.chunks(1 << bundle) {
                let mut green = 0;
                for (i, &color) in group.iter().enumerate() {
                    // Without alpha: opaque white would be the same as `EMPTY`.
                    let key = color & 0xff_ffff;
                    if key != last.0 {
                        last = (key, u32::from(self.slots[self.find(key)].1));
                    }
                    green |= last.1 << (i as u32 * bits);
                }
                indices.push(0xff00_0000 | green << 8);
            }
        }
        self.indices = indices;
        width.div_ceil(1 << bundle)
    }
}
