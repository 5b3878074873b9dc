//! Advice changes how a file is read, never what it answers.

use crate::common::{catalogue, store_bytes};
use hypso::container::{Advice, Container};
use hypso::store::{Part, Store, verify, write_file};
use hypso::tile::Bounds;

const ALL: [Advice; 5] = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::Preload];
const PARTS: [Part; 4] = [Part::Indices, Part::Footprints, Part::Attributes, Part::Texts];

fn answers(store: &Store) -> Vec<(u32, String)> {
    let found = store.overlapping(Bounds::new(1.39e7, 3.9e6, 1.41e7, 4.1e6));
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

/// How often this thread waited for the disk because it touched a page that was not in memory.
#[cfg(target_os = "linux")]
fn waits() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap();
    fields.split_whitespace().nth(9).unwrap().parse::<u64>().unwrap()
}

/// What was preloaded is in memory: the system counts no more waits for the disk. Where files are kept in memory
/// anyway there are none before either, and the test says nothing.
#[cfg(target_os = "linux")]
#[test]
fn preloading_leaves_no_page_to_wait_for() {
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

/// A reader needs its dictionary whole, and the file is open without read-ahead: it must not wait for each page. Where files are
/// kept in memory anyway, the test says nothing.
#[cfg(all(target_os = "linux", feature = "engine"))]
#[test]
fn a_cold_dictionary_is_asked_for_at_once() {
    use hypso::container::{Packing, write_container};
    use hypso::format::rows::{DICTIONARY, train};

    let mut state = 1u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{:x} ", (state >> 33) % 20_000 * 7_919)
    };
    let rows: Vec<String> = (0..3000).map(|_| (0..150).map(|_| word()).collect()).collect();
    let dictionary = train(&rows, DICTIONARY).unwrap();
    assert!(dictionary.len() > 80 << 10, "{}", dictionary.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.hypso");
    write_container(&path, "rows", |out| {
        let packing = Packing::Rows { level: 3, dictionary: &dictionary };
        let mut part = out.begin_ragged("row", rows.len() as u64, packing)?;
        rows.iter().try_for_each(|row| part.push(out, row))?;
        part.end(out)
    })
    .unwrap();
    // GNU's dd drops a file from memory; any other leaves it there.
    let input = format!("if={}", path.display());
    let _ = std::process::Command::new("dd").args([input.as_str(), "iflag=nocache", "count=0", "status=none"]).status();
    let file = Container::open(&path).unwrap();
    let before = waits();
    let mut reader = file.ragged("row").unwrap().reader().unwrap();
    let waited = waits() - before;
    println!("{waited} waits for a dictionary of {} bytes", dictionary.len());
    assert!(waited <= 4, "{waited}");
    assert_eq!(reader.get(2999).unwrap(), rows[2999].as_bytes());
}
