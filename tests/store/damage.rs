//! Errors about a damaged file name the file, whatever was read and whenever that was.

use std::collections::BTreeSet;
use std::path::Path;

use hypso::Error;
use hypso::container::{Container, write_container};
use hypso::format::Kind;
use hypso::store::{Store, verify};

use crate::common::{catalogue, store_bytes};

/// What reading all that is read late in a store gives in errors.
fn errors_of(store: &Store) -> Vec<Error> {
    let mut errors = Vec::new();
    errors.extend(store.crs_names().err());
    errors.extend(store.source_inputs().err());
    errors.extend(store.each_input(|_| Ok(())).err());
    for record in store.records().iter() {
        errors.extend(record.path().err());
        errors.extend(record.crs().err());
        errors.extend(record.full_path().err());
    }
    for entry in store.sections().entries() {
        errors.extend(errors_in(store.container(), &entry.name()));
    }
    errors
}

/// What reading a part gives in errors, in every way that fits its kind.
fn errors_in(file: &Container, name: &str) -> Vec<Error> {
    let mut errors = Vec::new();
    if let Ok(column) = file.ragged(name) {
        errors.extend(column.check_offsets().err());
        errors.extend(column.for_each(|_, _| Ok(())).err());
        errors.extend((0..column.len()).filter_map(|row| column.text(row).err()));
        match column.reader() {
            Ok(mut reader) => errors.extend((0..column.len()).filter_map(|row| reader.get(row).err())),
            Err(error) => errors.push(error),
        }
    }
    if let Ok(list) = file.list::<u32>(name) {
        errors.extend(list.check_offsets().err());
        errors.extend((0..list.len()).filter_map(|row| list.get(row).err()));
    }
    if let Ok(texts) = file.dictionary(name) {
        errors.extend((0..texts.len()).filter_map(|row| texts.text(row).err()));
    }
    if file.sections().find(name, Kind::Json).is_some() {
        errors.extend(file.json(name).err());
    }
    errors
}

/// Copies of a file, each with damage in one of its sections, and the section's name.
fn damaged(bytes: &[u8], sections: &hypso::format::Sections) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for entry in sections.entries().iter().filter(|entry| entry.length() > 0) {
        let (start, length) = (entry.offset() as usize, entry.length() as usize);
        let name = format!("{} {:?}", entry.name(), entry.kind_number());
        for (at, with) in [(0, 0xff), (length / 2, 0xff), (length - 1, 0xff), (length / 3, 0x55)] {
            let mut file = bytes.to_vec();
            file[start + at] ^= with;
            out.push((name.clone(), file));
        }
        // All of it.
        let mut file = bytes.to_vec();
        file[start..start + length].fill(0xff);
        out.push((name, file));
    }
    out
}

fn all_name(errors: &[Error], path: &Path, what: &str) {
    let name = path.display().to_string();
    for error in errors {
        let text = error.to_string();
        assert!(text.starts_with(&name), "{what}: {text}");
    }
}

#[test]
fn what_is_read_late_in_a_damaged_store_names_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.hypso");
    let (sources, records) = catalogue(60, 3);
    let bytes = store_bytes(&sources, &records);
    let whole = Store::from_bytes(bytes.clone()).unwrap();
    assert!(errors_of(&whole).is_empty());
    let mut telling = BTreeSet::new();
    for (section, file) in damaged(&bytes, whole.sections()) {
        std::fs::write(&path, &file).unwrap();
        for store in [Store::open(&path), Store::read(&path)] {
            let errors = match store {
                Ok(store) => {
                    assert!(!verify(&store).is_empty(), "{section}");
                    errors_of(&store)
                }
                Err(error) => vec![error],
            };
            all_name(&errors, &path, &section);
            if !errors.is_empty() {
                telling.insert(section.clone());
            }
        }
    }
    // Columns of numbers hold any numbers; texts, their offsets and blocks don't, nor do lists and the JSON document.
    assert!(telling.len() >= 18, "{telling:?}");
}

#[test]
fn parts_of_any_schema_name_their_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stations");
    let rows: Vec<Vec<u8>> = (0..50u8).map(|i| vec![b'a' + i % 26; usize::from(i)]).collect();
    write_container(&path, "stations", |out| {
        out.json("about", "{\"stations\":50}")?;
        out.ragged("raw", &rows, false)?;
        out.ragged("blocks", &rows, true)?;
        out.dictionary("class", &["coast", "mountain", "coast"])?;
        out.list("near", &[vec![1u32], vec![0, 2], vec![]])?;
        out.column("first.first", &[7u64, 8])
    })
    .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let whole = Container::open(&path).unwrap();
    let names: Vec<String> = whole.sections().entries().iter().map(|e| e.name()).collect();
    all_name(&[whole.direct_ids("first").unwrap_err(), whole.column::<f32>("raw").unwrap_err()], &path, "whole");
    all_name(&[whole.ragged("none").unwrap_err(), whole.boxes("none").unwrap_err()], &path, "whole");
    let mut found = 0;
    for (section, file) in damaged(&bytes, whole.sections()) {
        std::fs::write(&path, &file).unwrap();
        let open = Container::open(&path).unwrap();
        let errors: Vec<Error> = names.iter().flat_map(|name| errors_in(&open, name)).collect();
        found += errors.len();
        all_name(&errors, &path, &section);
    }
    assert!(found > 100, "{found}");
}
