//! Rows of 32-bit numbers as codes of a palette. Where most numbers repeat (flags, classes, small counts, readings of a
//! converter), this takes a third of the bytes and decodes several times as fast as any frame of Zstandard.
//!
//! Numbers are cut into blocks of 16. Each block says how wide its codes are, and which of its numbers the palette does not
//! hold; those stand behind the codes as they are. The idea is PDICT's (Zukowski, Heman, Nes and Boncz, "Super-Scalar RAM-CPU
//! Cache Compression", 2006). Nothing of it is known to the store, for which a coded row is a row of bytes.

use std::collections::HashMap;

use hypso::{Error, Result};

/// Numbers of a block.
const BLOCK: usize = 16;
/// The forms of a block: how many entries of the palette its codes reach, and the bytes of its codes. A last form has
/// no codes, but the numbers.
const FORMS: [(usize, usize); 4] = [(1, 0), (16, 8), (256, 16), (1 << 16, 32)];
const AS_IS: u8 = FORMS.len() as u8;
/// A number beside the codes: its place in the block, and itself.
const EXCEPTION: usize = 5;
const MOST_EXCEPTIONS: usize = 15;

/// Counts numbers, and makes a palette of those that repeat.
#[derive(Debug, Default)]
pub struct Census {
    /// How often a number was seen, in how many rows, and the last of them.
    seen: HashMap<u32, (u32, u32, u32)>,
    rows: u32,
}

impl Census {
    /// Counts the numbers of a row.
    pub fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        for word in row.as_chunks::<4>().0 {
            let (times, rows, last) = self.seen.entry(u32::from_le_bytes(*word)).or_default();
            *times += 1;
            *rows += u32::from(*last != self.rows);
            *last = self.rows;
        }
    }

    /// The numbers that several rows have, the most frequent first; at most 65536.
    pub fn palette(self) -> Vec<u32> {
        let several = self.seen.into_iter().filter(|&(_, (_, rows, _))| rows > 1);
        let mut all: Vec<(u32, u32)> = several.map(|(word, (times, ..))| (times, word)).collect();
        all.sort_unstable_by_key(|&(times, word)| (u32::MAX - times, word));
        all.truncate(FORMS[FORMS.len() - 1].0);
        all.into_iter().map(|(_, word)| word).collect()
    }
}

/// Codes rows.
#[derive(Debug)]
pub struct Encoder {
    codes: HashMap<u32, usize>,
    first: u32,
}

impl Encoder {
    /// An encoder for a palette without repetitions.
    pub fn new(palette: &[u32]) -> Self {
        let codes = palette.iter().enumerate().map(|(code, &word)| (word, code)).collect();
        Self { codes, first: palette.first().copied().unwrap_or(0) }
    }

    /// A coded row: how many numbers (four bytes), then its blocks. The last one is filled up.
    ///
    /// # Errors
    /// Where the row is not made of 32-bit numbers.
    pub fn encode(&self, row: &[u8]) -> Result<Vec<u8>> {
        let (words, []) = row.as_chunks::<4>() else {
            return Err(Error::argument("row", format!("has {} bytes, and is not made of 32-bit numbers", row.len())));
        };
        let mut out = (words.len() as u32).to_le_bytes().to_vec();
        for part in words.chunks(BLOCK) {
            let mut block = [self.first; BLOCK];
            block.iter_mut().zip(part).for_each(|(to, from)| *to = u32::from_le_bytes(*from));
            self.block(&block, &mut out);
        }
        Ok(out)
    }

