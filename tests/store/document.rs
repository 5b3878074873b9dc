//! `store-format.md` against the code and against real files: every offset, length, number and name, and the hex.
//!
//! The second half alters the document and expects the comparison to notice.

use std::collections::BTreeMap;
use std::io::Cursor;

use crate::common::{catalogue, store_bytes, two_records};
use hypso::container::{Container, ContainerBuilder, Packing};
use hypso::format::{Codec, ElementType, Kind, Sections, checksum::checksum, layout};
use hypso::index::{rtree, sorted};
use hypso::store::{DataType, SCHEMA, Store, record_columns};
use hypso::tile::Bounds;

const DOCUMENT: &str = include_str!("../../store-format.md");
/// A store with every optional column.
const EVERY_COLUMN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.3.hypso");
const EXAMPLE: &[u8] = include_bytes!("../fixtures/two-records.hypso");

type Check = Result<(), String>;

macro_rules! same {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(format!("{}: the document says {:?}, the code {:?}", format!($($what)+), found, expected));
        }
    }};
}

/// The rows of the table whose header row starts with these cells.
fn table(document: &str, header: &[&str]) -> Result<Vec<Vec<String>>, String> {
    let cells =
        |line: &str| -> Vec<String> { line.trim().trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect() };
    let mut lines = document.lines();
    lines
        .find(|line| {
            line.starts_with('|') && cells(line).iter().zip(header).filter(|(a, b)| a == *b).count() == header.len()
        })
        .ok_or_else(|| format!("no table {header:?}"))?;
    Ok(lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.trim_matches('`').split_whitespace();
    bytes.map(|b| u8::from_str_radix(b, 16).map_err(|_| format!("{b:?} is no byte"))).collect()
}

fn constants(document: &str) -> Check {
    let rows = table(document, &["constant", "value"])?;
    let expected: BTreeMap<&str, u64> = BTreeMap::from([
        ("major version", layout::VERSION_MAJOR.into()),
        ("minor version", layout::VERSION_MINOR.into()),
        ("header length", layout::HEADER_LENGTH as u64),
        ("entry length", layout::ENTRY_LENGTH as u64),
        ("name length", layout::NAME_LENGTH as u64),
        ("table offset", layout::TABLE_OFFSET as u64),
        ("section alignment", layout::SECTION_ALIGNMENT),
        ("page", layout::PAGE),
        ("most sections", layout::MAX_SECTIONS.into()),
        ("block length", layout::BLOCK_LENGTH.into()),
        ("longest compressed row", layout::ROW_LENGTH.into()),
        ("checksummed header", layout::HEADER_CHECKSUM_OFFSET as u64),
    ]);
    let mut found = BTreeMap::new();
    for row in &rows {
        if row[0] == "magic" {
            same!(hex(&row[1])?, layout::MAGIC.to_vec(), "magic");
        } else {
            found.insert(row[0].as_str(), number(&row[1])?);
        }
    }
    same!(found, expected, "constants");
    Ok(())
}

/// Name, offset and length of each field; they have to follow one another and fill `total` bytes.
fn fields(document: &str, which: &str, total: u64) -> Result<BTreeMap<String, (usize, usize, String)>, String> {
    let mut at = 0;
    let mut out = BTreeMap::new();
    for row in table(document, &["offset", "length", which])? {
        let (offset, length) = (number(&row[0])?, number(&row[1])?);
        same!(offset, at, "offset of {}", row[2]);
        at += length;
        let of_type = match row[3].as_str() {
            "u8" => 1,
            "u16" => 2,
            "u32" => 4,
            "u64" => 8,
            "text" | "bytes" => length,
            other => return Err(format!("{other:?} is no type")),
        };
        same!(length, of_type, "length of {}", row[2]);
        out.insert(row[2].clone(), (offset as usize, length as usize, row[4].clone()));
    }
    same!(at, total, "length of the {which}s");
    Ok(out)
}

fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn header(document: &str, file: &[u8]) -> Check {
    let fields = fields(document, "header field", layout::HEADER_LENGTH as u64)?;
    let sections = Sections::parse(file).map_err(|e| e.to_string())?;
    let bytes = |name: &str| {
        let (offset, length, _) = fields.get(name).ok_or(format!("no field {name:?}"))?;
        Ok::<_, String>(&file[*offset..offset + length])
    };
    let table = layout::TABLE_OFFSET..layout::TABLE_OFFSET + sections.entries().len() * layout::ENTRY_LENGTH;
    same!(bytes("magic")?, &layout::MAGIC[..], "magic");
    same!(hex(&fields["magic"].2)?, layout::MAGIC.to_vec(), "magic");
    same!(bytes("reserved")?.iter().all(|&b| b == 0), true, "reserved");
    same!(fields["schema"].1, layout::SCHEMA_LENGTH, "length of schema");
    same!(bytes("schema")?, &padded(SCHEMA, 16)[..], "schema");
    same!(fields["schema"].2, format!("`{SCHEMA}`"), "schema");
    same!(bytes("producer")?, &padded(&sections.header().producer(), 32)[..], "producer");
    let checksummed = fields["header checksum"].0;
    for (name, expected) in [
        ("major version", sections.header().version().0.into()),
        ("minor version", sections.header().version().1.into()),
        ("header length", layout::HEADER_LENGTH as u64),
        ("file length", file.len() as u64),
        ("section count", sections.entries().len() as u64),
        ("entry length", layout::ENTRY_LENGTH as u64),
        ("table offset", layout::TABLE_OFFSET as u64),
        ("table checksum", checksum(&file[table])),
        ("header checksum", checksum(&file[..checksummed])),
    ] {
        same!(integer(bytes(name)?), expected, "{name}");
        if let Ok(written) = number(&fields[name].2) {
            same!(written, expected, "value of {name}");
        }
    }
    same!(fields.len(), 13, "number of header fields");
    Ok(())
}

fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(length, 0);
    bytes
}

