//! From heights to image files and back.

use super::image::{self, ImageFormat};
use super::webp::Level;
use super::{ElevationTile, Encoding, VerticalResolution, WebpEncoder, lineage, mask};
use crate::error::{Error, Result};

/// How tiles are encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileCodec {
    /// How a height becomes 24 bits.
    pub encoding: Encoding,
    /// The image format; decoding takes either.
    pub format: ImageFormat,
    /// The vertical step.
    pub vertical: VerticalResolution,
    /// What pixels without a height are written as, metres.
    pub nodata_elevation: f64,
    /// How much time the images are worth: fewer bytes, never other pixels.
    pub level: Level,
    /// Which encoder writes WebP.
    pub encoder: WebpEncoder,
}

impl TileCodec {
    /// A codec with the finest vertical step, 0 m for pixels without a height, and hypso's own encoder at its default level.
    #[must_use]
    pub const fn new(encoding: Encoding, format: ImageFormat) -> Self {
        Self {
            encoding,
            format,
            vertical: VerticalResolution::Full,
            nodata_elevation: 0.0,
            level: Level::Default,
            encoder: WebpEncoder::Hypso,
        }
    }

    /// Refuses an encoder of WebP for another format.
    ///
    /// # Errors
    /// Naming the option.
    pub fn check(&self) -> Result<()> {
        if self.encoder != WebpEncoder::Hypso && self.format != ImageFormat::Webp {
            let problem = format!("{} writes WebP only; leave it out, or write tiles as WebP", self.encoder);
            return Err(Error::argument("encoder", problem));
        }
        Ok(())
    }

    /// Rounds every valid height to exactly what the encoded tile will hold at zoom `z`; returns how many heights were
    /// beyond the encoding's range and had to be clamped. Heights that are not numbers lose their mask bit.
    pub fn quantize(&self, z: u8, tile: &mut ElevationTile) -> u64 {
        self.encoding.quantize(self.vertical.step(z), &mut tile.values, &mut tile.valid)
    }

    /// Encodes a quantized tile; a partly valid one carries its mask (see [`mask`]). About 3 ms for 512 pixels WebP at the default level.
    ///
    /// # Errors
    /// Where the tile is not square or the image library refuses it.
    pub fn encode(&self, tile: &ElevationTile) -> Result<Vec<u8>> {
        let pixels = tile.size as usize * tile.size as usize;
        if pixels == 0 || tile.values.len() != pixels || tile.valid.len() != pixels {
            return Err(Error::argument("tile", format!("should have {} x {} pixels", tile.size, tile.size)));
        }
        let nodata = self.encoding.nearest_code(self.nodata_elevation);
        let mut image = vec![0; pixels];
        self.encoding.write(&tile.values, &tile.valid, nodata, &mut image);
        let file = image::encode(self.format, self.encoder, self.level, tile.size, &image)?;
        if tile.is_full() {
            Ok(file)
        } else {
            image::with_mask(file, tile.size, &mask::encode(tile.size, &tile.valid)?)
        }
    }

    /// Encodes a lineage tile as [`encode_lineage`](super::encode_lineage) does, in the same format and by the same encoder.
    ///
    /// # Errors
    /// Where the plane does not have `size * size` pixels or the image library refuses it.
    pub fn encode_lineage(&self, size: u32, sources: &[u8]) -> Result<Vec<u8>> {
        lineage::encode(size, sources, self.format, self.encoder)
    }

    /// Decodes a tile of either format. The mask is the one in the file, else pixels with alpha 0 are invalid.
    ///
    /// # Errors
    /// Where the file is damaged, no WebP or PNG, not square, or larger than 4096 pixels a side.
    pub fn decode(&self, bytes: &[u8]) -> Result<ElevationTile> {
        let (pixels, valid) = square(bytes)?;
        let mut tile = ElevationTile { size: pixels.width, values: vec![0.0; valid.len()], valid };
        self.encoding.read(&pixels.bytes, pixels.channels, &tile.valid, &mut tile.values);
        Ok(tile)
    }
}

/// The codes of a tile, whatever they mean: row by row from the north-west.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeTile {
    /// Pixels along a side.
    pub size: u32,
    /// The 24 bits of each pixel, `0xRRGGBB`; of void ones too.
    pub codes: Vec<u32>,
    /// 1 where the pixel has a height, else 0.
    pub valid: Vec<u8>,
}

impl CodeTile {
    /// Decodes an image of either format as [`TileCodec::decode`] does.
    ///
    /// # Errors
    /// As [`TileCodec::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (pixels, valid) = square(bytes)?;
        let code = |pixel: &[u8]| u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]]);
        Ok(Self { size: pixels.width, codes: pixels.bytes.chunks_exact(pixels.channels).map(code).collect(), valid })
    }

    /// Encodes the codes, lossless; a partly valid tile carries its mask.
    ///
    /// # Errors
    /// Where the tile is not square or the image library refuses it.
    pub fn encode(&self, format: ImageFormat) -> Result<Vec<u8>> {
        let pixels = self.size as usize * self.size as usize;
        if pixels == 0 || self.codes.len() != pixels || self.valid.len() != pixels {
            return Err(Error::argument("tile", format!("should have {} x {} pixels", self.size, self.size)));
        }
        let file = image::encode(format, WebpEncoder::Hypso, Level::Default, self.size, &self.codes)?;
        if self.valid.iter().all(|&valid| valid == 1) {
            return Ok(file);
        }
        image::with_mask(file, self.size, &mask::encode(self.size, &self.valid)?)
    }
}

