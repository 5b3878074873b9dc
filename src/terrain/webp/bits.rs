//! Bits, least significant first.

/// Collects bits into bytes, least significant bit first.
#[derive(Default)]
pub(super) struct BitWriter {
    /// Longer than what was written.
    bytes: Vec<u8>,
    /// How many whole bytes were written.
    at: usize,
    /// The bits after them, fewer than 8.
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// The most bits that are appended at once.
    pub(super) const WIDEST: u32 = 56;

    /// Starts again with the bytes given, which stay in front.
    pub(super) fn start(bytes: Vec<u8>) -> Self {
        Self { at: bytes.len(), bytes, pending: 0, count: 0 }
    }

    /// Appends the low `count` bits of `value`; at most 32, and the bits above them are zero.
    #[inline]
    pub(super) fn put(&mut self, value: u32, count: u32) {
        self.put_wide(value.into(), count);
    }

    /// As `put`, at most [`Self::WIDEST`] bits.
    #[inline]
    pub(super) fn put_wide(&mut self, value: u64, count: u32) {
        self.pending |= value << self.count;
        self.count += count;
        let end = self.at + 8;
        if end > self.bytes.len() {
            self.bytes.resize((end * 2).max(1024), 0);
        }
        // All that is pending, whole bytes or not.
        self.bytes[self.at..end].copy_from_slice(&self.pending.to_le_bytes());
        let whole = self.count / 8;
        self.at += whole as usize;
        self.pending >>= whole * 8;
        self.count %= 8;
    }

    /// The bytes, the last one padded with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.at);
        if self.count > 0 {
            self.bytes.push(self.pending as u8);
        }
        self.bytes
    }
}
