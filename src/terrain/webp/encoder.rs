//! From pixels to a file.

use strum::VariantNames as _;

use super::bits::BitWriter;
use super::copies::{Depth, same};
use super::groups;
use super::huffman::{Builder, Code};
use super::joint::{self, Joint};
use super::modes::{self, Chooser, Search};
use super::palette::Palette;
use super::predict::subtract;
use super::refs::{COPY, KIND, copy_parts, distance_code, green_symbol, is_literal, prefix, slot_symbol};
use super::way::{Effort, Scratch, Way};
use crate::error::{Error, Result};

/// The longest side of an image, pixels.
const MAX_SIDE: u32 = 1 << 14;

const OPAQUE: u32 = 0xff00_0000;

/// How much time an image is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Level {
    /// The least time.
    Fast,
    /// Few bytes in little time.
    #[default]
    Default,
    /// Few bytes, for ten times the time of the default level.
    Small,
    /// The fewest bytes, for a hundred times the time of the default level; images above 2^20 pixels as at the small level.
    Tiny,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("encoder level", text, Level::VARIANTS)
}

/// What a level does.
struct Settings {
    search: Search,
    /// Slots of the colour cache, as a power of two.
    cache_bits: u32,
    effort: Effort,
    /// What the smooth way takes of the rough one, in thousandths: below the first number only the smooth one is tried, from the second
    /// on only the rough one.
    smooth: (u64, u64),
    /// Below this, all copies that can be found are looked for.
    deep: u64,
    /// Where fewer spans repeat others, in thousandths, only the rough way is tried.
    repeats: u64,
    /// Whether predictors and groups are chosen together, in the smallest blocks; nothing of the above counts then but the effort.
    joint: bool,
}

impl Level {
    fn settings(self) -> Settings {
        let search =
            Search { starts: &[12, 11], candidates: &[12, 11, 1, 2, 4], bits: 4, count_step: 8, step: 4, rounds: 1 };
        let effort = Effort { groups: 4, regroupings: 1, regroup_step: 4, parses: 0, probes: 0 };
        match self {
            Self::Fast => Settings {
                search: Search { starts: &[12], candidates: &[12, 11, 1, 2], count_step: 16, step: 8, ..search },
                cache_bits: 10,
                effort: Effort { regroupings: 0, ..effort },
                smooth: (700, 700),
                deep: 500,
                repeats: 400,
                joint: false,
            },
            Self::Default => Settings {
                search,
                cache_bits: 10,
                effort,
                smooth: (930, 1010),
                deep: u64::MAX,
                repeats: 130,
                joint: false,
            },
            Self::Small => Settings {
                search: Search { candidates: &[12, 11, 1, 2, 3, 4], step: 2, ..search },
                cache_bits: 10,
                effort: Effort { groups: 8, regroupings: 2, regroup_step: 2, parses: 2, probes: 32 },
                smooth: (700, 1200),
                deep: u64::MAX,
                repeats: 0,
                joint: false,
            },
            Self::Tiny => Settings {
                search: Search { bits: joint::BITS, ..search },
                cache_bits: 10,
                effort: Effort { groups: 12, regroupings: 0, regroup_step: 1, parses: 2, probes: 32 },
                smooth: (0, 0),
                deep: 0,
                repeats: 0,
                joint: true,
            },
        }
    }
}

/// Encodes images one after the other; keeps its scratch, so that nothing but the files is allocated once it is warm.
#[derive(Default)]
pub struct Encoder {
    argb: Vec<u32>,
    palette: Palette,
    chooser: Chooser,
    joint: Joint,
    rough: Way,
    smooth: Way,
    scratch: Scratch,
    codes: Vec<[Code; 5]>,
    builder: Builder,
    small: Vec<u32>,
    small_codes: [Code; 5],
}

