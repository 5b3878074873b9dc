//! What an output was made from, in a small file beside it: so that an update knows what changed since.
//!
//! `<output>.inputs` is a container (`store-format.md`) of the schema `hypso-inputs`, with a row for each record: `record.id`,
//! `record.state` (a checksum of all that can change a pixel), `record.min_x` to `record.max_y`,
//! `record.pixel_size` and `record.source`; `source.name` in the order of priority; `about` is JSON with the fingerprint of the run, its options,
//! the tile size, and the finest zoom of the output and of the records.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::container::{Container, write_container};
use crate::error::{Error, Result};
use crate::format::checksum::Checksum;
use crate::plan::{Coverage, Plan};
use crate::render::RenderOptions;
use crate::store::{RecordRef, Store};
use crate::tile::Bounds;

const SCHEMA: &str = "hypso-inputs";

/// What the file says beside the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// The fingerprint that the output carries.
    pub(super) run: String,
    /// The options of the run, without the store.
    pub(super) options: serde_json::Value,
    pub(super) tile_size: u32,
    /// The finest zoom of the output and of the records.
    pub(super) top: u8,
    pub(super) native_top: u8,
}

/// The file that belongs to an output.
pub(super) fn path_of(output: &Path) -> PathBuf {
    crate::local::with_ending(output, ".inputs")
}

/// Refuses a file of that name that is something else.
pub(super) fn check_place(output: &Path) -> Result<()> {
    let path = path_of(output);
    if path.symlink_metadata().is_err() || Container::open(&path).is_ok_and(|file| file.expect_schema(SCHEMA).is_ok()) {
        return Ok(());
    }
    let problem = "is in the way: what the output is made from is to be written there, and hypso did not write this";
    Err(Error::invalid("inputs", problem, "move it away, or choose another output").with_path(path))
}

/// Writes what an output was made from. 58 bytes a record.
pub(super) fn write(output: &Path, store: &Store, about: &About) -> Result<()> {
    let records = store.records();
    let names = names(store)?;
    let states = States::new(store)?;
    let about = serde_json::to_string(about).map_err(|e| Error::internal(format!("inputs: {e}")))?;
    write_container(path_of(output), SCHEMA, |out| {
        out.json("about", &about)?;
        out.ragged("source.name", &names, false)?;
        out.column("record.id", &records.iter().map(|r| r.id()).collect::<Vec<_>>())?;
        out.column("record.state", &records.iter().map(|r| states.of(&r)).collect::<Vec<_>>())?;
        // A column at a time: ten million records are 80 MB of each.
        let mut edge = |name: &str, edge: fn(&Bounds) -> f64| {
            out.column(name, &records.iter().map(|r| edge(&r.bounds())).collect::<Vec<_>>())
        };
        edge("record.min_x", |b| b.min_x)?;
        edge("record.min_y", |b| b.min_y)?;
        edge("record.max_x", |b| b.max_x)?;
        edge("record.max_y", |b| b.max_y)?;
        out.column("record.source", &records.iter().map(|r| r.source_index()).collect::<Vec<_>>())?;
        out.column("record.pixel_size", &records.iter().map(|r| r.pixel_size()).collect::<Vec<_>>())
    })
}

fn names(store: &Store) -> Result<Vec<String>> {
    store.sources().iter().map(|s| Ok(s.name()?.into_owned())).collect()
}

/// Checksums of everything in a record that can change a pixel, apart from its place in the order of sources.
struct States {
    crs: Vec<String>,
    sources: Vec<String>,
    /// What is done to the values of each source, as JSON; empty where nothing is.
    adjusted: Vec<String>,
}

impl States {
    fn new(store: &Store) -> Result<Self> {
        let metadata = store.notes()?;
        let adjusted = |name: &String| metadata.get("adjust").and_then(|all| all.get(name)).map(ToString::to_string);
        let sources = names(store)?;
        let adjusted = sources.iter().map(|name| adjusted(name).unwrap_or_default()).collect();
        Ok(Self { crs: store.crs_names()?, sources, adjusted })
    }

