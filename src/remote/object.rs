//! An object that is read by ranges.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStoreExt};

use super::place::Place;
use super::{fault, wait};
use crate::error::{Error, Result};

/// How much the first request asks for, bytes: of most archives header, root directory and metadata.
const HEAD: u64 = 64 << 10;
/// Requests that are under way at once.
const AT_ONCE: usize = 8;
/// How often an answer that was cut is asked for again, where the store's own tries did not help.
const AGAIN: usize = 2;

/// An object at a URL. Every answer is known to be of the version that was opened.
#[derive(Debug)]
pub(crate) struct Object {
    place: Place,
    version: Version,
    requests: AtomicU64,
    received: AtomicU64,
    /// Parts that were fetched before they are needed.
    held: Mutex<Vec<(u64, Bytes)>>,
}

/// What tells two versions of an object apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    size: u64,
    etag: Option<String>,
    modified: i64,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        Self { size: meta.size, etag: meta.e_tag.clone(), modified: meta.last_modified.timestamp() }
    }

    /// True where an answer is of this version. Servers that send no ETag are told apart by size and time.
    fn is(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(a), Some(b)) => a == b && self.size == other.size,
            _ => self.size == other.size && self.modified == other.modified,
        }
    }

    /// A number that differs where versions do, but for chance.
    #[cfg(feature = "serve")]
    fn number(&self) -> u64 {
        let time = if self.etag.is_some() { 0 } else { self.modified };
        let text = format!("{} {time} {}", self.size, self.etag.as_deref().unwrap_or_default());
        crate::format::checksum::checksum(text.as_bytes())
    }

    /// The tag for `If-Match`, which compares strongly: a weak one never matches.
    fn strong(&self) -> Option<String> {
        self.etag.clone().filter(|tag| !tag.starts_with("W/"))
    }
}

#[cfg(feature = "serve")]
impl Place {
    /// Which version of the object there is now, a number for it, and its length. One request.
    ///
    /// # Errors
    /// Where there is none, or the server refuses to tell.
    pub(crate) fn version(&self) -> Result<(u64, u64)> {
        let place = self.clone();
        wait::wait(async move {
            let meta = place.store.head(&place.key).await;
            let version = Version::of(&meta.map_err(|answer| fault::of(&answer, &place.name, fault::READ))?);
            Ok((version.number(), version.size))
        })
    }
}

impl Object {
    /// Asks for the beginning of an object, and so for its size and version.
    ///
    /// # Errors
    /// Where there is none, it is empty, the server refuses it or sends whole files only.
    pub(crate) fn open(place: Place) -> Result<Self> {
        let (version, head) = wait::wait(first(place.clone()))?;
        let received = head.len() as u64;
        Ok(Self {
            place,
            version,
            requests: AtomicU64::new(1),
            received: AtomicU64::new(received),
            held: Mutex::new(vec![(0, head)]),
        })
    }

    /// As [`open`](Self::open), with the object's last bytes instead of its first, up to `length` of them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_end(place: Place, length: u64) -> Result<Self> {
        let (version, end) = wait::wait(last(place.clone(), length))?;
        let received = end.len() as u64;
        let held = Mutex::new(vec![(version.size - received, end)]);
        Ok(Self { place, version, requests: AtomicU64::new(1), received: AtomicU64::new(received), held })
    }

    /// The URL as it may be shown.
    pub(crate) fn name(&self) -> &str {
        self.place.name()
    }

    /// The size of the object, bytes.
    pub(crate) fn len(&self) -> u64 {
        self.version.size
    }

    /// How many requests were made so far, those that were repeated once, and how many bytes came.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Bytes of the object: those that are held, else by one request.
    ///
    /// # Errors
    /// Where the server fails, or the object is another one now.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if let Some(held) = self.held(&range) {
            return Ok(held);
        }
        let mut parts = self.fetch(vec![range])?;
        parts.pop().ok_or_else(|| Error::internal("an answer is missing"))
    }

    /// The bytes of a range that was fetched before and is still held.
    pub(crate) fn held(&self, range: &Range<u64>) -> Option<Bytes> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().find_map(|(start, bytes)| {
            let (from, to) = (range.start.checked_sub(*start)?, range.end.checked_sub(*start)?);
            (to <= bytes.len() as u64).then(|| bytes.slice(from as usize..to as usize))
        })
    }

    /// Fetches ranges that will be read soon, instead of those of the last call; the object's beginning stays. They are in
    /// ascending order, and what lies near together is asked for together.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn prefetch(&self, ranges: impl IntoIterator<Item = Range<u64>>, gap: u64) -> Result<()> {
        let (held, wanted): (Vec<_>, Vec<_>) = ranges.into_iter().partition(|range| self.held(range).is_some());
        let spans = join(wanted, gap);
        if spans.is_empty() {
            return Ok(());
        }
        let parts = self.fetch(spans.clone())?;
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = |start: u64, end: u64| held.iter().any(|range| start <= range.start && range.end <= end);
        all.retain(|(start, bytes)| *start == 0 || needed(*start, start + bytes.len() as u64));
        all.extend(spans.iter().map(|span| span.start).zip(parts));
        Ok(())
    }

    /// The bytes of several ranges, each by one request, some at a time.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn fetch(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        self.requests.fetch_add(ranges.len() as u64, Ordering::Relaxed);
        let (place, version) = (Arc::new(self.place.clone()), Arc::new(self.version.clone()));
        let parts = wait::wait(async move {
            let requests = ranges.into_iter().map(move |range| part(place.clone(), version.clone(), range));
            futures_util::stream::iter(requests).buffered(AT_ONCE).try_collect::<Vec<Bytes>>().await
        })?;
        self.received.fetch_add(parts.iter().map(|part| part.len() as u64).sum(), Ordering::Relaxed);
        Ok(parts)
    }
}

