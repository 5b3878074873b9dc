//! Writes a `bounds.csv` shaped like a national catalogue, for measurements.
//!
//! `hypso build` looks at the size and time of every file that is listed. So there are a thousand files of one byte, and
//! links to their folder: as many paths as records, and hardly anything on the disk.
//!
//! ```sh
//! cargo run --release --example make_bounds_csv -- million 1000000
//! hypso build -o million.hypso million/bounds.csv
//! ```

#[path = "../benches/common/catalogue.rs"]
#[allow(dead_code)]
mod catalogue;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(folder), Some(count)) = (arguments.first().map(PathBuf::from), arguments.get(1)) else {
        return Err("usage: make_bounds_csv FOLDER COUNT".into());
    };
    let files = folder.join("files");
    fs::create_dir_all(&files)?;
    for i in 0..1000 {
        fs::write(files.join(format!("{i:03}.tif")), b"\0")?;
    }
    let mut out = BufWriter::new(File::create(folder.join("bounds.csv"))?);
    writeln!(out, "filename,left,bottom,right,top,width,height,crs")?;
    for (i, record) in catalogue::records(count.parse()?).enumerate() {
        let sheet = format!("{:05}", i / 1000);
        if i % 1000 == 0 {
            link(&folder.join(&sheet))?;
        }
        let b = record.bounds;
        // The pixel size is the side of the box by the number of cells.
        let cells = (b.width() / record.pixel_size).round();
        writeln!(
            out,
            "{sheet}/{:03}.tif,{},{},{},{},{cells},{cells},{}",
            i % 1000,
            b.min_x,
            b.min_y,
            b.max_x,
            b.max_y,
            record.crs
        )?;
    }
    out.flush()?;
    Ok(())
}

/// A second name for the folder `files` beside it.
fn link(name: &std::path::Path) -> std::io::Result<()> {
    if name.exists() {
        return Ok(());
    }
    #[cfg(unix)]
    return std::os::unix::fs::symlink("files", name);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_dir("files", name);
    #[cfg(not(any(unix, windows)))]
    Err(std::io::Error::other("this system has no links"))
}
