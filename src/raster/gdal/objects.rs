//! Objects on the network, through GDAL: one set of credentials, for facts and lists as for cells.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::super::{FileStamp, Listed, Network, Objects};
use super::vsi::{self, Entry, Refusal};
use super::{local, prepare, said};
use crate::text::one_line;
use crate::url;

/// Objects through GDAL.
pub(super) struct GdalObjects;

/// How long facts are kept. What changes meanwhile is seen at the end of a run, which asks again.
const KEPT: Duration = Duration::from_secs(60);

/// Facts that are kept at most.
const MOST: usize = 1 << 20;

/// Pauses between tries, beside those that GDAL makes itself: some of its calls make none.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

/// Objects on one page of a list are fewer.
const PAGE: usize = 900;

/// What this process knows of objects.
#[derive(Default)]
struct Known {
    facts: HashMap<PathBuf, (Instant, FileStamp)>,
    /// By folder.
    names: HashMap<PathBuf, Vec<String>>,
    with_sidecars: HashSet<PathBuf>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Nanoseconds in calls that ask the network.
static WAITED: AtomicU64 = AtomicU64::new(0);

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what asks the network, and adds its time to what was waited.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    WAITED.fetch_add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    result
}

/// Tries again, with pauses, what fails for the time being; gives the first error where nothing helps. `again` is called before each
/// further try.
pub(super) fn patiently<T, E>(
    lasting: impl Fn(&E) -> bool,
    mut again: impl FnMut(),
    mut work: impl FnMut() -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut outcome = work();
    for pause in PAUSES {
        if outcome.as_ref().err().is_none_or(&lasting) {
            break;
        }
        std::thread::sleep(pause);
        again();
        // The first cause says most: what comes later may only say that the connection is broken.
        outcome = work().or(outcome);
    }
    outcome
}

/// Forgets what GDAL keeps of an object.
pub(super) fn forget(url: &Path) {
    vsi::forget(&url::for_gdal(url).to_string_lossy());
}

/// True where a raster on the network may have further files beside it.
pub(super) fn has_sidecars(path: &Path) -> bool {
    known().with_sidecars.contains(path)
}

/// GDAL's name of an object.
fn name_of(url: &Path) -> Result<String> {
    prepare();
    said();
    if !local::remote_allowed() {
        return Err(Error::new(ErrorKind::Unsupported, "requests to the network are not allowed"));
    }
    Ok(url::for_gdal(url).to_string_lossy().into_owned())
}

/// Asks the network.
fn ask<T>(work: impl FnMut() -> std::result::Result<T, Refusal>) -> Result<T> {
    timed(|| patiently(|refusal| kind(refusal).is_some(), || (), work)).map_err(|refusal| {
        let words = if refusal.words.is_empty() { said() } else { refusal.words.clone() };
        let words = if words.is_empty() { "the server gives no answer that GDAL understands".into() } else { words };
        Error::new(kind(&refusal).unwrap_or(ErrorKind::Other), one_line(&url::masked(&words), 300))
    })
}

/// What kind of error lasts; `None` for what may pass.
fn kind(refusal: &Refusal) -> Option<ErrorKind> {
    let code = |codes: &[&str]| {
        let last = refusal.words.rsplit(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 3);
        refusal.words.contains("HTTP") && last.is_some_and(|last| codes.contains(&last))
    };
    let words = refusal.words.to_lowercase();
    match refusal.number {
        // VSIE_AWSBucketNotFound, VSIE_AWSObjectNotFound.
        7 | 8 => Some(ErrorKind::NotFound),
        // VSIE_AWSAccessDenied, VSIE_AWSInvalidCredentials, VSIE_AWSSignatureDoesNotMatch.
        9..=11 => Some(ErrorKind::PermissionDenied),
        _ if code(&["404", "410"]) => Some(ErrorKind::NotFound),
        _ if code(&["401", "403"]) => Some(ErrorKind::PermissionDenied),
        _ if ["expired", "credential", "forbidden", "denied", "aws_secret_access_key"]
            .iter()
            .any(|w| words.contains(w)) =>
        {
            Some(ErrorKind::PermissionDenied)
        }
        _ => None,
    }
}