/// Ranges in ascending order, those that lie nearer than `gap` as one.
pub(crate) fn join(ranges: impl IntoIterator<Item = Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match spans.last_mut().filter(|last| range.start <= last.end.saturating_add(gap) && range.start >= last.start) {
            Some(last) => last.end = last.end.max(range.end),
            None => spans.push(range),
        }
    }
    spans
}

/// The beginning of an object, and what version it is.
async fn first(place: Place) -> Result<(Version, Bytes)> {
    repeated(&place, &GetRange::Bounded(0..HEAD), None).await
}

/// The end of an object, and what version it is. Azure has no requests for an end, so its size is asked for before.
async fn last(place: Place, length: u64) -> Result<(Version, Bytes)> {
    let answer = repeated(&place, &GetRange::Suffix(length), None).await;
    if !matches!(&answer, Err(Error::Remote { remedy, .. }) if *remedy == fault::WITHOUT_RANGES) {
        return answer;
    }
    let meta = place.store.head(&place.key).await.map_err(|answer| fault::of(&answer, &place.name, fault::READ))?;
    let range = GetRange::Bounded(meta.size.saturating_sub(length)..meta.size);
    repeated(&place, &range, Some(&Version::of(&meta))).await
}

/// A range of a version of an object.
async fn part(place: Arc<Place>, version: Arc<Version>, range: Range<u64>) -> Result<Bytes> {
    Ok(repeated(&place, &GetRange::Bounded(range), Some(&version)).await?.1)
}

/// An answer, asked for again where it broke off.
async fn repeated(place: &Place, range: &GetRange, expected: Option<&Version>) -> Result<(Version, Bytes)> {
    let mut tries = 0;
    loop {
        match get(place, range.clone(), expected).await {
            Ok(answer) => return Ok(answer),
            Err(Failure { broke_off: true, .. }) if tries < AGAIN => tries += 1,
            Err(failure) => return Err(failure.error),
        }
    }
}

struct Failure {
    error: Error,
    /// True where the answer was good as far as it came.
    broke_off: bool,
}

/// One answer. Its length is what the server announced, and no more than that is taken into memory.
async fn get(place: &Place, range: GetRange, expected: Option<&Version>) -> Result<(Version, Bytes), Failure> {
    let failed = |answer: object_store::Error, broke_off| {
        let error = fault::of(&answer, &place.name, fault::READ);
        Failure { error, broke_off }
    };
    let options =
        GetOptions { range: Some(range), if_match: expected.and_then(Version::strong), ..GetOptions::default() };
    let answer = place.store.get_opts(&place.key, options).await.map_err(|answer| failed(answer, false))?;
    let found = Version::of(&answer.meta);
    if expected.is_some_and(|expected| !expected.is(&found)) {
        return Err(Failure { error: fault::replaced(&place.name, fault::READ), broke_off: false });
    }
    let length = answer.range.end - answer.range.start;
    let mut bytes = Vec::with_capacity(length as usize);
    let mut stream = answer.into_stream();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|answer| failed(answer, true))?);
        if bytes.len() as u64 > length {
            break;
        }
    }
    if bytes.len() as u64 != length {
        return Err(Failure { error: fault::cut(&place.name, bytes.len() as u64, length), broke_off: true });
    }
    Ok((found, bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_lie_near_are_one() {
        assert_eq!(join([0..5, 5..9, 12..20, 24..30, 13..14], 2), vec![0..9, 12..20, 24..30, 13..14]);
        assert_eq!(join([0..5, 5..9, 12..20, 24..30], 4), vec![0..30]);
        assert!(join([], 9).is_empty());
    }
}
