//! What a file says about its heights: which band holds them, their unit, and how cells without a value are marked.

use std::path::Path;

use ::gdal::raster::{ColorInterpretation, RasterBand};
use ::gdal::{Dataset, GdalOpenFlags, Metadata};

use super::crs::{self, Crs};
use super::{failed, local, said};
use crate::data_type::DataType;
use crate::error::Result;
use crate::raster::{Adjustment, Unusable, parts, unit};
use crate::text::one_line;

/// Sources of a VRT that are asked for what the VRT itself does not say.
const ASKED: usize = 16;
/// VRTs within VRTs that are asked.
const DEEPEST: u8 = 8;

/// How cells without a value are marked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mask {
    /// Only NaN.
    None,
    /// The declared nodata value.
    Value(f64),
    /// GDAL's mask of the band: a mask, or an alpha band of whole numbers.
    Band,
    /// The number of an alpha band of any other type, which GDAL does not take as a mask.
    Alpha(usize),
}

/// The heights of a dataset.
#[derive(Debug, Clone)]
pub(super) struct Heights {
    /// The number of the band, from 1 on.
    pub(super) band: usize,
    pub(super) data_type: DataType,
    /// As the file says; of signed bytes the signed value.
    pub(super) nodata: Option<f64>,
    pub(super) mask: Mask,
    /// Metres = cell * scale + offset.
    pub(super) scale: f64,
    pub(super) offset: f64,
    /// The name of the unit that was converted from; empty for metres.
    pub(super) unit: String,
}

impl Heights {
    /// What is given, else what `dataset`, in this CRS, says.
    pub(super) fn of(
        dataset: &Dataset,
        path: &Path,
        crs: &Crs,
        by: &Adjustment,
    ) -> Result<std::result::Result<Self, Unusable>> {
        let number = match band_of(dataset, by.band) {
            Ok(number) => number,
            Err(why) => return Ok(Err(why)),
        };
        let band = dataset.rasterband(number).map_err(failed(path, "can't open a band"))?;
        let gdal_type = band.band_type().name();
        let declared = match declared(dataset, &band, path, Some(crs), 0) {
            Ok(declared) => declared,
            Err(why) => return Ok(Err(why)),
        };
        let data_type = match DataType::from_gdal_name(&gdal_type) {
            DataType::U8 if declared.signed => DataType::I8,
            known => known,
        };
        let flags = band.mask_flags().map_err(failed(path, "can't read the mask's flags"))?;
        let nodata = band.no_data_value().map(|v| if data_type == DataType::I8 { signed(v) } else { v });
        let mask = match nodata {
            // GDAL before 3.7 takes -128 for a value that a byte can't have.
            Some(value) if flags.is_nodata() || (data_type == DataType::I8 && flags.is_all_valid()) => {
                Mask::Value(value)
            }
            _ if flags.is_all_valid() => alpha_of(dataset).filter(|&a| a != number).map_or(Mask::None, Mask::Alpha),
            _ => Mask::Band,
        };
        let beside = crate::local::with_ending(path, ".msk");
        if mask != Mask::Band && beside.is_file() {
            let problem = format!("its mask {} can't be read", beside.display());
            return Ok(Err(Unusable::Damaged(problem)));
        }
        let (name, metres) = match unit_of(&declared, by.unit) {
            Ok(unit) => unit,
            Err(why) => return Ok(Err(why)),
        };
        let own = band.scale().filter(|s| s.is_finite() && *s != 0.0).unwrap_or(1.0);
        let scale = if by.scale == 0.0 { own } else { by.scale };
        let offset = band.offset().filter(|o| o.is_finite()).unwrap_or(0.0);
        said();
        Ok(Ok(Self {
            band: number,
            data_type,
            nodata,
            mask,
            scale: scale * metres,
            offset: offset * metres,
            unit: name,
        }))
    }
}

/// A value of a byte as the signed one of the same bits.
pub(super) fn signed(value: f64) -> f64 {
    if (128.0..256.0).contains(&value) { value - 256.0 } else { value }
}

