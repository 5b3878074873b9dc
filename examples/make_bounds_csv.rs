//! Writes a `bounds.csv` shaped like a national catalogue, for measurements.
//!
//! Three resolutions of adjacent cells with small overlaps, clustered like islands, 1 % large ones. `hypso build` looks
//! at the size and time of every file that is listed, so `--touch` makes files of one byte with these names.
//!
//! ```sh
//! cargo run --release --example make_bounds_csv -- million 1000000 --touch
//! hypso build -o million.hypso million/bounds.csv
//! ```

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(folder), Some(count)) = (arguments.first().map(PathBuf::from), arguments.get(1)) else {
        return Err("usage: make_bounds_csv FOLDER COUNT [--touch]".into());
    };
    let count: u64 = count.parse()?;
    let touch = arguments.iter().any(|a| a == "--touch");
    fs::create_dir_all(&folder)?;
    let mut out = BufWriter::new(File::create(folder.join("bounds.csv"))?);
    writeln!(out, "filename,left,bottom,right,top,width,height")?;
    // SplitMix64 (Steele, Lea, Flood 2014).
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let islands: Vec<(f64, f64)> = (0..200).map(|_| (1.37e7 + random() * 2.4e6, 2.8e6 + random() * 2.9e6)).collect();
    for i in 0..count {
        let (cell, pixels) = [(1250.0, 1125), (2500.0, 450), (10_000.0, 900)][(random() * 3.0) as usize % 3];
        let (x, y) = islands[(random() * islands.len() as f64) as usize % islands.len()];
        let spread = 90.0 * (random() + random() - 1.0).abs().sqrt();
        let angle = random() * std::f64::consts::TAU;
        let place = |centre: f64, offset: f64| ((centre + offset * 2500.0) / cell).floor() * cell;
        let (left, bottom) = (place(x, spread * angle.cos()), place(y, spread * angle.sin()));
        let side = if random() < 0.01 { cell * 10.0 } else { cell } * 1.01;
        let name = format!("{:04}/{i:08}.tif", i / 1000);
        if touch {
            if i % 1000 == 0 {
                fs::create_dir_all(folder.join(format!("{:04}", i / 1000)))?;
            }
            fs::write(folder.join(&name), b"\0")?;
        }
        writeln!(out, "{name},{left},{bottom},{},{},{pixels},{pixels}", left + side, bottom + side)?;
    }
    out.flush()?;
    Ok(())
}