fn entries(document: &str, file: &[u8]) -> Check {
    let fields = fields(document, "entry field", layout::ENTRY_LENGTH as u64)?;
    let sections = Sections::parse(file).map_err(|e| e.to_string())?;
    same!(fields.len(), 10, "number of entry fields");
    for (i, entry) in sections.entries().iter().enumerate() {
        let start = layout::TABLE_OFFSET + i * layout::ENTRY_LENGTH;
        let bytes = |name: &str| {
            let (offset, length, _) = fields.get(name).ok_or(format!("no field {name:?}"))?;
            Ok::<_, String>(&file[start + offset..start + offset + length])
        };
        same!(bytes("name")?, &padded(&entry.name(), layout::NAME_LENGTH)[..], "name");
        let stored = &file[entry.offset() as usize..][..entry.length() as usize];
        for (name, expected) in [
            ("kind", entry.kind_number().into()),
            ("element", entry.element().map_or(0, |e| e as u64)),
            ("codec", entry.codec().map_or(9, |c| c as u64)),
            ("flags", 0),
            ("parameter", entry.parameter().into()),
            ("offset", entry.offset()),
            ("length", entry.length()),
            ("count", entry.count()),
            ("checksum", checksum(stored)),
        ] {
            same!(integer(bytes(name)?), expected, "{name} of {}", entry.name());
        }
        let parameter = match (entry.is(&entry.name(), Kind::Tree), entry.codec()) {
            (true, _) => rtree::FAN_OUT as u32,
            (_, Some(Codec::ZstdBlocks)) => layout::BLOCK_LENGTH,
            _ => 0,
        };
        same!(entry.parameter(), parameter, "parameter of {}", entry.name());
    }
    let says = format!("{} for a tree, {} for codec 1, else 0", rtree::FAN_OUT, layout::BLOCK_LENGTH);
    same!(fields["parameter"].2, says, "parameter");
    Ok(())
}

const KINDS: [(&str, Kind); 7] = [
    ("column", Kind::Column),
    ("offsets", Kind::Offsets),
    ("bytes", Kind::Bytes),
    ("blocks", Kind::Blocks),
    ("tree", Kind::Tree),
    ("json", Kind::Json),
    ("zstd dictionary", Kind::ZstdDictionary),
];

