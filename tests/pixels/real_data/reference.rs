//! Rasters as GDAL's tools see them.

use super::*;

/// The valid cells around a point, and whether all of them are valid.
#[derive(Debug, Clone, Default)]
pub struct Around {
    pub cells: Vec<f64>,
    pub whole: bool,
}

/// What `gdalinfo` says about a raster's band.
pub fn band(path: &Path, field: &str, options: &[&str]) -> Option<f64> {
    let text = gdal("gdalinfo", &[&["-json", path.to_str().unwrap()], options].concat(), "");
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["bands"][0][field].as_f64()
}

/// A raster as GDAL's tools see it.
pub struct Reference {
    pub path: PathBuf,
    pub nodata: Option<f64>,
}

impl Reference {
    pub fn of(path: &Path) -> Self {
        Self { path: path.into(), nodata: band(path, "noDataValue", &[]) }
    }

    /// The smallest and the largest of its valid cells.
    pub fn range(&self) -> (f64, f64) {
        let bound = |field| band(&self.path, field, &["-mm"]).unwrap();
        (bound("computedMin"), bound("computedMax"))
    }

    /// All rasters of a source as one mosaic.
    pub fn mosaic(name: &str, files: &[PathBuf]) -> Self {
        let path = scratch(&format!("{name}.vrt"));
        let mut args = vec!["-q", "-overwrite", path.to_str().unwrap()];
        args.extend(files.iter().map(|f| f.to_str().unwrap()));
        gdal("gdalbuildvrt", &args, "");
        Self::of(&path)
    }

    /// `gdallocationinfo`'s reports: column, row, and the value, unless the place lies outside.
    pub fn reports(&self, how: &[&str], input: &str) -> Vec<(i64, i64, Option<f64>)> {
        let mut args = how.to_vec();
        args.push(self.path.to_str().unwrap());
        let text = gdal("gdallocationinfo", &args, input);
        let number = |s: &str| s.trim().parse::<f64>().unwrap();
        text.split("Report:")
            .skip(1)
            .map(|report| {
                let place = report.split_once("Location: (").unwrap().1.split_once("L)").unwrap().0;
                let (column, row) = place.split_once("P,").unwrap();
                let value = report.split_once("Value: ").map(|(_, v)| number(v.lines().next().unwrap()));
                (column.parse().unwrap(), row.parse().unwrap(), value)
            })
            .collect()
    }

    /// The cell under each point (longitude, latitude) and those within `reach` of it.
    pub fn around(&self, points: &[(f64, f64)], reach: i64) -> Vec<Around> {
        let input: String = points.iter().map(|(lon, lat)| format!("{lon:.12} {lat:.12}\n")).collect();
        let places = self.reports(&["-wgs84"], &input);
        assert_eq!(places.len(), points.len());
        let near = |&(c, r, _): &(i64, i64, _)| {
            (r - reach..=r + reach).flat_map(move |r| (c - reach..=c + reach).map(move |c| format!("{c} {r}\n")))
        };
        let cells = self.reports(&[], &places.iter().flat_map(near).collect::<String>());
        let count = (2 * reach + 1).pow(2) as usize;
        assert_eq!(cells.len(), count * points.len());
        let valid = |v: f64| !v.is_nan() && self.nodata.is_none_or(|n| (v - n).abs() > 1e-6 * n.abs());
        cells
            .chunks(count)
            .map(|cells| {
                let cells: Vec<f64> = cells.iter().filter_map(|c| c.2).filter(|&v| valid(v)).collect();
                Around { whole: cells.len() == count, cells }
            })
            .collect()
    }
}

/// The rasters of a source; where they overlap, a pixel may come from any of them.
pub struct Source(pub Vec<Reference>);

impl Source {
    pub fn around(&self, points: &[(f64, f64)], reach: i64) -> Vec<Around> {
        let mut all = vec![Around::default(); points.len()];
        for raster in &self.0 {
            for (sum, one) in all.iter_mut().zip(raster.around(points, reach)) {
                sum.whole |= one.whole;
                sum.cells.extend(one.cells);
            }
        }
        all
    }
}

/// A mosaic warped by GDAL to one tile; NaN where it has no data.
pub fn warped(mosaic: &Path, coord: TileCoord) -> Vec<f32> {
    warped_box(mosaic, &format!("{}-{}-{}", coord.z(), coord.x(), coord.y()), coord.bounds())
}

/// The same to 512 x 512 pixels of any box.
pub fn warped_box(mosaic: &Path, name: &str, Bounds { min_x, min_y, max_x, max_y }: Bounds) -> Vec<f32> {
    let out = scratch(&format!("{}-{name}.raw", mosaic.file_stem().unwrap().display()));
    let box_ = [min_x, min_y, max_x, max_y].map(|v| format!("{v:.17}"));
    let mut args = vec!["-q", "-of", "ENVI", "-ot", "Float32", "-t_srs", "EPSG:3857", "-r", "bilinear", "-et", "0"];
    args.extend(["-overwrite", "-dstnodata", "nan", "-ts", "512", "512", "-te"]);
    args.extend(box_.iter().map(String::as_str));
    args.extend([mosaic.to_str().unwrap(), out.to_str().unwrap()]);
    gdal("gdalwarp", &args, "");
    let bytes = std::fs::read(out).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// True where all pixels within `reach` are valid (or beyond the tile).
pub fn inside(values: &[f32], reach: usize) -> Vec<bool> {
    let along = |from: &[bool], step: usize, position: fn(usize) -> usize| -> Vec<bool> {
        let near = |at: usize, d: isize| {
            let p = position(at) as isize + d;
            if (0..SIDE as isize).contains(&p) { from[(at as isize + d * step as isize) as usize] } else { true }
        };
        let reach = reach as isize;
        (0..SIDE * SIDE).map(|at| (-reach..=reach).all(|d| near(at, d))).collect()
    };
    let valid: Vec<bool> = values.iter().map(|v| !v.is_nan()).collect();
    along(&along(&valid, 1, |at| at % SIDE), SIDE, |at| at / SIDE)
}