/// A tag as a number: 0 where there is none. Lists write it without the quotes that headers have.
fn tag_number(tag: &str) -> i64 {
    let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
    if tag.is_empty() { 0 } else { (xxhash_rust::xxh3::xxh3_64(tag.as_bytes()) >> 1) as i64 }
}

fn stamp(size: u64, seconds: i64, tag: &str) -> FileStamp {
    FileStamp { size, modified_ns: seconds.saturating_mul(1_000_000_000), changed_ns: tag_number(tag) }
}

/// What headers say of an object.
fn stamp_of(headers: &[String]) -> Option<FileStamp> {
    let value = |name: &str| {
        let found = headers.iter().rev().filter_map(|h| h.split_once('='));
        found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    };
    // Of a part of the object, the length is behind the slash.
    let whole = value("content-range").and_then(|range| range.rsplit('/').next());
    let size = whole.or_else(|| value("content-length"))?.parse().ok()?;
    let time = value("last-modified").and_then(|text| httpdate::parse_http_date(text).ok());
    let seconds = time.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_secs());
    Some(stamp(size, i64::try_from(seconds).unwrap_or(0), value("etag").unwrap_or_default()))
}

/// Keeps facts. Where they are others than before, what GDAL keeps of the object is of the old one.
fn keep(url: PathBuf, facts: FileStamp) {
    let mut known = known();
    if known.facts.len() >= MOST {
        known.facts.clear();
    }
    if known.facts.insert(url.clone(), (Instant::now(), facts)).is_some_and(|(_, before)| before != facts) {
        forget(&url);
    }
}

impl Objects for GdalObjects {
    fn facts(&self, url: &Path) -> Result<FileStamp> {
        let name = name_of(url)?;
        if let Some((when, facts)) = known().facts.get(url)
            && when.elapsed() < KEPT
        {
            return Ok(*facts);
        }
        let headers = ask(|| vsi::headers(&name))?;
        let facts = stamp_of(&headers)
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "the server does not say how long it is"))?;
        keep(url.to_path_buf(), facts);
        Ok(facts)
    }

    fn forget(&self) {
        let mut known = known();
        for (when, _) in known.facts.values_mut() {
            // The facts stay, to be compared with.
            *when = when.checked_sub(KEPT).unwrap_or(*when);
        }
        known.names.clear();
    }

    fn list(&self, url: &Path, deep: bool) -> Result<Vec<Listed>> {
        let name = name_of(url)?;
        if !url::can_be_listed(&url.to_string_lossy()) {
            return Err(Error::new(ErrorKind::Unsupported, "web servers do not list what they have"));
        }
        let list = || -> Result<BTreeMap<String, Entry>> {
            vsi::forget(&name);
            let entries = ask(|| match vsi::list(&name, deep) {
                // Only a question for one object says why there is no list.
                Err(refusal) if refusal.words.is_empty() => Err(vsi::headers(&name).err().unwrap_or(refusal)),
                other => other,
            })?;
            Ok(entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect())
        };
        let found = list()?;
        // GDAL does not say where a page could not be had, and gives the ones before.
        if found.len() > PAGE && list()? != found {
            let problem = "two lists of it differ: objects come or go, or the server fails";
            return Err(Error::new(ErrorKind::Interrupted, problem));
        }
        let mut names: HashMap<PathBuf, Vec<String>> = HashMap::from([(url.to_path_buf(), Vec::new())]);
        let base = url.to_string_lossy();
        for entry in found.values() {
            let place = PathBuf::from(format!("{base}/{}", entry.name));
            if let (Some(folder), Some(file)) = (place.parent(), place.file_name()) {
                names.entry(folder.to_path_buf()).or_default().push(file.to_string_lossy().into_owned());
            }
            keep(place, stamp(entry.size, entry.modified, &entry.tag));
        }
        known().names.extend(names);
        Ok(found.into_values().map(|entry| Listed { name: entry.name, size: entry.size }).collect())
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>> {
        if !url::can_be_listed(&folder.to_string_lossy()) {
            return Ok(Vec::new());
        }
        if let Some(names) = known().names.get(folder) {
            return Ok(names.clone());
        }
        Ok(self.list(folder, false)?.into_iter().map(|listed| listed.name).collect())
    }

    fn read(&self, url: &Path, most: u64) -> Result<Vec<u8>> {
        let name = name_of(url)?;
        let length = self.facts(url)?.size;
        if length > most {
            let problem = format!("has {length} bytes, more than the {most} that such a file may have");
            return Err(Error::new(ErrorKind::FileTooLarge, problem));
        }
        ask(|| vsi::read(&name, most))
    }

    fn expect_sidecars(&self, url: &Path) {
        known().with_sidecars.insert(url.to_path_buf());
    }

    fn network(&self) -> Network {
        if !local::remote_allowed() {
            return Network::default();
        }
        let said: serde_json::Value = serde_json::from_str(&vsi::statistics()).unwrap_or_default();
        let methods = said["methods"].as_object().into_iter().flat_map(|methods| methods.values());
        let mut out = Network { waiting: WAITED.load(Ordering::Relaxed) as f64 * 1e-9, ..Network::default() };
        for method in methods {
            out.requests += method["count"].as_u64().unwrap_or(0);
            out.bytes += method["downloaded_bytes"].as_u64().unwrap_or(0);
        }
        out
    }
}

