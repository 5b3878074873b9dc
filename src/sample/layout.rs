//! Which files there are: sheets of three surveys.

use super::land::{CENTER, Land};
use super::utm;
use crate::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType, GeoTransform};

/// How much to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// About 1 MB, for tests.
    Small,
    /// About 50 MB.
    Demo,
    /// About 400 MB.
    Large,
}

impl Size {
    /// How many times wider than the small one.
    fn factor(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Demo => 6,
            Self::Large => 16,
        }
    }

    /// Half the island's width, metres.
    pub(super) fn radius(self) -> f64 {
        2_600.0 * f64::from(self.factor())
    }
}

/// One of the three surveys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survey {
    /// About 30 m, everywhere, sea included.
    Wide,
    /// About 10 m, the middle of the island.
    Middle,
    /// 2 m, one valley.
    Fine,
}

impl Survey {
    /// The surveys in order of priority.
    pub const ALL: [Self; 3] = [Self::Fine, Self::Middle, Self::Wide];

    /// The folder and source name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wide => "aw30",
            Self::Middle => "dem10",
            Self::Fine => "lidar2",
        }
    }

    /// The cell, metres, roughly.
    pub(super) fn cell(self) -> f64 {
        match self {
            Self::Wide => 30.0,
            Self::Middle => 11.0,
            Self::Fine => 2.0,
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its survey.
    pub survey: Survey,
    /// Its name in the survey's folder.
    pub file: String,
    /// What kind of file it is.
    pub spec: GeoTiffSpec,
}

impl Sheet {
    /// Longitude and latitude of the middle of a cell, degrees.
    pub(super) fn place(&self, col: u32, row: u32) -> (f64, f64) {
        let (x, y) = self.spec.transform.apply(f64::from(col) + 0.5, f64::from(row) + 0.5);
        if self.survey == Survey::Fine { utm::to_lon_lat(x, y, 54) } else { (x, y) }
    }
}

const NODATA: f64 = -9999.0;

/// All files of a sample.
#[must_use]
pub fn sheets(size: Size) -> Vec<Sheet> {
    let k = size.factor();
    let mut sheets = Vec::new();
    let spec = |width, height, transform, crs: &str| GeoTiffSpec {
        width,
        height,
        transform,
        crs: crs.into(),
        data_type: GeoTiffType::F32,
        nodata: Some(NODATA),
        tiled: None,
        compress: GeoTiffCompression::Deflate,
    };
    // Wide: two by two abutting sheets of 1 arc second around the centre.
    let (second, side) = (1.0 / 3600.0, 120 * k);
    for (i, j) in [(0u32, 0u32), (1, 0), (0, 1), (1, 1)] {
        let west = CENTER.0 + (f64::from(i) - 1.0) * f64::from(side) * second;
        let north = CENTER.1 + (1.0 - f64::from(j)) * f64::from(side) * second;
        let base = spec(side, side, GeoTransform::north_up(west, north, second, second), "EPSG:4326");
        let spec = GeoTiffSpec { data_type: GeoTiffType::I16, tiled: Some(64), ..base };
        sheets.push(Sheet {
            survey: Survey::Wide,
            file: format!("sheet_{}{}.tif", ["n", "s"][j as usize], ["w", "e"][i as usize]),
            spec,
        });
    }
    // Middle: three by three abutting meshes of 0.4 arc seconds; one was never made.
    let (cell, width, height) = (0.4 / 3600.0, 90 * k, 60 * k);
    for (i, j) in (0..9u32).map(|n| (n % 3, n / 3)).filter(|&m| m != (2, 0)) {
        let west = CENTER.0 + (f64::from(i) - 1.5) * f64::from(width) * cell;
        let north = CENTER.1 + (1.5 - f64::from(j)) * f64::from(height) * cell;
        let base = spec(width, height, GeoTransform::north_up(west, north, cell, cell), "EPSG:6668");
        let compress = if (i + j) % 2 == 0 { GeoTiffCompression::Lzw } else { GeoTiffCompression::Deflate };
        sheets.push(Sheet {
            survey: Survey::Middle,
            file: format!("mesh_{j}{i}.tif"),
            spec: GeoTiffSpec { compress, ..base },
        });
    }
    // Fine: two abutting blocks and one that overlaps both, in UTM.
    let (east, north) = (315_760.0, 3_786_400.0);
    let side = 240 * k;
    let metres = f64::from(side) * 2.0;
    for (n, (dx, dy)) in [(0.0, 0.0), (1.0, 0.0), (0.5, -0.75)].into_iter().enumerate() {
        let transform = GeoTransform::north_up(east + dx * metres, north + dy * metres, 2.0, 2.0);
        let base = spec(side, side, transform, "EPSG:32654");
        let compress = [GeoTiffCompression::None, GeoTiffCompression::Deflate, GeoTiffCompression::Lzw][n];
        let tiled = [Some(128), Some(256), None][n];
        sheets.push(Sheet {
            survey: Survey::Fine,
            file: format!("block_{}.tif", n + 1),
            spec: GeoTiffSpec { compress, tiled, ..base },
        });
    }
    sheets
}

/// What a survey writes for a cell: metres, or nothing.
pub(super) fn value(land: &Land, sheet: &Sheet, col: u32, row: u32) -> Option<f32> {
    use super::noise::{fractal, hash, unit};
    let (lon, lat) = sheet.place(col, row);
    let (x, y) = Land::place(lon, lat);
    let height = land.height(lon, lat, 2.0 * sheet.survey.cell());
    let grain = unit(hash(land.seed ^ 0x99, (x * 8.0).floor() as i64, (y * 8.0).floor() as i64));
    match sheet.survey {
        // A radar survey: the sea is 0, heights are a little off.
        Survey::Wide => Some((height.max(0.0) + if height > 0.0 { 0.8 * grain + 1.2 } else { 0.0 }) as f32),
        // The sea, and a lake, have no data.
        Survey::Middle => {
            let r = land.radius;
            let lake = ((x + 0.22 * r) / (0.05 * r)).hypot((y - 0.12 * r) / (0.03 * r))
                + 0.4 * fractal(land.seed ^ 0x77, x / 900.0, y / 900.0, 0.05);
            (height > 0.0 && lake > 1.0).then_some((height + 0.15 * grain) as f32)
        }
        // The survey's edge is ragged; there are holes in thick forest.
        Survey::Fine => {
            let (cx, cy) = (0.29 * land.radius, 0.02 * land.radius);
            let edge = ((x - cx) / (0.36 * land.radius)).hypot((y - cy) / (0.36 * land.radius))
                + 0.12 * fractal(land.seed ^ 0x55, x / 400.0, y / 400.0, 0.02);
            let forest = fractal(land.seed ^ 0x66, x / 160.0, y / 160.0, 0.05);
            (height > 0.0 && edge < 1.0 && forest < 0.52).then_some((height + 0.03 * grain) as f32)
        }
    }
}

/// The nodata value of every sheet.
pub(super) const NODATA_VALUE: f32 = NODATA as f32;