/// The number of the band that holds heights: the one that was asked for, else the only one that is no alpha and no mask.
fn band_of(dataset: &Dataset, asked: u32) -> std::result::Result<usize, Unusable> {
    let count = dataset.raster_count();
    let mut bands = Vec::new();
    for number in 1..=count {
        let Ok(band) = dataset.rasterband(number) else { continue };
        bands.push((number, kind_of(&band)));
    }
    said();
    let number = match asked as usize {
        0 => {
            let heights: Vec<_> = bands.iter().filter(|(_, kind)| !matches!(kind, Kind::Mask)).collect();
            let picture = heights.iter().any(|(_, kind)| matches!(kind, Kind::Colour(_)));
            let list = || {
                let names = heights.iter().take(8).map(|(number, kind)| format!("{number} {kind}"));
                let more = if heights.len() > 8 { ", …" } else { "" };
                format!("{}{more}", names.collect::<Vec<_>>().join(", "))
            };
            match heights.as_slice() {
                [] => return Err(Unusable::NoBand(String::new())),
                [_] if picture => return Err(Unusable::NoHeights(format!("its band is a colour: {}", list()))),
                [(only, _)] => *only,
                many if picture => {
                    let problem = format!("it has {} bands of a picture in colours: {}", many.len(), list());
                    return Err(Unusable::NoHeights(problem));
                }
                many => {
                    let problem =
                        format!("it has {} bands and does not say which one holds heights: {}", many.len(), list());
                    return Err(Unusable::NoHeights(problem));
                }
            }
        }
        asked if asked > count => {
            return Err(Unusable::NoHeights(format!("band {asked} is asked for, but it has {count}")));
        }
        asked => asked,
    };
    // The crate has no name for complex numbers.
    let plain = |band: RasterBand<'_>| DataType::from_gdal_name(&band.band_type().name()) != DataType::Unknown;
    if !dataset.rasterband(number).is_ok_and(plain) {
        let problem = format!("band {number} holds complex numbers, or numbers of a type that is not known");
        return Err(Unusable::NoHeights(problem));
    }
    Ok(number)
}

/// What a band is.
enum Kind {
    Mask,
    Colour(&'static str),
    Values(String),
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mask => f.write_str("mask"),
            Self::Colour(name) => f.write_str(name),
            Self::Values(name) if name.is_empty() => f.write_str("without a name"),
            Self::Values(name) => f.write_str(name),
        }
    }
}

fn kind_of(band: &RasterBand<'_>) -> Kind {
    use ColorInterpretation as C;
    let name = one_line(&band.description().unwrap_or_default(), 40);
    match band.color_interpretation() {
        C::AlphaBand => Kind::Mask,
        C::RedBand => Kind::Colour("red"),
        C::GreenBand => Kind::Colour("green"),
        C::BlueBand => Kind::Colour("blue"),
        C::CyanBand | C::MagentaBand | C::YellowBand | C::BlackBand => Kind::Colour("an ink of CMYK"),
        C::HueBand | C::SaturationBand | C::LightnessBand => Kind::Colour("a part of HSL"),
        C::YCbCrSpaceYBand | C::YCbCrSpaceCbBand | C::YCbCrSpaceCrBand => Kind::Colour("a part of YCbCr"),
        C::PaletteIndex => Kind::Colour("numbers of a palette"),
        _ if band.color_table().is_some() => Kind::Colour("numbers of a palette"),
        _ if matches!(name.to_lowercase().trim(), "mask" | "alpha" | "valid" | "validity" | "dataset mask") => {
            Kind::Mask
        }
        _ => Kind::Values(name),
    }
}

/// The number of the alpha band, where there is one.
fn alpha_of(dataset: &Dataset) -> Option<usize> {
    let is_mask = |&i: &usize| dataset.rasterband(i).is_ok_and(|b| matches!(kind_of(&b), Kind::Mask));
    (1..=dataset.raster_count()).find(is_mask)
}