fn numbers(document: &str) -> Check {
    let kinds = table(document, &["kind", "number"])?;
    same!(kinds.len(), KINDS.len(), "number of kinds");
    for (row, (name, kind)) in kinds.iter().zip(KINDS) {
        same!((row[0].as_str(), number(&row[1])?), (name, kind as u64), "kind");
    }
    let types = table(document, &["element type", "number", "bytes"])?;
    for row in &types {
        let element = ElementType::from_number(number(&row[1])? as u8).ok_or(format!("{row:?} is no type"))?;
        same!((row[0].as_str(), number(&row[2])?), (element.name(), element.size()), "element type");
    }
    let known = (0..=255).filter(|&n| ElementType::from_number(n).is_some()).count();
    same!(types.len(), known, "number of element types");
    let codecs = table(document, &["codec", "number"])?;
    let expected =
        [("raw", Codec::Raw as u64), ("zstd blocks", Codec::ZstdBlocks as u64), ("zstd rows", Codec::ZstdRows as u64)];
    same!(codecs.len(), expected.len(), "number of codecs");
    for (row, expected) in codecs.iter().zip(expected) {
        same!((row[0].as_str(), number(&row[1])?), expected, "codec");
    }
    let cells = table(document, &["cell type", "number"])?;
    same!(cells.len(), DataType::ALL.len(), "number of cell types");
    for (row, cell) in cells.iter().zip(DataType::ALL) {
        same!((row[0].as_str(), number(&row[1])?), (cell.name(), cell as u64), "cell type");
    }
    Ok(())
}

fn tree_sizes(document: &str) -> Check {
    for row in table(document, &["records", "sizes", "values"])? {
        let (records, values) = (number(&row[0])?, number(&row[2])?);
        same!(values, rtree::length(records as usize) as u64, "tree of {records}");
        let sizes: Vec<u64> = row[1].split_whitespace().map(number).collect::<Result<_, _>>()?;
        same!(sizes.iter().sum::<u64>() * 64, values, "levels of the tree of {records}");
        let mut below = records;
        for &nodes in sizes.iter().rev() {
            same!(nodes, below.div_ceil(16), "levels of the tree of {records}");
            below = nodes;
        }
    }
    Ok(())
}

/// The list of sections against the sections of a file, in both directions and in order.
fn sections(document: &str, file: &[u8]) -> Check {
    let store = Store::from_bytes(file.to_vec()).map_err(|e| e.to_string())?;
    let count = |name: &str, kind: Kind| store.sections().find(name, kind).map_or(0, |e| e.count());
    let n = u64::from(store.len());
    let s = store.sources().len() as u64;
    let c = count("crs.name", Kind::Offsets) - 1;
    let r = count("tile.run_start", Kind::Column);
    let l = count("tile.list", Kind::Offsets) - 1;
    let mut listed = Vec::new();
    for row in table(document, &["section", "kind", "type", "codec", "count"])? {
        let name = row[0].trim_matches('`');
        let &(_, kind) = KINDS.iter().find(|(k, _)| *k == row[1]).ok_or(format!("{name}: kind {:?}", row[1]))?;
        let Some(entry) = store.sections().find(name, kind) else {
            let bytes = store.sections().find(name, Kind::Bytes);
            if kind == Kind::Blocks && bytes.is_some_and(|b| b.codec() == Some(Codec::Raw)) {
                continue;
            }
            return Err(format!("{name}, {}: no such section in a real store", row[1]));
        };
        listed.push((entry.name(), entry.kind_number()));
        same!(row[2], entry.element().map_or("?", |e| e.name()), "type of {name}");
        let codecs: Vec<&str> = row[3].split(", ").collect();
        same!(codecs == ["raw", "zstd blocks"], kind == Kind::Bytes, "codecs of {name}");
        same!(codecs.contains(&"raw"), true, "codecs of {name}");
        let expected = match row[4].as_str() {
            "any" => entry.count(),
            "n" => n,
            "n + 1" => n + 1,
            "s" => s,
            "s + 1" => s + 1,
            "c + 1" => c + 1,
            "r" => r,
            "r + 1" => r + 1,
            "l + 1" => l + 1,
            "64 × nodes" => rtree::length(n as usize) as u64,
            "keys(r)" => sorted::length(r as usize) as u64,
            "blocks + 1" => count(name, Kind::Bytes).div_ceil(u64::from(layout::BLOCK_LENGTH)) + 1,
            "2^bits + 1" => (n / 8).checked_ilog2().map_or(1, |bits| 1 << bits.min(26)) + 1,
            other => number(other)?,
        };
        same!(entry.count(), expected, "count of {name}");
    }
    let real: Vec<_> = store.sections().entries().iter().map(|e| (e.name(), e.kind_number())).collect();
    same!(listed, real, "sections");
    Ok(())
}