/// The pixels of a square image, and which of them are valid: by the mask in the file, else by their alpha.
fn square(bytes: &[u8]) -> Result<(image::Pixels, Vec<u8>)> {
    let pixels = image::decode(bytes)?;
    if pixels.width != pixels.height {
        let problem = format!("has {} x {} pixels; tiles are square", pixels.width, pixels.height);
        return Err(Error::invalid("tile image", problem, "make the tile again"));
    }
    let valid = match image::mask_of(bytes) {
        Some(payload) => mask::decode(payload, pixels.width)?,
        None if pixels.channels == 4 => pixels.bytes.iter().skip(3).step_by(4).map(|&a| u8::from(a != 0)).collect(),
        None => vec![1; pixels.width as usize * pixels.height as usize],
    };
    Ok((pixels, valid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codec(encoding: Encoding, format: ImageFormat) -> TileCodec {
        TileCodec {
            encoding,
            format,
            vertical: VerticalResolution::ByZoom,
            nodata_elevation: 0.0,
            level: Level::Default,
            encoder: WebpEncoder::Hypso,
        }
    }

    fn all() -> impl Iterator<Item = TileCodec> {
        let formats = [ImageFormat::Webp, ImageFormat::Png];
        Encoding::ALL.into_iter().flat_map(move |e| formats.map(|f| codec(e, f)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn decoding_gives_back_what_was_quantized(
            heights in prop::collection::vec((-500f32..9000.0, prop::bool::weighted(0.8)), 64),
            z in 0u8..=22,
        ) {
            for codec in all() {
                let mut tile = ElevationTile::empty(8);
                for (i, &(h, v)) in heights.iter().enumerate() {
                    (tile.values[i], tile.valid[i]) = (h, u8::from(v));
                }
                prop_assert_eq!(codec.quantize(z, &mut tile), 0);
                let again = { let mut t = tile.clone(); codec.quantize(z, &mut t); t };
                if codec.encoding == Encoding::Terrarium {
                    prop_assert_eq!(&again, &tile);
                }
                let bytes = codec.encode(&tile).unwrap();
                prop_assert_eq!(&codec.decode(&bytes).unwrap(), &tile);
                prop_assert_eq!(&codec.encode(&tile).unwrap(), &bytes);
                prop_assert_eq!(image::mask_of(&bytes).is_some(), !tile.is_full());
            }
        }
    }

    #[test]
    fn other_decoders_read_tiles_with_masks() {
        let mut tile = ElevationTile::empty(64);
        for i in 0..2048 {
            (tile.values[i], tile.valid[i]) = (i as f32, 1);
        }
        for format in [ImageFormat::Webp, ImageFormat::Png] {
            let codec = codec(Encoding::Terrarium, format);
            let bytes = codec.encode(&tile).unwrap();
            assert_eq!((sniffed(&bytes), image::image_size(&bytes).unwrap()), (Some(format), (64, 64)));
            let pixels = image::decode(&bytes).unwrap();
            assert_eq!(&pixels.bytes[2048 * 3..2048 * 3 + 3], &[128, 0, 0], "nodata is 0 m, opaque");
            if format == ImageFormat::Webp {
                let theirs = webp::Decoder::new(&bytes).decode().expect("libwebp reads it");
                assert_eq!(&*theirs, &pixels.bytes[..]);
            }
        }
    }

    fn sniffed(bytes: &[u8]) -> Option<ImageFormat> {
        image::sniff(bytes)
    }

    #[test]
    fn damaged_files_are_errors() {
        let mut tile = ElevationTile::empty(32);
        tile.valid[5] = 1;
        for codec in all() {
            let bytes = codec.encode(&tile).unwrap();
            for length in 0..bytes.len() {
                let _ = codec.decode(&bytes[..length]);
            }
            for at in 0..bytes.len() {
                let mut altered = bytes.clone();
                altered[at] ^= 0x55;
                let _ = codec.decode(&altered);
            }
            assert!(codec.decode(b"").is_err() && codec.decode(&bytes[..20]).is_err());
        }
    }

    #[test]
    fn codes_are_those_of_the_image() {
        let codes: Vec<u32> = (0..16 * 16).map(|i| (i * 65_521) & 0xff_ffff).collect();
        for voids in [false, true] {
            let valid = (0..16 * 16).map(|i| u8::from(!voids || i % 7 != 0)).collect();
            let tile = CodeTile { size: 16, codes: codes.clone(), valid };
            for format in [ImageFormat::Webp, ImageFormat::Png] {
                assert_eq!(CodeTile::decode(&tile.encode(format).unwrap()).unwrap(), tile);
            }
        }
        assert!(CodeTile { size: 3, ..CodeTile::default() }.encode(ImageFormat::Png).is_err());
    }

    #[test]
    fn clamped_heights_are_counted() {
        let mut tile = ElevationTile::empty(2);
        tile.values = vec![40_000.0, 1.0, f32::NAN, -1e9];
        tile.valid = vec![1; 4];
        assert_eq!(codec(Encoding::Terrarium, ImageFormat::Png).quantize(10, &mut tile), 2);
        assert_eq!(tile.valid, [1, 1, 0, 1]);
    }
}
