//! What VRTs refer to, kept for those who ask next.
//!
//! Opening a raster asks four times: for its files, for names on a network, for units and for blocks. A VRT of a country has a
//! hundred thousand sources, and is read and parsed once for all of them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::vrt::{self, References};
use crate::raster::FileStamp;

/// Names that are kept at most, beside those of the VRT that was read last. Some tens of megabytes.
const MOST_NAMES: usize = 100_000;

/// Clocks of file systems have steps: two seconds on FAT, milliseconds elsewhere. A file that was changed so shortly before it was
/// read may be changed again without a sign of it.
const STEP: Duration = Duration::from_secs(2);

/// VRTs in the order in which they were read.
type Kept = Vec<(PathBuf, FileStamp, Rc<References>)>;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Vec::new()) };
}

/// What a VRT refers to; `None` where it can't be read. Reads it only where its size or times are others than when it was read last.
pub(super) fn read(path: &Path) -> Option<Rc<References>> {
    // Looked at before it is read: what is changed in between is read again.
    let Ok(stamp) = FileStamp::of(path) else { return vrt::read_anew(path).map(Rc::new) };
    KEPT.with_borrow_mut(|kept| {
        if let Some(at) = kept.iter().position(|(file, ..)| file == path) {
            if kept[at].1 == stamp {
                return Some(Rc::clone(&kept[at].2));
            }
            kept.remove(at);
        }
        let read = Rc::new(vrt::read_anew(path)?);
        if is_settled(stamp, SystemTime::now()) {
            while !kept.is_empty() && names(kept) > MOST_NAMES {
                kept.remove(0);
            }
            kept.push((path.to_path_buf(), stamp, Rc::clone(&read)));
        }
        Some(read)
    })
}

/// The names in all VRTs that are kept, and one for each, so that empty ones count.
fn names(kept: &Kept) -> usize {
    kept.iter().map(|(.., read)| read.names() + 1).sum()
}

/// True where a change after `now` has another time than the file has.
fn is_settled(stamp: FileStamp, now: SystemTime) -> bool {
    let last = stamp.modified_ns.max(stamp.changed_ns);
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
    u128::try_from(last).is_ok_and(|last| last + STEP.as_nanos() <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, source: &str, age: Duration) {
        let text = format!("<VRTDataset><SourceFilename>{source}</SourceFilename></VRTDataset>");
        std::fs::write(path, text).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_vrt_is_read_once_until_it_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vrt");
        write(&path, "a.tif", Duration::from_secs(60));
        let first = read(&path).unwrap();
        // It was changed just now, so that a second change may not show.
        assert!(!Rc::ptr_eq(&first, &read(&path).unwrap()));
        let stamp = FileStamp::of(&path).unwrap();
        KEPT.with_borrow_mut(|kept| kept.push((path.clone(), stamp, Rc::clone(&first))));
        assert!(Rc::ptr_eq(&first, &read(&path).unwrap()));
        write(&path, "bc.tif", Duration::from_secs(60));
        assert!(read(&path).unwrap().opened[0].ends_with("bc.tif"));
    }

    #[test]
    fn times_that_may_come_again_are_not_trusted() {
        let at = |ns| FileStamp { size: 1, modified_ns: 0, changed_ns: ns };
        let now = UNIX_EPOCH + Duration::from_secs(10);
        assert!(is_settled(at(7_900_000_000), now) && !is_settled(at(8_100_000_000), now));
        assert!(!is_settled(at(20_000_000_000), now) && !is_settled(FileStamp { modified_ns: -1, ..at(-1) }, now));
    }
}
