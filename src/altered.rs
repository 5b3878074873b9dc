//! Files as damage and malice leave them, for tests: the same ones for the same seed.

/// A xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// What stands in texts where another value was.
const WORDS: [&str; 14] = [
    "1e308",
    "-1",
    "0",
    "NaN",
    "99999999999999999999",
    "4294967296",
    "null",
    "[]",
    "{}",
    "\"\\u001b[2J\"",
    "\"\"",
    "180",
    "\u{1b}[31m",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Bytes with one to four changes: bits, numbers, pieces that are cut out, cut off, written twice or over others; in texts also
/// other words in place of numbers.
pub(crate) fn altered(bytes: &[u8], seed: u64) -> Vec<u8> {
    let (mut out, mut random) = (bytes.to_vec(), Random::new(seed));
    for _ in 0..[1, 1, 2, 4][random.below(4)] {
        let (length, at) = (out.len(), random.below(out.len()));
        if length == 0 {
            break;
        }
        let end = |random: &mut Random| (at + [1, 4, 9, 100, 1000][random.below(5)]).min(length);
        match random.below(9) {
            0 => out[at] ^= 1 << random.below(8),
            1 => out[at] = random.below(256) as u8,
            2 => out.truncate(at),
            3 => drop(out.drain(at..end(&mut random))),
            4 => {
                let piece = out[at..end(&mut random)].to_vec();
                let to = random.below(length);
                out.splice(to..to, piece);
            }
            5 => {
                let piece = out[at..end(&mut random)].to_vec();
                let to = random.below(length - piece.len() + 1);
                out[to..to + piece.len()].copy_from_slice(&piece);
            }
            6 => {
                let number =
                    [0, 1, u64::MAX, 1 << 63, 1 << 31, length as u64, random.below(1 << 30) as u64][random.below(7)];
                let size = [1, 2, 4, 8][random.below(4)].min(length - at);
                out[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
            }
            _ => {
                let is_number = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let Some(start) = (at..length).find(|&i| out[i].is_ascii_digit()) else { continue };
                let end = start + out[start..].iter().take_while(|b| is_number(b)).count();
                out.splice(start..end, WORDS[random.below(WORDS.len())].bytes());
            }
        }
    }
    out
}

/// Checks the message of a refusal: it names the file, and shows what is in it without commands to a terminal, on a screen.
pub(crate) fn check_message(error: &crate::Error, file: &str) {
    let shown = crate::text::message(&error.to_string());
    assert!(shown.contains(file), "no {file} in {shown}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t') && shown.len() < 20_000, "{shown}");
}