/// The columns of records in the document against those of the library, in both directions and in order, and the optional ones
/// against a store that has all of them and one that has none.
fn columns(document: &str) -> Check {
    let (sources, records) = two_records();
    let plain = Store::from_bytes(store_bytes(&sources, &records)).map_err(|e| e.to_string())?;
    let full = Store::open(EVERY_COLUMN).map_err(|e| e.to_string())?;
    for (optional, title) in [(false, "section"), (true, "optional section")] {
        let mut listed = Vec::new();
        for row in table(document, &[title, "kind", "type", "codec", "count"])? {
            let name = row[0].trim_matches('`');
            if name.starts_with("record.") && row[1] == "column" {
                same!((row[3].as_str(), row[4].as_str()), ("raw", "n"), "{name}");
                same!(plain.sections().find(name, Kind::Column).is_some(), !optional, "{name} without values for it");
                let entry = full.sections().find(name, Kind::Column).ok_or(format!("{name}: no such section"))?;
                same!(entry.count(), u64::from(full.len()), "count of {name}");
                listed.push((name.to_owned(), row[2].clone()));
            }
        }
        let real: Vec<_> = record_columns()
            .filter(|column| column.optional == optional)
            .map(|column| (column.name.to_owned(), column.element.name().to_owned()))
            .collect();
        same!(listed, real, "{title}s");
    }
    Ok(())
}

/// The list of general parts against a container that has one of each, in both directions and in order.
fn general_parts(document: &str) -> Check {
    let file = parts().map_err(|e| e.to_string())?;
    let sections = file.sections();
    let count = |name: &str, kind: Kind| sections.find(name, kind).map_or(0, |e| e.count());
    let n = 600;
    let mut listed = Vec::new();
    for row in table(document, &["part", "section", "kind", "type", "count"])? {
        let name = row[1].trim_matches('`').replacen('P', &row[0], 1);
        let &(_, kind) = KINDS.iter().find(|(k, _)| *k == row[2]).ok_or(format!("{name}: kind {:?}", row[2]))?;
        let entry = sections.find(&name, kind).ok_or(format!("{name}, {}: no such section", row[2]))?;
        listed.push((entry.name(), entry.kind_number()));
        if row[3] != "any" {
            same!(row[3], entry.element().map_or("?", |e| e.name()), "type of {name}");
        }
        let blocks = count(&format!("{}.ranks", row[0]), Kind::Column).saturating_sub(1);
        let expected = match row[4].as_str() {
            "any" => entry.count(),
            "n" => n,
            "n + 1" => n + 1,
            "d + 1" => 3 + 1,
            "range" => 2 * n - 1,
            "b + 1" => (2 * n - 1).div_ceil(512) + 1,
            "8 × b" => 8 * blocks,
            "64 × nodes" => rtree::length(n as usize) as u64,
            "2^bits + 1" => (1 << (n / 8).ilog2()) + 1,
            other => number(other)?,
        };
        same!(entry.count(), expected, "count of {name}");
    }
    let real: Vec<_> = sections.entries().iter().map(|e| (e.name(), e.kind_number())).collect();
    same!(listed, real, "general parts");
    Ok(())
}

/// A row that is worth compressing.
fn long(text: &str) -> Vec<u8> {
    (0..200u32).flat_map(|i| (i * i % 1000).to_le_bytes()).chain(text.bytes()).collect()
}

/// 600 rows with every second id of a range, as every general part.
fn parts() -> hypso::Result<Container> {
    let ids: Vec<u64> = (0..600).map(|i| 1000 + 2 * i).collect();
    let texts: Vec<String> = ids.iter().map(|id| format!("{}", id % 3)).collect();
    let point = |&id: &u64| Bounds::new(id as f64, 0.0, id as f64, 0.0);
    let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "parts")?;
    out.column("column", &ids)?;
    out.ragged("ragged column", &texts, false)?;
    let dictionary =
        hypso::format::rows::train(&texts.iter().map(|text| long(text)).collect::<Vec<_>>(), 1000).unwrap_or_default();
    let mut rows = out.begin_ragged("compressed rows", 600, Packing::Rows { level: 3, dictionary: &dictionary })?;
    texts.iter().try_for_each(|text| rows.push(&mut out, long(text)))?;
    rows.end(&mut out)?;
    out.list("list", ids.iter().map(|id| vec![1u16; (id % 5) as usize]))?;
    out.dictionary("dictionary", &texts)?;
    out.boxes("boxes", &ids.iter().map(point).collect::<Vec<_>>())?;
    out.ids("ids", &ids)?;
    out.direct_ids("direct ids", &ids)?;
    out.bitmap_ids("bitmap ids", &ids)?;
    let signed: Vec<i64> = (0..600).map(|i| 2 * i - 300).collect();
    out.signed_direct_ids("signed direct ids", &signed)?;
    out.signed_bitmap_ids("signed bitmap ids", &signed)?;
    out.json("document", "{}")?;
    Container::from_bytes(out.finish()?.into_inner())
}