/// What GDAL's defaults lack for thousands of rasters behind a network. What the user has set stays. docs/remote.md explains each.
const DEFAULTS: [(&str, &str); 12] = [
    ("GDAL_HTTP_MAX_RETRY", "5"),
    ("GDAL_HTTP_RETRY_DELAY", "0.25"),
    ("GDAL_HTTP_RETRY_CODES", "429,500,502,503,504"),
    ("GDAL_HTTP_CONNECTTIMEOUT", "20"),
    ("GDAL_HTTP_LOW_SPEED_TIME", "30"),
    ("GDAL_HTTP_LOW_SPEED_LIMIT", "1000"),
    ("GDAL_HTTP_VERSION", "2TLS"),
    ("GDAL_HTTP_MULTIPLEX", "YES"),
    // The parallel way asks again for what is there, and does not try again.
    ("GDAL_HTTP_MULTIRANGE", "SERIAL"),
    ("CPL_VSIL_CURL_CHUNK_SIZE", "1048576"),
    ("CPL_VSIL_CURL_CACHE_SIZE", "33554432"),
    ("CPL_VSIL_NETWORK_STATS_ENABLED", "YES"),
];

/// Sets the defaults; once, where the network is allowed.
pub(super) fn set_defaults() {
    for (key, value) in DEFAULTS {
        if ::gdal::config::get_config_option(key, "").is_ok_and(|set| set.is_empty()) {
            let _ = ::gdal::config::set_config_option(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_from_headers() {
        let of = |headers: &[&str]| stamp_of(&headers.iter().map(ToString::to_string).collect::<Vec<_>>());
        let whole = of(&["Content-Length=100", "ETag=\"abc\"", "Last-Modified=Thu, 01 Jan 1970 00:00:10 GMT"]).unwrap();
        assert_eq!((whole.size, whole.modified_ns), (100, 10_000_000_000));
        let part = of(&["content-length=16", "content-range=bytes 0-15/100", "etag=W/\"abc\""]).unwrap();
        assert_eq!((part.size, part.modified_ns, part.changed_ns), (100, 0, whole.changed_ns));
        assert_eq!(stamp(100, 10, "abc"), whole);
        assert_eq!(of(&["content-length=1"]).unwrap().changed_ns, 0);
        assert_eq!(of(&["etag=x"]), None);
    }

    #[test]
    fn what_lasts_is_not_tried_again() {
        let refusal = |number, words: &str| kind(&Refusal { number, words: words.into() });
        assert_eq!(refusal(2, "HTTP response code: 404"), Some(ErrorKind::NotFound));
        assert_eq!(refusal(2, "HTTP response code on https://h/404: 503"), None);
        assert_eq!(refusal(2, "HTTP response code: 403"), Some(ErrorKind::PermissionDenied));
        assert_eq!(refusal(6, "The provided token has expired."), Some(ErrorKind::PermissionDenied));
        assert_eq!(refusal(8, "The specified key does not exist."), Some(ErrorKind::NotFound));
        assert_eq!(refusal(2, "CURL error: Connection reset by peer"), None);
    }
}
