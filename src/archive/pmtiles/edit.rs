//! New metadata of a PMTiles archive, in the file.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::compression::Compression;
use super::header::{HEADER_BYTES, Header};
use super::metadata::IN_HEADER;
use super::parts::METADATA_CAP;
use super::reader::PmtilesReader;
use crate::archive::edit::{Edited, apply};
use crate::archive::packing::gzip;
use crate::archive::{ArchiveMetadata, TileSource};
use crate::error::{Error, Result};

/// Changes header and metadata. The new metadata go where no section lies and nothing else does: between two sections, where all bytes are
/// zero, or at the end. They are on the disk before the header is written, whose 127 bytes lie in one sector. Then the old metadata are
/// overwritten by zeros, so that the next edit finds room.
pub(in crate::archive) fn edit(
    path: &Path,
    change: &mut dyn FnMut(&mut ArchiveMetadata) -> Result<()>,
) -> Result<Edited> {
    let failed = |action| Error::io(action, path);
    let mut file = File::options().read(true).write(true).open(path).map_err(failed("open for writing"))?;
    lock(&file, path)?;
    let reader = PmtilesReader::open(path)?;
    let before = reader.metadata();
    let edited = Edited::of(before, change)?;
    let after = &edited.metadata;
    let old = *reader.header();
    let mut header = Header { min_zoom: after.minzoom.unwrap_or(0), max_zoom: after.maxzoom.unwrap_or(0), ..old };
    // What the header says stays as it is where it is no bounds, and was not changed.
    if after.bounds != before.bounds {
        header.bounds = after.bounds.unwrap_or_default();
    }
    if after.center != before.center {
        header.center_zoom = after.center.map_or(0, |center| center.zoom);
        header.center = after.center.map_or([0.0; 2], |center| [center.lon, center.lat]);
    }
    let in_json: Vec<_> =
        edited.changes.iter().filter(|(key, ..)| !IN_HEADER.contains(&key.as_str())).cloned().collect();
    if in_json.is_empty() {
        if header != old {
            write_at(&mut file, path, 0, &header.to_bytes())?;
        }
        return Ok(edited);
    }
    let mut map = reader.json()?;
    apply(&mut map, &in_json);
    let json = packed(&map, old.internal_compression).map_err(|error| error.with_path(path))?;
    header.metadata_length = json.len() as u64;
    header.metadata_offset = room(&mut file, &old, reader.file_len(), json.len() as u64).map_err(failed("read"))?;
    write_at(&mut file, path, header.metadata_offset, &json)?;
    write_at(&mut file, path, 0, &header.to_bytes())?;
    // Where sections share bytes, these are not the metadata's alone.
    if alone(&old) {
        write_at(&mut file, path, old.metadata_offset, &vec![0; old.metadata_length as usize])?;
    }
    Ok(edited)
}

/// Keeps other edits away until the file is closed. A file system without locks is no error; elsewhere than on Unix a lock would keep this
/// process from opening the file once more.
fn lock(file: &File, path: &Path) -> Result<()> {
    if cfg!(unix) && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        let problem = "is being edited by another program";
        return Err(Error::invalid("archive", problem, "wait until it is done").with_path(path));
    }
    Ok(())
}

/// Writes bytes and waits until they are on the disk.
fn write_at(file: &mut File, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
    let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes));
    written.and_then(|()| file.sync_data()).map_err(Error::io("write", path))
}

fn packed(map: &Map<String, Value>, compression: Compression) -> Result<Vec<u8>> {
    let json = Value::Object(map.clone()).to_string().into_bytes();
    if json.len() as u64 > METADATA_CAP {
        return Err(Error::argument("metadata", format!("have more than {METADATA_CAP} bytes")));
    }
    match compression {
        Compression::Gzip => Ok(gzip(&json, 9)),
        Compression::Zstd => zstd::encode_all(&json[..], 9).map_err(|error| Error::internal(error.to_string())),
        Compression::None | Compression::Unknown => Ok(json),
        Compression::Brotli => {
            let problem = "are compressed with brotli, which is read and not written";
            Err(Error::invalid("metadata", problem, "write a copy with `set` (`archive::convert`)"))
        }
    }
}

/// Where sections lie, in order: starts and ends.
fn occupied(header: &Header) -> Vec<(u64, u64)> {
    let sections = header.sections().into_iter().filter(|(_, _, length)| *length > 0);
    let mut out: Vec<_> = sections.map(|(_, offset, length)| (offset, offset.saturating_add(length))).collect();
    out.push((0, HEADER_BYTES as u64));
    out.sort_unstable();
    out
}

/// A place for `length` bytes: the first gap of zeros between sections that is large enough, else the end of the file.
fn room(file: &mut File, header: &Header, end: u64, length: u64) -> std::io::Result<u64> {
    let mut from = 0;
    for (start, stop) in occupied(header) {
        if start.saturating_sub(from) >= length {
            let mut found = vec![0; length as usize];
            file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut found))?;
            if found.iter().all(|&byte| byte == 0) {
                return Ok(from);
            }
        }
        from = from.max(stop);
    }
    // Behind the last section may lie what an earlier edit left.
    if end.saturating_sub(from) >= length && end - from <= METADATA_CAP {
        let mut found = Vec::new();
        file.seek(SeekFrom::Start(from)).and_then(|_| file.take(METADATA_CAP).read_to_end(&mut found))?;
        if found.iter().all(|&byte| byte == 0) {
            return Ok(from);
        }
    }
    Ok(end)
}

/// True where no other section shares bytes with the metadata.
fn alone(header: &Header) -> bool {
    let (start, end) = (header.metadata_offset, header.metadata_offset.saturating_add(header.metadata_length));
    let shared = occupied(header).iter().filter(|&&(from, to)| from < end && start < to).count();
    shared == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_go_where_nothing_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let header = Header {
            root_offset: 127,
            root_length: 100,
            metadata_offset: 300,
            metadata_length: 50,
            data_offset: 400,
            data_length: 600,
            ..Header::default()
        };
        let mut bytes = vec![1u8; 1000];
        bytes[227..300].fill(0);
        bytes[350..400].fill(0);
        let place = |bytes: &[u8], length: u64| {
            std::fs::write(&path, bytes).unwrap();
            room(&mut File::open(&path).unwrap(), &header, bytes.len() as u64, length).unwrap()
        };
        assert_eq!((place(&bytes, 73), place(&bytes, 74)), (227, 1000));
        // What is not zero belongs to somebody.
        bytes[250] = 9;
        assert_eq!((place(&bytes, 50), place(&bytes, 51)), (350, 1000));
        bytes.extend([0; 80]);
        assert_eq!((place(&bytes, 80), place(&bytes, 81)), (1000, 1080));
        bytes.push(7);
        assert_eq!(place(&bytes, 60), 1081);
        assert!(alone(&header) && !alone(&Header { metadata_offset: 200, ..header }));
    }
}