/// Every line `offset  bytes  text` of the worked example against the file, and that it shows what it promises.
fn example(document: &str) -> Check {
    let (_, text) = document.split_once("## A worked example").ok_or("no example")?;
    let mut shown = vec![false; EXAMPLE.len()];
    for line in text.lines().filter(|l| l.len() > 10 && l.as_bytes()[..8].iter().all(u8::is_ascii_hexdigit)) {
        let offset = usize::from_str_radix(&line[..8], 16).map_err(|e| e.to_string())?;
        let bytes = line[8..].split('|').next().unwrap_or("");
        for (i, byte) in hex(bytes)?.into_iter().enumerate() {
            same!(Some(&byte), EXAMPLE.get(offset + i), "byte {:#x} of the example", offset + i);
            shown[offset + i] = true;
        }
    }
    let store = Sections::parse(EXAMPLE).map_err(|e| e.to_string())?;
    same!(
        shown[..layout::HEADER_LENGTH + 64 * store.entries().len()].iter().all(|&s| s),
        true,
        "header and table shown"
    );
    for entry in store.entries() {
        let range = entry.offset() as usize..(entry.offset() + entry.length()) as usize;
        same!(shown[range].iter().all(|&s| s), true, "{} shown", entry.name());
    }
    same!(text.contains(&format!("{} bytes", EXAMPLE.len())), true, "length of the example");
    Ok(())
}

fn check(document: &str, files: &[Vec<u8>]) -> Check {
    constants(document)?;
    numbers(document)?;
    tree_sizes(document)?;
    general_parts(document)?;
    columns(document)?;
    for file in files {
        header(document, file)?;
        entries(document, file)?;
        sections(document, file)?;
    }
    example(document)
}

fn files() -> Vec<Vec<u8>> {
    let (sources, records) = catalogue(900, 3);
    vec![EXAMPLE.to_vec(), store_bytes(&sources, &records)]
}

#[test]
fn the_document_says_what_the_code_does() {
    check(DOCUMENT, &files()).unwrap();
    assert_eq!(hypso::tile::web_mercator::WORLD.to_string(), "40075016.68557849");
    assert!(DOCUMENT.contains("`WORLD` = 40075016.68557849 m"));
    let version = format!("version {}.{}", layout::VERSION_MAJOR, layout::VERSION_MINOR);
    assert!(DOCUMENT.lines().next().unwrap().contains(&version));
}

