//! Advice changes how a file is read, never what it answers.

mod common;

use common::{catalogue, store_bytes};
use hypso::store::{Advice, Container, Part, Store, verify, write_file};
use hypso::tile::Bounds;

const ALL: [Advice; 5] = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::Preload];
const PARTS: [Part; 4] = [Part::Indices, Part::Footprints, Part::Attributes, Part::Texts];

fn answers(store: &Store) -> Vec<(u32, String)> {
    let found = store.in_bounds(&Bounds::new(1.39e7, 3.9e6, 1.41e7, 4.1e6));
    found.map(|r| (r.row(), r.path().unwrap().into_owned())).collect()
}

#[test]
fn answers_are_the_same_under_all_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    let (sources, records) = catalogue(20_000, 5);
    write_file(&path, &sources, &records, &Default::default()).unwrap();
    let store = Store::open(&path).unwrap();
    let expected = answers(&store);
    assert!(expected.len() > 100);
    for advice in ALL {
        store.advise(advice).unwrap();
        assert_eq!(answers(&store), expected);
        for part in PARTS {
            store.advise_part(part, advice).unwrap();
        }
        assert_eq!(answers(&store), expected);
    }
    assert_eq!(verify(&store), []);
}

#[test]
fn memory_and_empty_sections_take_any_advice() {
    let (sources, _) = catalogue(0, 0);
    let bytes = store_bytes(&sources, &[]);
    let in_memory = Store::from_bytes(bytes.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.hypso");
    std::fs::write(&path, &bytes).unwrap();
    let mapped = Store::open(&path).unwrap();
    let container = Container::open(&path).unwrap();
    for advice in ALL {
        for store in [&in_memory, &mapped] {
            store.advise(advice).unwrap();
            PARTS.iter().for_each(|&part| store.advise_part(part, advice).unwrap());
        }
        container.advise_sections(advice, |_| false).unwrap();
        container.advise_sections(advice, |section| section.length() == 0).unwrap();
    }
}

/// What was preloaded is in memory: the system counts no more waits for the disk. Where files are kept in memory
/// anyway there are none before either, and the test says nothing.
#[cfg(target_os = "linux")]
#[test]
fn preloading_leaves_no_page_to_wait_for() {
    let waits = || {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields = stat.rsplit(')').next().unwrap();
        fields.split_whitespace().nth(9).unwrap().parse::<u64>().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    let (sources, records) = catalogue(20_000, 6);
    write_file(&path, &sources, &records, &Default::default()).unwrap();
    let store = Store::open(&path).unwrap();
    store.advise(Advice::Preload).unwrap();
    let before = waits();
    let sum: u64 = store.bytes().iter().map(|&b| u64::from(b)).sum();
    assert!(sum > 0);
    assert!(waits() <= before + 1);
}
