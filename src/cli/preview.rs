//! `hypso preview`: a picture of what an archive holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::archives::InputArgs;
use super::area::BoxArgs;
use super::observed::Touched;
use super::picture::{Picture, distinct};
use super::{Outcome, exit};
use crate::archive::{self, OpenOptions, TileEncoding, TileSource};
use crate::atomic::{check_output, refuse_inputs};
use crate::error::{Error, Result};
use crate::terrain::relief::{self, HeightField};
use crate::terrain::{ElevationTile, Encoding, INTERPOLATED, ImageFormat, NO_SOURCE, TileCodec, decode_lineage};
use crate::tile::{Area, Bounds, LonLatBox, TileCoord, TileRange, web_mercator};

/// Draw the relief of an archive, and which source every part of it came from.
///
/// The second panel needs the lineage archive (`hypso aggregate --lineage`), which is found beside the archive.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso preview japan.pmtiles -o relief.png\n  hypso preview japan.pmtiles -o fuji.png --bbox 138.6,35.2,138.9,35.5 --size 2400"
)]
pub struct Args {
    /// An archive of terrain tiles.
    archive: PathBuf,
    /// The picture to write (PNG).
    #[arg(short, long)]
    output: PathBuf,
    /// The zoom to draw [default: the finest one that fits --size].
    #[arg(long)]
    zoom: Option<u8>,
    #[command(flatten)]
    boxes: BoxArgs,
    /// The longer side of a panel at most, pixels.
    #[arg(long, default_value_t = 1600, value_parser = clap::value_parser!(u32).range(64..=8192))]
    size: u32,
    /// The lineage archive [default: the one beside the archive].
    #[arg(long, value_name = "ARCHIVE")]
    lineage: Option<PathBuf>,
    /// Replace an existing picture.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    read: InputArgs,
}

/// What is drawn: a box of whole pixels at one zoom.
struct Frame {
    zoom: u8,
    tile_size: u32,
    left: i64,
    top: i64,
    width: usize,
    height: usize,
    /// Only tiles that share area with it are drawn.
    area: Option<Area>,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.archive], [&self.output])
    }
}

pub fn run(args: &Args) -> Outcome {
    check_output(&args.output, args.overwrite)?;
    refuse_inputs(&args.output, [Some(args.archive.clone()), lineage_path(args)].into_iter().flatten())?;
    let archive = args.read.open(&args.archive, None)?;
    let codec = codec(archive.as_ref())?;
    let frame = frame(args, archive.as_ref())?;
    let field = heights(archive.as_ref(), &codec, &frame)?;
    let Some((low, high)) = field.range() else {
        return Err(Error::argument("--bbox", "the archive has no tile with data there").into());
    };
    let y = web_mercator::HALF_WORLD
        - (frame.top as f64 + frame.height as f64 / 2.0) * web_mercator::resolution(frame.zoom, frame.tile_size);
    let metres =
        web_mercator::resolution(frame.zoom, frame.tile_size) * web_mercator::to_lon_lat(0.0, y).1.to_radians().cos();
    let mut picture = Picture::new(frame.width, frame.height);
    picture.pixels = relief::relief(&field, metres);
    if let Some(path) = lineage_path(args) {
        let lineage = archive::open_with(&path, OpenOptions { remote: true, ..OpenOptions::default() })?;
        if let Some(panel) = sources(lineage.as_ref(), &field, &frame, metres)? {
            picture = picture.beside(&panel);
        }
    }
    picture.save(&args.output, args.overwrite)?;
    super::say(&format!(
        "{}: {} x {} pixels, zoom {}, {low:.0} to {high:.0} m",
        args.output.display(),
        picture.width,
        picture.height,
        frame.zoom
    ));
    Ok(exit::OK)
}

fn codec(archive: &dyn TileSource) -> Result<TileCodec> {
    let encoding = match &archive.metadata().encoding {
        // Archives by other programs often do not say; MapLibre then takes Terrain-RGB.
        None => Encoding::Mapbox,
        Some(TileEncoding::Elevation(encoding)) => *encoding,
        Some(other) => {
            let known = Encoding::ALL.map(Encoding::name).join(" or ");
            let problem =
                format!("holds tiles of encoding {:?}; give an archive of {known} elevation tiles", other.name());
            return Err(Error::invalid("metadata", problem, "choose another archive").with_path(archive.path()));
        }
    };
    Ok(TileCodec::new(encoding, ImageFormat::Png))
}

fn lineage_path(args: &Args) -> Option<PathBuf> {
    args.lineage.clone().or_else(|| {
        let stem = args.archive.file_stem()?.to_str()?;
        let extension = args.archive.extension()?.to_str()?;
        Some(args.archive.with_file_name(format!("{stem}-lineage.{extension}"))).filter(|p| p.exists())
    })
}