/// A number that stands in a compared cell must not be changeable without a failure.
#[test]
fn every_altered_number_is_noticed() {
    let files = vec![EXAMPLE.to_vec()];
    let compared = [
        "| header field",
        "| entry field",
        "| constant",
        "| element type",
        "| cell type",
        "| kind",
        "| codec",
        "| part |",
    ];
    let mut tried = 0;
    let mut within = false;
    let mut at = 0;
    for line in DOCUMENT.split_inclusive('\n') {
        if !line.starts_with('|') {
            within = false;
        } else if compared.iter().any(|c| line.contains(c)) {
            within = true;
        } else if within {
            // The last column of these tables is for people.
            let cells = line.rfind(" |").and_then(|end| line[..end].rfind(" | ")).unwrap_or(0);
            for (i, digit) in line[..cells].char_indices().filter(|(_, c)| c.is_ascii_digit()) {
                let other = if digit == '7' { "3" } else { "7" };
                let mut altered = DOCUMENT.to_owned();
                altered.replace_range(at + i..at + i + 1, other);
                assert!(check(&altered, &files).is_err(), "not noticed: {digit} -> {other} in {line}");
                tried += 1;
            }
        }
        at += line.len();
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn altered_names_types_and_bytes_are_noticed() {
    let files = vec![EXAMPLE.to_vec()];
    for (old, new) in [
        ("`record.min_x` | column | f64", "`record.min_z` | column | f64"),
        ("`record.width` | column | u32", "`record.width` | column | u16"),
        ("`record.width` | column | u32", "`record.width` | offsets | u32"),
        ("| `record.height` |", "| record.heights |"),
        ("`record.id` | column | u64 | raw | n |", "`record.id` | column | u64 | raw | n + 1 |"),
        ("`tile.zoom_runs` | column | u32 | raw | 24", "`tile.zoom_runs` | column | u32 | raw | 23"),
        ("| `source.root` | bytes | u8 | raw, zstd blocks", "| `source.root` | bytes | u8 | raw"),
        ("\n| 257 | 1 2 17 | 1280 |", "\n| 257 | 1 3 17 | 1280 |"),
        ("`89 48 59 50", "`89 48 59 51"),
        ("00000000  89", "00000000  88"),
        ("| `terrain-records` |", "| `terrain-record` |"),
        ("| `P.ranks` | column | u32 | b + 1 |", "| `P.ranks` | column | u32 | b |"),
        ("| list | `P` | offsets | u64 |", "| list | `P` | offsets | u32 |"),
        ("`record.unit` | column | f64", "`record.unit` | column | f32"),
        ("| `record.parts` | column |", "| `record.party` | column |"),
        ("| boxes | `P.tree` | tree |", "| boxes | `P.tree` | column |"),
    ] {
        assert!(DOCUMENT.contains(old), "{old}");
        assert!(check(&DOCUMENT.replacen(old, new, 1), &files).is_err(), "not noticed: {old} -> {new}");
    }
    let row = DOCUMENT.lines().find(|l| l.starts_with("| `record.rank`")).unwrap();
    assert!(check(&DOCUMENT.replace(&format!("{row}\n"), ""), &files).is_err(), "a section left out is not noticed");
}

/// The example is what the library writes today, but for the producer and how frames are packed.
#[test]
fn the_example_is_what_the_library_writes() {
    let (sources, records) = two_records();
    let (fresh, kept) =
        (Store::from_bytes(store_bytes(&sources, &records)).unwrap(), Store::from_bytes(EXAMPLE.to_vec()).unwrap());
    let raw = |store: &Store| -> Vec<_> {
        let entries =
            store.sections().entries().iter().filter(|e| !["crs.name", "record.path"].contains(&e.name().as_str()));
        entries
            .map(|e| {
                (
                    e.name(),
                    e.kind_number(),
                    e.element(),
                    store.bytes()[e.offset() as usize..][..e.length() as usize].to_vec(),
                )
            })
            .collect()
    };
    assert_eq!(raw(&fresh), raw(&kept));
    for (a, b) in fresh.records().iter().zip(kept.records().iter()) {
        assert_eq!((a.path().unwrap(), a.crs().unwrap()), (b.path().unwrap(), b.crs().unwrap()));
    }
}

/// Writes the example and prints its part of the document: `cargo test --test store document -- --ignored --nocapture`.
#[test]
#[ignore = "makes the example anew; only for a new version of the format"]
fn make_the_example() {
    let (sources, records) = two_records();
    let bytes = store_bytes(&sources, &records);
    let store = Sections::parse(&bytes).unwrap();
    let dump = |from: usize, to: usize| {
        for start in (from..to).step_by(16) {
            let row = &bytes[start..to.min(start + 16)];
            let text: String =
                row.iter().map(|&b| if (32..127).contains(&b) && b != b'|' { b as char } else { '.' }).collect();
            let hex: Vec<String> = row.iter().map(|b| format!("{b:02x}")).collect();
            println!("{start:08x}  {:<47}  |{text}|", hex.join(" "));
        }
    };
    println!("{} bytes.\n\nHeader:\n\n```text", bytes.len());
    dump(0, 128);
    println!("```\n\nTable, {} entries:\n\n```text", store.entries().len());
    dump(128, 128 + 64 * store.entries().len());
    println!("```\n\nSections:\n\n```text");
    for entry in store.entries() {
        let (_, kind) = KINDS.iter().find(|(_, k)| *k as u8 == entry.kind_number()).map(|&(n, k)| (k, n)).unwrap();
        println!("{}, {kind}, {} x {}", entry.name(), entry.count(), entry.element().unwrap().name());
        dump(entry.offset() as usize, (entry.offset() + entry.length()) as usize);
    }
    println!("```");
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/two-records.hypso");
    std::fs::write(file, bytes).unwrap();
}
