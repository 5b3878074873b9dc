//! Files of heights: one to begin with, and everything that can be asked of one.

use std::io::Cursor;

use hypso::heights::{
    Description, HeightQueries, Heights, Interpolation, Packed, Resample, Sampling, Sight, Spacing, Voids, Writer,
};
use hypso::progress::Silent;
use hypso::tile::{Area, Bounds, LonLat, LonLatBox, Polygons, TileCoord, TileId};

use crate::random::Random;

/// Tiles of a few zooms with slopes, voids and level ground, some of them alike, with a lineage.
pub fn seed(random: &mut Random) -> Vec<u8> {
    let mut out = Writer::new(Cursor::new(Vec::new()), None, 24, Writer::TERRARIUM, true).expect("it begins");
    let mut ids: Vec<TileId> = (0..5u8)
        .flat_map(|z| (0..3).filter_map(move |i| TileCoord::new(z, (i * 5 + 1) % (1 << z), (i * 3) % (1 << z))))
        .map(TileId::from)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    for (n, id) in ids.into_iter().enumerate() {
        let codes: Vec<u32> = (0..24 * 24).map(|i| 0x80_0000 + i * 40 + (random.next() % 64) as u32).collect();
        let valid: Vec<u8> = (0..24 * 24u32).map(|i| u8::from(n % 3 != 0 || i % 7 != 0)).collect();
        let level = vec![0x80_0000; 24 * 24];
        let codes = if n % 4 == 1 { &level } else { &codes };
        let packed = |codes: &[u32]| Packed::new(24, codes, &valid).expect("it packs");
        let lineage = packed(&codes.iter().map(|code| code % 3).collect::<Vec<_>>());
        out.put(id, &packed(codes), Some(&lineage)).expect("it is put");
    }
    let description =
        Description { metadata: "{}".into(), datum: "EGM96".into(), sources: vec!["a".into(), "b".into(), "c".into()] };
    out.finish(&description).expect("it ends").into_inner()
}

/// True where the bytes opened as heights. What the answers are does not matter here. A part of the questions is asked, other ones of other
/// bytes.
pub fn run(bytes: &[u8], random: &mut Random) -> bool {
    let Ok(heights) = Heights::from_bytes(bytes.to_vec()) else { return false };
    let mut between = |a: f64, b: f64| a + (random.next() >> 11) as f64 / (1u64 << 53) as f64 * (b - a);
    let points: Vec<LonLat> =
        (0..20).filter_map(|_| LonLat::new(between(-180.0, 180.0), between(-90.0, 90.0)).ok()).collect();
    let mut found = Vec::new();
    let how = [
        Sampling::default(),
        Sampling::default().interpolation(Interpolation::Nearest).voids(Voids::FillFromCoarser),
        Sampling::default().up_to_zoom(2),
    ][random.next() as usize % 3];
    let _ = heights.at_many(&points, &how, &mut found);
    let pair = &points[..2];
    match random.next() % 8 {
        0 => drop(heights.along(pair, Spacing::Count(50), &how)),
        1 => drop(heights.sees(&Sight::new(pair[0], pair[1]), &how.up_to_zoom(6))),
        2 => {
            let ring = vec![vec![vec![[0.0, 0.0], [50.0, 10.0], [20.0, 60.0]]]];
            drop(Polygons::new(ring).map(|polygons| heights.statistics(&Area::from(polygons), None)));
        }
        3 | 4 => {
            let b = [[-180.0, -80.0, 180.0, 80.0], [10.0, 10.0, 60.0, 50.0], [170.0, -10.0, -170.0, 10.0]]
                [random.next() as usize % 3];
            let Ok(b) = LonLatBox::new(b[0], b[1], b[2], b[3]) else { return true };
            let area = Area::from(b);
            let resample = [Resample::Nearest, Resample::Bilinear, Resample::Mean][random.next() as usize % 3];
            let _ = heights.window(b.into(), [20, 20], resample, &how.up_to_zoom(8));
            let _ = (heights.statistics(&area, how.max_zoom), heights.range(&area, None));
        }
        5 => {
            let corner = Bounds::new(0.0, 0.0, 1e6, 1e6);
            drop(heights.window(corner.into(), [5, 5], Resample::Mean, &Sampling::default()));
        }
        6 => drop(heights.verify(&Silent)),
        _ => {
            let (mut codes, mut valid, mut sources) = (Vec::new(), Vec::new(), Vec::new());
            for tile in heights.tiles().take(50) {
                let Ok((id, content)) = tile else { continue };
                let _ = (
                    heights.read_codes(content, &mut codes, &mut valid),
                    heights.facts(content),
                    heights.packed_bytes(content),
                );
                if let Some(coord) = id.coord() {
                    let _ = (heights.tile(coord), heights.read_lineage(coord, &mut sources));
                }
            }
        }
    }
    let _ = (heights.sample(pair[0], &how), heights.slope_aspect(pair[0], &how));
    let _ = (heights.metadata(), heights.datum(), heights.sources());
    true
}