fn frame(args: &Args, archive: &dyn TileSource) -> Result<Frame> {
    let metadata = archive.metadata();
    let invalid =
        |problem: &str| Error::invalid("metadata", problem, "give --zoom and --bbox").with_path(archive.path());
    let (min, max) = metadata.minzoom.zip(metadata.maxzoom).ok_or_else(|| invalid("says no zooms"))?;
    let bounds = match around(&args.boxes.bbox) {
        Some(bounds) => bounds,
        None => {
            let [w, s, e, n] = metadata.bounds.ok_or_else(|| invalid("says no bounds"))?;
            Bounds::from_lon_lat(w, s, e, n)
        }
    };
    let tile_size = metadata.tile_size.unwrap_or(512);
    let pixels = |z: u8| {
        let resolution = web_mercator::resolution(z, tile_size);
        (bounds.width() / resolution, bounds.height() / resolution)
    };
    let zoom = match args.zoom {
        Some(z) if !(min..=max).contains(&z) => {
            return Err(Error::argument("--zoom", format!("{z} is not in the archive, which holds {min}-{max}")));
        }
        Some(z) => z,
        None => (min..=max).rev().find(|&z| pixels(z).0.max(pixels(z).1) <= f64::from(args.size)).unwrap_or(min),
    };
    let (w, h) = pixels(zoom);
    if w.max(h) > 16_384.0 {
        return Err(Error::argument(
            "--zoom",
            format!("{zoom} would make a picture of {w:.0} x {h:.0} pixels; choose a lower zoom or a smaller --bbox"),
        ));
    }
    let resolution = web_mercator::resolution(zoom, tile_size);
    Ok(Frame {
        zoom,
        tile_size,
        // What rounding adds is no pixel.
        left: ((bounds.min_x + web_mercator::HALF_WORLD) / resolution + 1e-6).floor() as i64,
        top: ((web_mercator::HALF_WORLD - bounds.max_y) / resolution + 1e-6).floor() as i64,
        width: ((w - 1e-6).ceil() as usize).max(1),
        height: ((h - 1e-6).ceil() as usize).max(1),
        area: Area::of(args.boxes.bbox.iter().copied(), None),
    })
}

/// The narrowest box around all boxes, which may reach beyond the 180th meridian.
fn around(boxes: &[LonLatBox]) -> Option<Bounds> {
    let all: Vec<Bounds> = boxes.iter().map(LonLatBox::unrolled).collect();
    let from = |start: f64| {
        // What begins west of the start lies on the next turn of the world.
        let turned = all.iter().map(|b| {
            let by = if b.min_x < start { web_mercator::WORLD } else { 0.0 };
            Bounds::new(b.min_x + by, b.min_y, b.max_x + by, b.max_y)
        });
        turned.reduce(|a, b| a.union(&b))
    };
    let narrowest = all.iter().filter_map(|b| from(b.min_x)).min_by(|a, b| a.width().total_cmp(&b.width()))?;
    let width = narrowest.width().min(web_mercator::WORLD);
    Some(Bounds::new(narrowest.min_x, narrowest.min_y, narrowest.min_x + width, narrowest.max_y))
}

/// The tiles under the frame; where one is missing, what its nearest ancestor shows there.
fn tiles<T>(
    archive: &dyn TileSource,
    frame: &Frame,
    decode: impl Fn(&[u8]) -> Result<T>,
    mut place: impl FnMut(&T, i64, i64, (usize, usize), usize),
) -> Result<()> {
    let resolution = web_mercator::resolution(frame.zoom, frame.tile_size);
    let x = frame.left as f64 * resolution - web_mercator::HALF_WORLD;
    let y = web_mercator::HALF_WORLD - frame.top as f64 * resolution;
    let bounds = Bounds::new(x, y - frame.height as f64 * resolution, x + frame.width as f64 * resolution, y);
    let mut known: HashMap<TileCoord, Option<T>> = HashMap::new();
    // A frame across the 180th meridian shows the beginning of the next turn of the world.
    let turns = [0i64, 1].into_iter().flat_map(|turn| {
        let by = turn as f64 * web_mercator::WORLD;
        let part = Bounds::new(bounds.min_x - by, bounds.min_y, bounds.max_x - by, bounds.max_y);
        let tiles = TileRange::covering(&part, frame.zoom).into_iter().flat_map(|range| range.iter());
        tiles.map(move |tile| (turn, tile))
    });
    let drawn = |tile: TileCoord| frame.area.as_ref().is_none_or(|area| area.overlaps(&tile.bounds()));
    for (turn, tile) in turns.filter(|(_, tile)| drawn(*tile)) {
        for z in (0..=frame.zoom).rev() {
            let Some(up) = tile.ancestor(z) else { continue };
            let found = match known.entry(up) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let found = archive.tile(up)?.map(|bytes| decode(&bytes)).transpose();
                    entry.insert(found.map_err(|e| e.with_path(archive.path()))?)
                }
            };
            if let Some(found) = found {
                let depth = frame.zoom - z;
                let part = (frame.tile_size >> depth).max(1) as usize;
                let from = |v: u32, up: u32| ((v - (up << depth)) as usize * part).min(frame.tile_size as usize - part);
                let (left, top) = (
                    (i64::from(tile.x()) + (turn << frame.zoom)) * i64::from(frame.tile_size),
                    i64::from(tile.y()) * i64::from(frame.tile_size),
                );
                place(
                    found,
                    left - frame.left,
                    top - frame.top,
                    (from(tile.x(), up.x()), from(tile.y(), up.y())),
                    1 << depth,
                );
                break;
            }
        }
    }
    Ok(())
}