impl Encoder {
    /// Encodes pixels `0xRRGGBB`, row by row; the highest byte counts for nothing. The same pixels give the same bytes, whatever was
    /// encoded before.
    ///
    /// # Errors
    /// Where a side is 0 or above 16384 pixels, or `pixels` are not `width * height`.
    pub fn encode(&mut self, level: Level, width: u32, height: u32, pixels: &[u32]) -> Result<Vec<u8>> {
        self.argb.clear();
        self.argb.extend(pixels.iter().map(|pixel| pixel | OPAQUE));
        self.encode_argb(level, width, height)
    }

    /// As [`Encoder::encode`], of RGB pixels of 3 bytes each.
    ///
    /// # Errors
    /// Where a side is 0 or above 16384 pixels, or `rgb` has not `width * height * 3` bytes.
    pub fn encode_rgb(&mut self, level: Level, width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>> {
        if !rgb.len().is_multiple_of(3) {
            return Err(Error::argument("image", format!("has {} bytes, not 3 a pixel", rgb.len())));
        }
        opaque(rgb, &mut self.argb);
        self.encode_argb(level, width, height)
    }

    fn encode_argb(&mut self, level: Level, width: u32, height: u32) -> Result<Vec<u8>> {
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(Error::argument("image", format!("of {width} x {height} pixels; sides are 1 to {MAX_SIDE}")));
        }
        if self.argb.len() != width as usize * height as usize {
            return Err(Error::argument("image", format!("should have {width} x {height} pixels")));
        }
        // What is upsampled is smaller the way of the small level, and large images take only that one.
        if level == Level::Tiny && self.argb.len() <= joint::MOST_PIXELS {
            let file = self.file(&Level::Tiny.settings(), width, height);
            let other = self.file(&Level::Small.settings(), width, height);
            return Ok(if other.len() < file.len() { other } else { file });
        }
        let level = if level == Level::Tiny { Level::Small } else { level };
        Ok(self.file(&level.settings(), width, height))
    }