    fn block(&self, block: &[u32; BLOCK], out: &mut Vec<u8>) {
        let codes = block.map(|word| self.codes.get(&word).copied().unwrap_or(usize::MAX));
        let beyond = |form: usize| codes.iter().filter(|&&code| code >= FORMS[form].0).count();
        let cost = |form: &usize| FORMS[*form].1 + EXCEPTION * beyond(*form);
        let best = (0..FORMS.len()).filter(|&form| beyond(form) <= MOST_EXCEPTIONS).min_by_key(cost);
        let Some(form) = best.filter(|form| cost(form) < 4 * BLOCK) else {
            out.push(AS_IS);
            block.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            return;
        };
        out.push(form as u8 | (beyond(form) as u8) << 4);
        let reach = FORMS[form].0;
        let code = codes.map(|code| if code < reach { code } else { 0 });
        match form {
            0 => {}
            1 => out.extend(code.as_chunks::<2>().0.iter().map(|pair| (pair[0] | pair[1] << 4) as u8)),
            2 => out.extend(code.iter().map(|&code| code as u8)),
            _ => code.iter().for_each(|&code| out.extend_from_slice(&(code as u16).to_le_bytes())),
        }
        for (place, word) in block.iter().enumerate().filter(|&(place, _)| codes[place] >= reach) {
            out.push(place as u8);
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
}

/// Decodes rows.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    palette: &'a [u32],
    /// The first entries of the palette, filled up, so that no code can be too large.
    few: [u32; 16],
    common: [u32; 256],
}

impl<'a> Decoder<'a> {
    /// A decoder for what was coded with this palette.
    pub fn new(palette: &'a [u32]) -> Self {
        let (mut few, mut common) = ([0; 16], [0; 256]);
        few.iter_mut().zip(palette).for_each(|(to, from)| *to = *from);
        common.iter_mut().zip(palette).for_each(|(to, from)| *to = *from);
        Self { palette, few, common }
    }

    /// How many bytes a coded row has when it is decoded.
    ///
    /// # Errors
    /// Where so many can't be in it: no memory is asked for that it can't stand for.
    pub fn length(&self, coded: &[u8]) -> Result<usize> {
        let (words, blocks) = coded.split_first_chunk::<4>().ok_or_else(damaged)?;
        let words = u32::from_le_bytes(*words) as usize;
        if words.div_ceil(BLOCK) <= blocks.len() { Ok(words * 4) } else { Err(damaged()) }
    }

    /// Decodes a row into [`length`](Self::length) bytes that start at a multiple of four.
    ///
    /// # Errors
    /// Where it is damaged.
    pub fn decode(&self, coded: &[u8], out: &mut [u8]) -> Result<()> {
        self.blocks(coded, out).ok_or_else(damaged)
    }

    fn blocks(&self, coded: &[u8], out: &mut [u8]) -> Option<()> {
        let (blocks, last) = bytemuck::try_cast_slice_mut::<u8, u32>(out).ok()?.as_chunks_mut::<BLOCK>();
        let mut rest = coded.get(4..)?;
        for block in blocks {
            rest = self.block(rest, block)?;
        }
        if !last.is_empty() {
            let mut block = [0; BLOCK];
            rest = self.block(rest, &mut block)?;
            last.iter_mut().zip(block).for_each(|(to, from)| *to = from);
        }
        rest.is_empty().then_some(())
    }

    #[inline(always)]
    fn block<'b>(&self, bytes: &'b [u8], out: &mut [u32; BLOCK]) -> Option<&'b [u8]> {
        let (&head, rest) = bytes.split_first()?;
        let mut rest = match head & 15 {
            0 => {
                *out = [self.few[0]; BLOCK];
                rest
            }
            1 => {
                let (codes, rest) = rest.split_first_chunk::<8>()?;
                for (pair, code) in out.as_chunks_mut::<2>().0.iter_mut().zip(codes) {
                    *pair = [self.few[usize::from(code & 15)], self.few[usize::from(code >> 4)]];
                }
                rest
            }
            2 => {
                let (codes, rest) = rest.split_first_chunk::<16>()?;
                out.iter_mut().zip(codes).for_each(|(word, &code)| *word = self.common[usize::from(code)]);
                rest
            }
            3 => {
                let (codes, rest) = rest.split_first_chunk::<32>()?;
                for (word, code) in out.iter_mut().zip(codes.as_chunks::<2>().0) {
                    *word = *self.palette.get(usize::from(u16::from_le_bytes(*code)))?;
                }
                rest
            }
            AS_IS => {
                let (words, rest) = rest.split_first_chunk::<64>()?;
                out.iter_mut().zip(words.as_chunks::<4>().0).for_each(|(to, from)| *to = u32::from_le_bytes(*from));
                rest
            }
            _ => return None,
        };
        for _ in 0..head >> 4 {
            let (&[place, a, b, c, d], after) = rest.split_first_chunk::<EXCEPTION>()?;
            out[usize::from(place & 15)] = u32::from_le_bytes([a, b, c, d]);
            rest = after;
        }
        Some(rest)
    }
}

fn damaged() -> Error {
    Error::invalid("coded row", "is damaged", "run `hypso verify` on the file, and build it again from its sources")
}
