//! Files to serve, and servers of them.

use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hypso::archive::{self, ArchiveMetadata, TileEncoding, TileFormat};
use hypso::heights::{Description, Heights, Packed, Writer};
use hypso::serve::{Input, Options, Running, Server};
use hypso::terrain::{CodeTile, Encoding, ImageFormat};
use hypso::tile::{TileCoord, TileId};

use crate::common::Random;

/// Pixels along a side of a tile.
const SIDE: u32 = 64;
/// Where the hills are: the middle of a tile of zoom 9.
pub const PLACE: [f64; 2] = [138.7, 35.3];

/// Tiles in ascending order: rough hills of 0 to 2000 m with voids, at zooms 7 to 9 around a place.
fn hills() -> Vec<(TileCoord, CodeTile)> {
    let mut random = Random(11);
    let mut ids: Vec<TileId> = Vec::new();
    for z in 7..=9u8 {
        let centre = at(PLACE, z);
        let around = (0..3u32).flat_map(|x| (0..3u32).map(move |y| (x, y)));
        ids.extend(around.filter_map(|(x, y)| {
            TileCoord::new(z, (centre.x() + x).wrapping_sub(1), (centre.y() + y).wrapping_sub(1)).map(TileId::from)
        }));
    }
    ids.sort_unstable();
    let tile = |id: TileId| {
        let coord = id.coord().unwrap();
        let mut tile = CodeTile { size: SIDE, ..CodeTile::default() };
        let shift = u32::from(19 - coord.z());
        for i in 0..SIDE * SIDE {
            let (x, y) = (i % SIDE, i / SIDE);
            let metres = 300 + (x * 17 + y * 11) % 900 + (random.next() % 40) as u32;
            // The lower left corner is void.
            let valid = u8::from(x > 12 || y < 50);
            let code = 0x80_0000 + (metres << 8 >> shift << shift);
            tile.codes.push(if valid == 1 { code } else { 0x80_0000 });
            tile.valid.push(valid);
        }
        (coord, tile)
    };
    ids.into_iter().map(tile).collect()
}

pub fn at([lon, lat]: [f64; 2], z: u8) -> TileCoord {
    let (x, y) = hypso::tile::LonLat::new(lon, lat).unwrap().metres();
    TileCoord::at(x, y, z)
}

fn heights(path: &Path, tiles: &[(TileCoord, CodeTile)], sources: &[&str]) {
    let file = BufWriter::new(std::fs::File::create(path).unwrap());
    let mut out = Writer::new(file, None, SIDE, Writer::TERRARIUM, !sources.is_empty()).unwrap();
    for (coord, tile) in tiles {
        let packed = |codes: &[u32]| Packed::new(SIDE, codes, &tile.valid).unwrap();
        // Columns of pixels take turns: the first source, the second, one that was filled.
        let lineage: Vec<u32> = (0..SIDE * SIDE).map(|i| [0, 0, 1, 254][(i % SIDE / 4 % 4) as usize]).collect();
        let lineage = (!sources.is_empty()).then(|| packed(&lineage));
        out.put(TileId::from(*coord), &packed(&tile.codes), lineage.as_ref()).unwrap();
    }
    let mut names: Vec<String> = sources.iter().map(|&name| name.to_owned()).collect();
    if !names.is_empty() {
        names.resize(255, String::new());
        names[254] = "interpolated".into();
    }
    let description = Description { metadata: "{}".into(), datum: "EGM96".into(), sources: names };
    out.finish(&description).unwrap();
}

/// `hills.heights` with lineage, `pixels.pmtiles` of the same heights, and `world.heights`, 100 m everywhere.
pub fn files() -> &'static Path {
    static FILES: OnceLock<tempfile::TempDir> = OnceLock::new();
    FILES
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let tiles = hills();
            heights(&folder.path().join("hills.heights"), &tiles, &["survey", "radar"]);
            let level = vec![0x80_0000 + (100 << 8); (SIDE * SIDE) as usize];
            let level = CodeTile { size: SIDE, codes: level, valid: vec![1; (SIDE * SIDE) as usize] };
            heights(&folder.path().join("world.heights"), &[(TileCoord::new(0, 0, 0).unwrap(), level)], &[]);
            let metadata = ArchiveMetadata {
                name: "hills".into(),
                format: TileFormat::Webp,
                encoding: TileEncoding::from_name(&Encoding::Terrarium.to_string()),
                tile_size: Some(SIDE),
                ..ArchiveMetadata::default()
            };
            let path = folder.path().join("pixels.pmtiles");
            let mut sink = archive::create_with(&path, &metadata, Default::default()).unwrap();
            for (coord, tile) in &tiles {
                sink.put(*coord, &tile.encode(ImageFormat::Webp).unwrap()).unwrap();
            }
            sink.finish().unwrap();
            folder
        })
        .path()
}

pub fn path(name: &str) -> PathBuf {
    files().join(name)
}

/// The hills as the library opens them.
pub fn opened() -> Heights {
    Heights::open(path("hills.heights")).unwrap()
}

/// Options that serve all files on a free port.
pub fn options() -> Options {
    let mut options = Options::default();
    options.listen = "127.0.0.1:0".into();
    options.admin = Some("127.0.0.1:0".into());
    options.inputs.push(Input::parse(files().to_str().unwrap()).unwrap());
    options
}

pub fn start(options: Options) -> Running {
    Server::new(options).unwrap().start().unwrap()
}

/// A server with the options of [`options`], for all tests that need no other.
pub fn server() -> SocketAddr {
    static SERVER: OnceLock<Running> = OnceLock::new();
    SERVER.get_or_init(|| start(options())).address()
}