fn heights(archive: &dyn TileSource, codec: &TileCodec, frame: &Frame) -> Result<HeightField> {
    let mut field = HeightField::empty(frame.width, frame.height);
    let decode = |bytes: &[u8]| codec.decode(bytes).and_then(|t| of_size(t.size, frame).map(|()| t));
    tiles(archive, frame, decode, |tile, left, top, from, factor| {
        field.paste(left, top, frame.tile_size as usize, tile, from, factor);
    })?;
    Ok(field)
}

fn of_size(found: u32, frame: &Frame) -> Result<()> {
    if found == frame.tile_size {
        return Ok(());
    }
    let problem = format!("has {found} pixels a side, {} expected", frame.tile_size);
    Err(Error::invalid("tile", problem, "convert the archive with a right tileSize in its metadata"))
}

/// The panel of sources: their colours over the relief, and a legend; none where all comes from one source.
fn sources(archive: &dyn TileSource, field: &HeightField, frame: &Frame, metres: f64) -> Result<Option<Picture>> {
    let mut plane = HeightField::empty(frame.width, frame.height);
    let decode = |bytes: &[u8]| {
        let (size, sources) = decode_lineage(bytes)?;
        of_size(size, frame)?;
        let valid = sources.iter().map(|&s| u8::from(s != NO_SOURCE)).collect();
        Ok(ElevationTile { size, values: sources.iter().map(|&s| f32::from(s)).collect(), valid })
    };
    tiles(archive, frame, decode, |tile, left, top, from, factor| {
        plane.paste(left, top, frame.tile_size as usize, tile, from, factor);
    })?;
    let source_at = |i: usize| if plane.valid[i] == 1 { plane.values[i] as u8 } else { NO_SOURCE };
    let mut counts = [0u64; 256];
    (0..plane.valid.len()).for_each(|i| counts[usize::from(source_at(i))] += 1);
    let present: Vec<u8> = (0..NO_SOURCE).filter(|&s| counts[usize::from(s)] > 0).collect();
    if present.len() < 2 {
        return Ok(None);
    }
    let color = |source: u8| present.iter().position(|&s| s == source).map_or([255; 3], distinct);
    let shade = relief::hillshade(field, metres);
    let mut picture = Picture::new(frame.width, frame.height);
    for (i, &shade) in shade.iter().enumerate() {
        let source = source_at(i);
        let light = if source == NO_SOURCE { 0.7 } else { f64::from(shade) };
        picture.pixels[i * 3..i * 3 + 3].copy_from_slice(&relief::shaded(color(source).map(f64::from), light));
    }
    let legend = archive.metadata().other.get("legend");
    let names = legend.and_then(|l| l.get("sources")?.as_array().cloned()).unwrap_or_default();
    let name = |source: u8| match names.get(usize::from(source)).and_then(|n| n["name"].as_str()) {
        _ if source == NO_SOURCE => "no data".to_string(),
        _ if source == INTERPOLATED => "interpolated".to_string(),
        Some(name) => name.to_string(),
        None => format!("source {source}"),
    };
    let all: u64 = counts.iter().sum();
    let void = (counts[usize::from(NO_SOURCE)] > 0).then_some(NO_SOURCE);
    let rows: Vec<_> = present
        .iter()
        .copied()
        .chain(void)
        .map(|s| (color(s), format!("{} {:.1} %", name(s), counts[usize::from(s)] as f64 * 100.0 / all.max(1) as f64)))
        .collect();
    picture.legend(&rows)?;
    Ok(Some(picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_several_boxes_goes_the_shorter_way_around_the_world() {
        let degrees = |boxes: &[&str]| {
            let boxes: Vec<LonLatBox> = boxes.iter().map(|text| text.parse().unwrap()).collect();
            around(&boxes).map(|b| [b.min_x, b.max_x].map(|x| (x / web_mercator::WORLD * 360.0).round()))
        };
        assert_eq!(degrees(&[]), None);
        assert_eq!(degrees(&["10,0,20,5"]), Some([10.0, 20.0]));
        assert_eq!(degrees(&["10,0,20,5", "-30,0,-20,5", "12,1,13,2"]), Some([-30.0, 20.0]));
        assert_eq!(degrees(&["-170,0,-160,5", "170,0,175,5"]), Some([170.0, 200.0]));
        assert_eq!(degrees(&["160,0,170,5", "175,0,-178,5", "-179,1,-177,2"]), Some([160.0, 183.0]));
        assert_eq!(degrees(&["-180,0,180,5", "0,0,1,1"]), Some([-180.0, 180.0]));
    }
}
