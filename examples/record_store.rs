//! A training set in a file of its own schema: collected from a stream that may be interrupted, written raw and
//! compressed, and read on demand, preloaded and in random batches. `docs/record-store.md` tells more.
//!
//! ```text
//! cargo run --release --example record_store -- FOLDER [RECORDS]
//! ```

#[path = "common/random.rs"]
mod random;
#[path = "common/records/mod.rs"]
mod records;

use std::path::Path;
use std::time::Instant;

use hypso::column::Batch;
use hypso::container::{Advice, Container};
use records::{Coding, Collector, RecordSet, View, record, shuffled};

fn main() -> hypso::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        return Err(hypso::Error::argument("usage", "record_store FOLDER [RECORDS]"));
    };
    let count: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let [spool, raw, packed, coded] =
        ["records.spool", "raw.hypso", "zstd.hypso", "palette.hypso"].map(|name| Path::new(&folder).join(name));

    // The first run is interrupted; the second one goes on where it was.
    let begin = Instant::now();
    for until in [count / 3, count] {
        let mut collector = Collector::open(&spool, 1)?;
        println!("{} records are there, {} more", collector.len(), until.saturating_sub(collector.len()));
        for number in collector.len()..until {
            collector.push(&record(number))?;
        }
        collector.sync()?;
    }
    let mut collector = Collector::open(&spool, 1)?;
    let ids: Vec<u64> = (0..count).map(|number| record(number).id).collect();
    let (train, rest) = ids.split_at(ids.len() * 8 / 10);
    let (validation, test) = rest.split_at(rest.len() / 2);
    let splits = [("train", train), ("validation", validation), ("test", test)];
    collector.write(&raw, Coding::Raw, &splits)?;
    collector.write(&packed, Coding::Zstd { level: 9, trained: true }, &splits)?;
    collector.write(&coded, Coding::Palette, &splits)?;
    collector.remove()?;
    println!("built in {:.1} s", begin.elapsed().as_secs_f64());

    for path in [&raw, &packed, &coded] {
        let begin = Instant::now();
        let file = Container::open(path)?;
        let set = RecordSet::new(&file)?;
        let mut reader = set.reader()?;
        let open = begin.elapsed().as_secs_f64() * 1e6;
        println!("{}: {:.1} MB, open in {open:.0} us", path.display(), file.bytes().len() as f64 / 1e6);

        // On demand: one record by its id. A raw one is used where it lies in the file.
        let row = set.ids.row(ids[ids.len() / 2]).unwrap_or(0) as usize;
        let found = View::new(reader.get(row)?)?;
        println!(
            "  record {}: a {} of mass {:.1}, {} intensities, {} atoms, {} bonds",
            ids[ids.len() / 2],
            set.classes.text(row)?,
            set.masses[row],
            found.spectrum.len(),
            found.nodes.len(),
            found.edge_index.len() / 2
        );

        // Preloaded: all of it is in memory before the first batch, and shared by all processes that map it.
        file.advise(Advice::Preload)?;
        let (mut batch, mut atoms) = (Batch::new(), 0);
        let begin = Instant::now();
        for rows in shuffled(set.split("train")?, 7).chunks(128) {
            reader.batch(rows.iter().map(|&row| row as usize), &mut batch)?;
            for bytes in batch.iter() {
                atoms += View::new(bytes)?.nodes.len();
            }
        }
        println!("  an epoch in batches of 128: {:.3} s, {atoms} atoms", begin.elapsed().as_secs_f64());
    }
    Ok(())
}