    fn of(&self, record: &RecordRef<'_>) -> u64 {
        let mut sum = Checksum::default();
        let b = record.bounds();
        for number in [b.min_x, b.min_y, b.max_x, b.max_y, record.pixel_size(), record.nodata().unwrap_or(f64::NAN)] {
            sum.update(&number.to_bits().to_le_bytes());
        }
        sum.update(&[record.data_type() as u8, u8::from(record.nodata().is_some())]);
        for number in
            [u64::from(record.width()), u64::from(record.height()), record.file_size(), record.modified_ns() as u64]
        {
            sum.update(&number.to_le_bytes());
        }
        // Optional attributes that a record does not have add nothing, so that its checksum is that of earlier versions.
        for (kind, number) in [
            (1, record.parts()),
            (2, u64::from(record.band())),
            (3, record.unit().to_bits()),
            (4, record.scale().to_bits()),
        ] {
            if number != 0 {
                sum.update(&[kind]);
                sum.update(&number.to_le_bytes());
            }
        }
        let text = |list: &[String], at: usize| list.get(at).map_or(String::new(), Clone::clone);
        for part in
            [text(&self.crs, record.crs_index() as usize), text(&self.sources, usize::from(record.source_index()))]
        {
            sum.update(part.as_bytes());
            sum.update(&[0]);
        }
        sum.update(text(&self.adjusted, usize::from(record.source_index())).as_bytes());
        sum.digest()
    }
}

/// What changed since an output was made.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// The places, EPSG:3857 metres, each with the largest pixel size of its source: the coarsest file's kernel reaches
    /// farthest into the others.
    pub(super) boxes: Vec<(Bounds, f64)>,
    pub(super) added: u64,
    pub(super) removed: u64,
    pub(super) changed: u64,
    /// Why everything is to be made again, whatever the boxes.
    pub(super) everything: Option<&'static str>,
}

/// The inputs of an output that is there.
#[derive(Debug)]
pub(super) struct Inputs {
    file: Container,
    pub(super) about: About,
}

impl Inputs {
    /// Opens the file that belongs to an output.
    pub(super) fn open(output: &Path) -> Result<Self> {
        let path = path_of(output);
        let remedy = "without it nothing can be updated; make all tiles once, with `overwrite` instead of `update`";
        let bad = |problem: String| Error::invalid("inputs", problem, remedy).with_path(&path);
        if !path.exists() {
            return Err(bad("is missing".into()));
        }
        let file = Container::open(&path)?;
        file.expect_schema(SCHEMA)?;
        // What is read here decides which tiles stay as they are.
        file.expect_whole(remedy).map_err(|error| error.with_path(&path))?;
        let about = serde_json::from_str(file.json("about")?).map_err(|e| bad(format!("can't be read: {e}")))?;
        Ok(Self { file, about })
    }

    /// Compares with what a run will be made from. About a microsecond a record.
    ///
    /// # Errors
    /// Where the options are other ones, so that tiles of before and after do not go together; or the file is damaged.
    pub(super) fn compare(
        &self,
        store: &Store,
        plan: &Plan,
        options: &RenderOptions,
        now: &About,
    ) -> Result<Difference> {
        let mut theirs = (self.about.options.clone(), self.about.tile_size);
        let mut mine = (now.options.clone(), now.tile_size);
        // Where no zoom was cut off, the finest one follows the records.
        let whole = |a: &About| a.top == a.native_top;
        if plan.extent.coverage == Coverage::Native && whole(&self.about) && whole(now) {
            for options in [&mut theirs.0, &mut mine.0] {
                options["max_zoom"] = serde_json::Value::Null;
            }
        }
        let version = |options: &mut serde_json::Value| options["version"].take();
        let same_version = version(&mut theirs.0) == version(&mut mine.0);
        // An option that this version does not know matters only where it was used.
        for options in [&mut theirs.0, &mut mine.0] {
            options.as_object_mut().into_iter().for_each(|map| map.retain(|_, value| !value.is_null()));
        }
        if theirs != mine {
            return Err(Error::argument(
                "update",
                "needs the options that the output was made with; give the same ones, or make all tiles with `overwrite`",
            ));
        }
        let old = self.file.ragged("source.name")?;
        let old = (0..old.len()).map(|n| Ok(old.text(n)?.into_owned())).collect::<Result<Vec<String>>>()?;
        let new = names(store)?;
        let mut difference = self.records(store, &old, &new)?;
        let common = |a: &[String], b: &[String]| a.iter().filter(|n| b.contains(n)).cloned().collect::<Vec<_>>();
        if !same_version {
            difference.everything = Some("the output was made by another version of hypso");
        } else if common(&old, &new) != common(&new, &old) {
            difference.everything = Some("the order of the sources changed");
        } else if options.lineage && !new.starts_with(&old) && !old.starts_with(&new) {
            difference.everything = Some("the sources have other numbers in the lineage");
        }
        Ok(difference)
    }