/// What a band is declared to hold.
struct Declared {
    /// Bytes are signed ones.
    signed: bool,
    /// Name and, where it is a length, metres.
    unit: Option<(String, Option<f64>)>,
    /// Why a VRT has no unit: its sources do not agree.
    mixed: Option<String>,
}

/// What a band says about signs and units. What a VRT does not say comes from its sources, since the programs that make VRTs
/// leave it out.
fn declared(
    dataset: &Dataset,
    band: &RasterBand<'_>,
    path: &Path,
    crs: Option<&Crs>,
    depth: u8,
) -> std::result::Result<Declared, Unusable> {
    let is_byte = band.band_type().name() == "Byte";
    let item = band.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE").unwrap_or_default();
    let text = crs.and_then(|crs| crs.unit.clone()).unwrap_or_else(|| band.unit()).trim().to_string();
    let unit = if !unit::is_unknown(&text) {
        let metres = unit::metres(&text);
        Some((text, metres))
    } else {
        crs.and_then(|crs| unit::vertical(&crs.wkt)).map(|(name, metres)| (name, Some(metres)))
    };
    let mut out = Declared { signed: is_byte && item.eq_ignore_ascii_case("SIGNEDBYTE"), unit, mixed: None };
    if depth >= DEEPEST || dataset.driver().short_name() != "VRT" {
        return Ok(out);
    }
    let below = parts::sources_of(path, if depth == 0 { ASKED } else { ASKED / 4 });
    let mut found = Vec::new();
    for file in &below.files {
        if local::refused(file).is_some() {
            continue;
        }
        let Ok(source) = local::open(file, GdalOpenFlags::empty(), None) else { continue };
        let Ok(first) = source.rasterband(1) else { continue };
        let crs = crs::of(&source, file, None).ok().and_then(Result::ok);
        found.push((file, declared(&source, &first, file, crs.as_ref(), depth + 1)?));
    }
    if let Some((file, _)) = found.iter().find(|(_, d)| d.signed)
        && !out.signed
    {
        if !is_byte || below.resampled || !found.iter().all(|(_, d)| d.signed) {
            let problem =
                format!("its source {} holds signed bytes, which this GDAL reads as unsigned ones", file.display());
            return Err(Unusable::SignedBytes(problem));
        }
        out.signed = true;
    }
    if out.unit.is_none()
        && let Some((_, first)) = found.first()
    {
        let metres = |d: &Declared| d.unit.as_ref().map_or(Some(1.0), |(_, metres)| *metres);
        if let Some((file, other)) = found.iter().find(|(_, d)| metres(d) != metres(first)) {
            let name = |d: &Declared| d.unit.as_ref().map_or("metres".into(), |(name, _)| name.clone());
            let problem =
                format!("its sources have different units: {}, and {} in {}", name(first), name(other), file.display());
            out.mixed = Some(problem);
        }
        out.mixed = out.mixed.or_else(|| found.iter().find_map(|(_, d)| d.mixed.clone()));
        out.unit.clone_from(&first.unit);
    }
    Ok(out)
}

/// Name and metres of the unit: the given one, else the band's, else that of the vertical axis of the CRS; metres where none of them
/// says. The name is empty for metres.
fn unit_of(declared: &Declared, given: f64) -> std::result::Result<(String, f64), Unusable> {
    if let Some(problem) = declared.mixed.as_ref().filter(|_| given == 0.0) {
        return Err(Unusable::Unit(problem.clone()));
    }
    let (name, metres) = match (&declared.unit, given) {
        (None, 0.0) => return Ok((String::new(), 1.0)),
        (_, given) if given != 0.0 => (format!("{given} m"), given),
        (Some((name, Some(metres))), _) => (name.clone(), *metres),
        (Some((name, None)), _) => {
            return Err(Unusable::Unit(format!("its heights are in {:?}", super::shorten(name))));
        }
        (None, _) => return Ok((String::new(), 1.0)),
    };
    let name = one_line(&name, 40);
    Ok((if metres == 1.0 { String::new() } else { name }, metres))
}