    /// The file of the pixels.
    fn file(&mut self, settings: &Settings, width: u32, height: u32) -> Vec<u8> {
        // The container and the chunk get their lengths at the end.
        let mut file = Vec::with_capacity(self.argb.len() / 2 + 64);
        file.extend_from_slice(b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f");
        let mut writer = BitWriter::start(file);
        writer.put(width - 1, 14);
        writer.put(height - 1, 14);
        // No alpha; version 0.
        writer.put(0, 4);
        self.image(settings, width as usize, &mut writer);
        let mut file = writer.finish();
        let chunk = file.len() - 20;
        file.resize(file.len().next_multiple_of(2), 0);
        let all = file.len() - 8;
        file[4..8].copy_from_slice(&(all as u32).to_le_bytes());
        file[16..20].copy_from_slice(&(chunk as u32).to_le_bytes());
        file
    }

    /// Writes the transforms and the image.
    fn image(&mut self, settings: &Settings, mut width: usize, writer: &mut BitWriter) {
        let search = &settings.search;
        let mut cache_bits = settings.cache_bits;
        let mut predicted = true;
        let indexed = self.palette.collect(&self.argb);
        if indexed {
            writer.put(1, 1);
            writer.put(3, 2);
            self.colors(writer);
            width = self.palette.index(&self.argb, width);
            // An index is a symbol already; several in a pixel have no neighbours to be predicted from.
            cache_bits = 0;
            predicted = self.palette.bundle_bits() == 0;
        }
        let pixels: &[u32] = if indexed { &self.palette.indices } else { &self.argb };
        let (rough, smooth, scratch) = (&mut self.rough, &mut self.smooth, &mut self.scratch);
        let mut is_smooth = false;
        if predicted && settings.joint {
            self.joint.choose(pixels, width, settings.effort.groups);
            rough.code_jointly(&settings.effort, &self.joint, pixels, width, cache_bits, scratch);
        } else if predicted {
            let (surely, perhaps) = settings.smooth;
            let share = smooth.compare(settings.repeats, search, pixels, width, scratch);
            is_smooth = share < perhaps;
            if is_smooth {
                smooth.predict_left(search, pixels, width);
                let depth = if share < settings.deep { Depth::DEEP } else { Depth::SHALLOW };
                smooth.code(&settings.effort, Some(depth), width, search.bits, cache_bits, scratch);
            }
            if !is_smooth || share >= surely {
                self.chooser.choose(search, pixels, width, &mut rough.choice);
                modes::predict(pixels, width, search.bits, &rough.choice.modes, &mut rough.residuals);
                rough.code(&settings.effort, None, width, search.bits, cache_bits, scratch);
                is_smooth = is_smooth && smooth.groups.bits() < rough.groups.bits();
            }
        } else {
            self.chooser.leave(search, pixels, width, &mut rough.choice);
            rough.residuals.clear();
            rough.residuals.extend_from_slice(pixels);
            rough.code(&settings.effort, None, width, search.bits, cache_bits, scratch);
        }
        let way = if is_smooth { smooth } else { rough };
        way.groups.join();
        if predicted {
            writer.put(1, 1);
            writer.put(0, 2);
            writer.put(search.bits - 2, 3);
            self.small.clear();
            self.small.extend(way.choice.modes.iter().map(|&mode| u32::from(mode) << 8));
            let across = width.div_ceil(1 << search.bits);
            small_image(&self.small, across, &mut self.builder, &mut self.small_codes, writer);
        }
        writer.put(0, 1);
        self.write(is_smooth, width, cache_bits, writer);
    }

    /// Writes the table of colours, each as its difference from the one before.
    fn colors(&mut self, writer: &mut BitWriter) {
        let colors = &self.palette.colors;
        writer.put(colors.len() as u32 - 1, 8);
        self.small.clear();
        let mut before = 0;
        self.small.extend(colors.iter().map(|&color| subtract(color, std::mem::replace(&mut before, color))));
        small_image(&self.small, self.small.len(), &mut self.builder, &mut self.small_codes, writer);
    }

    /// Writes the cache's size, the groups, their codes, and the tokens.
    fn write(&mut self, smooth: bool, width: usize, cache_bits: u32, writer: &mut BitWriter) {
        let way = if smooth { &self.smooth } else { &self.rough };
        writer.put(u32::from(cache_bits > 0), 1);
        if cache_bits > 0 {
            writer.put(cache_bits, 4);
        }
        let number = way.groups.number;
        writer.put(u32::from(number > 1), 1);
        if number > 1 {
            writer.put(way.groups.block_bits - 2, 3);
            self.small.clear();
            self.small.extend(way.groups.of.iter().map(|&g| u32::from(g) << 8));
            let across = width.div_ceil(1 << way.groups.block_bits);
            small_image(&self.small, across, &mut self.builder, &mut self.small_codes, writer);
        }
        self.codes.resize_with(number.max(self.codes.len()), Default::default);
        for (codes, counts) in self.codes.iter_mut().zip(&way.groups.counts[..number]) {
            let [green, red, blue, distance] = counts.parts();
            let mut alpha = [0; 256];
            alpha[0] = 1;
            for (code, counts) in codes.iter_mut().zip([green, red, blue, &alpha, distance]) {
                self.builder.code(counts, code, writer);
            }
        }
        let (codes, of) = (&self.codes[..number], &way.groups.of);
        groups::walk(&way.tokens, width, way.groups.block_bits, |block, _, tokens, slots| {
            let [green, red, blue, _, distance] = &codes[usize::from(of[block])];
            if slots {
                // No code is longer than 15 bits.
                for three in tokens.chunks(3) {
                    let mut word = (0, 0);
                    three.iter().for_each(|&token| append(&mut word, green.word(slot_symbol(token))));
                    writer.put_wide(word.0, word.1);
                }
                return;
            }
            // Several pixels are written at once.
            let (mut pending, mut count) = (0, 0);
            for &token in tokens {
                let (word, bits) = if token >> KIND == COPY {
                    let (length, code) = copy_parts(token);
                    let ((length, extra_length, length_bits), (code, extra_code, code_bits)) =
                        (prefix(length), prefix(code));
                    let mut word = green.word(256 + length);
                    append(&mut word, (extra_length.into(), length_bits));
                    append(&mut word, distance.word(code));
                    append(&mut word, (extra_code.into(), code_bits));
                    word
                } else {
                    let mut word = green.word(green_symbol(token));
                    append(&mut word, red.word_if(is_literal(token), (token >> 16 & 255) as usize));
                    append(&mut word, blue.word_if(is_literal(token), (token & 255) as usize));
                    word
                };
                if count + bits > BitWriter::WIDEST {
                    writer.put_wide(pending, count);
                    (pending, count) = (0, 0);
                }
                pending |= word << count;
                count += bits;
            }
            writer.put_wide(pending, count);
        });
    }
}

/// Opaque pixels from RGB.
fn opaque(rgb: &[u8], out: &mut Vec<u32>) {
    out.resize(rgb.len() / 3, 0);
    let word = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    // Four pixels at once.
    for (four, out) in rgb.chunks_exact(12).zip(out.chunks_exact_mut(4)) {
        let (a, b, c) = (word(&four[..4]), word(&four[4..8]), word(&four[8..]));
        out.copy_from_slice(&[a >> 8, a << 16 | b >> 16, b << 8 | c >> 24, c].map(|pixel| pixel | OPAQUE));
    }
    let rest = rgb.chunks_exact(3).zip(&mut *out).skip(rgb.len() / 12 * 4);
    rest.for_each(|(p, out)| *out = u32::from_be_bytes([255, p[0], p[1], p[2]]));
}

/// Puts bits behind others.
#[inline]
fn append(word: &mut (u64, u32), (more, bits): (u64, u32)) {
    word.0 |= more << word.1;
    word.1 += bits;
}

/// Writes a small image: a colour table, or the choices of blocks. Only what repeats the pixel to the left or above at length is copied.
fn small_image(argb: &[u32], width: usize, builder: &mut Builder, codes: &mut [Code; 5], writer: &mut BitWriter) {
    const SHIFTS: [u32; 4] = [8, 16, 0, 24];
    /// Copies of fewer pixels don't pay.
    const SHORTEST: usize = 8;
    // No colour cache.
    writer.put(0, 1);
    let mut tokens = Vec::with_capacity(argb.len());
    let mut counts = [[0u32; 280]; 5];
    let mut at = 0;
    while at < argb.len() {
        let (length, distance) = [1, width]
            .map(|distance| (if distance > at { 0 } else { same(argb, at - distance, at) }, distance))
            .into_iter()
            .max_by_key(|&(length, distance)| (length, distance == 1))
            .unwrap_or((0, 1));
        if length >= SHORTEST {
            let code = distance_code(distance, width);
            counts[0][256 + prefix(length).0] += 1;
            counts[4][prefix(code).0] += 1;
            tokens.push((at, prefix(length), prefix(code)));
            at += length;
        } else {
            for (counts, shift) in counts.iter_mut().zip(SHIFTS) {
                counts[(argb[at] >> shift & 255) as usize] += 1;
            }
            tokens.push((at, (0, 0, 0), (0, 0, u32::MAX)));
            at += 1;
        }
    }
    for (i, symbols) in [280, 256, 256, 256, 40].into_iter().enumerate() {
        builder.code(&counts[i][..symbols], &mut codes[i], writer);
    }
    for (at, length, distance) in tokens {
        if distance.2 == u32::MAX {
            for (code, shift) in codes.iter().zip(SHIFTS) {
                code.put(writer, (argb[at] >> shift & 255) as usize);
            }
        } else {
            codes[0].put(writer, 256 + length.0);
            writer.put(length.1, length.2);
            codes[4].put(writer, distance.0);
            writer.put(distance.1, distance.2);
        }
    }
}