    fn records(&self, store: &Store, old_names: &[String], new_names: &[String]) -> Result<Difference> {
        let ids = self.file.column::<u64>("record.id")?;
        let states = self.file.column::<u64>("record.state")?;
        let edge = |name: &str| self.file.column::<f64>(name);
        let (west, south) = (edge("record.min_x")?, edge("record.min_y")?);
        let (east, north) = (edge("record.max_x")?, edge("record.max_y")?);
        let (sizes, sources) = (edge("record.pixel_size")?, self.file.column::<u16>("record.source")?);
        let now = States::new(store)?;
        let name = |names: &[String], source: u16| names.get(usize::from(source)).map_or(String::new(), String::clone);
        let mut coarsest: HashMap<String, f64> = HashMap::new();
        let mut by_source: HashMap<(bool, u16), f64> = HashMap::new();
        let then = sources.iter().zip(sizes).map(|(&source, &size)| ((false, source), size));
        let today = store.records().iter().map(|r| ((true, r.source_index()), r.pixel_size()));
        for (key, size) in then.chain(today) {
            let largest = by_source.entry(key).or_insert(size);
            *largest = largest.max(size);
        }
        for (&(new, source), &size) in &by_source {
            let largest = coarsest.entry(name(if new { new_names } else { old_names }, source)).or_insert(size);
            *largest = largest.max(size);
        }
        let coarsest_of = |names: &[String], source: u16| coarsest.get(&name(names, source)).copied().unwrap_or(0.0);
        let then = |row: usize| -> Option<(Bounds, f64)> {
            let bounds = Bounds::new(*west.get(row)?, *south.get(row)?, *east.get(row)?, *north.get(row)?);
            Some((bounds, coarsest_of(old_names, *sources.get(row)?)))
        };
        let now_at = |record: &RecordRef<'_>| (record.bounds(), coarsest_of(new_names, record.source_index()));
        let mut out = Difference::default();
        // The store finds records by id. Records that no earlier one asked for are new.
        let mut seen = vec![false; store.len() as usize];
        for (row, (&id, &state)) in ids.iter().zip(states).enumerate() {
            let Some(record) = store.by_id(id) else {
                out.removed += 1;
                out.boxes.extend(then(row));
                continue;
            };
            if let Some(seen) = seen.get_mut(record.row() as usize) {
                *seen = true;
            }
            if state != now.of(&record) {
                out.changed += 1;
                out.boxes.extend(then(row));
                out.boxes.push(now_at(&record));
            }
        }
        for record in store.records().iter().filter(|r| !seen[r.row() as usize]) {
            out.added += 1;
            out.boxes.push(now_at(&record));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::store::{self, Parameters, RecordInput, SourceInput};

    #[test]
    fn altered_files_are_refused_or_say_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.pmtiles");
        let records: Vec<RecordInput> = (0..40)
            .map(|n| RecordInput {
                path: format!("{n}.tif"),
                bounds: Bounds::new(f64::from(n) * 1000.0, 0.0, f64::from(n) * 1000.0 + 900.0, 900.0),
                pixel_size: 10.0,
                width: 90,
                height: 90,
                crs: "EPSG:3857".into(),
                ..RecordInput::default()
            })
            .collect();
        let sources = [SourceInput { name: "a".into(), root: "/a".into(), ..SourceInput::default() }];
        let bytes = store::write(Cursor::new(Vec::new()), &sources, &records, &Parameters::default()).unwrap();
        let store = Store::from_bytes(bytes.into_inner()).unwrap();
        let about = About {
            run: "0123".into(),
            options: serde_json::json!({"blend": 1}),
            tile_size: 512,
            top: 12,
            native_top: 13,
        };
        write(&output, &store, &about).unwrap();
        let path = path_of(&output);
        let whole = std::fs::read(&path).unwrap();
        let sound = Inputs::open(&output).unwrap();
        let (mut taken, mut refused) = (0, 0);
        for seed in 0..1000 {
            std::fs::write(&path, crate::altered::altered(&whole, seed)).unwrap();
            match Inputs::open(&output) {
                Ok(inputs) => {
                    taken += 1;
                    assert_eq!(inputs.about, about, "{seed}");
                    for name in ["record.id", "record.state"] {
                        assert_eq!(inputs.file.column::<u64>(name).unwrap(), sound.file.column::<u64>(name).unwrap());
                    }
                    let edges = |inputs: &Inputs| inputs.file.column::<f64>("record.max_x").unwrap().to_vec();
                    assert_eq!(edges(&inputs), edges(&sound), "{seed}");
                }
                Err(error) => {
                    refused += 1;
                    crate::altered::check_message(&error, "o.pmtiles.inputs");
                }
            }
        }
        assert!(refused > 500, "{taken} {refused}");
    }
}
