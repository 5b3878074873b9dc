//! GDAL's virtual file systems: calls that the crate does not wrap. Names are GDAL's own.
#![allow(unsafe_code, reason = "calls of a C library; each block argues its case")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use gdal_sys::{
    CSLDestroy, VSICloseDir, VSICurlPartialClearCache, VSIFree, VSIGetFileMetadata, VSIGetNextDirEntry, VSIIngestFile,
    VSINetworkStatsGetAsSerializedJSON, VSIOpenDir,
};

// cpl_vsi_error.h, which gdal-sys leaves out. There since GDAL 2.1.
// SAFETY: the signatures are those of that header.
unsafe extern "C" {
    fn VSIErrorReset();
    fn VSIGetLastErrorNo() -> c_int;
    fn VSIGetLastErrorMsg() -> *const c_char;
}

/// Why a call failed: GDAL's number (`VSIE_...`; 0 where it has none), and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) number: i32,
    pub(super) words: String,
}

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    /// Seconds since 1970.
    pub(super) modified: i64,
    /// As the server writes it; empty where it has none.
    pub(super) tag: String,
}

/// What `st_mode` says of a folder.
const FOLDER: c_int = 0o040_000;

fn c_name(name: &str) -> Result<CString, Refusal> {
    CString::new(name).map_err(|_| Refusal { number: 0, words: "its name has a zero byte".into() })
}

/// The text at a pointer that GDAL gave; empty for none.
///
/// # Safety
/// It is null, or leads to a text that ends with a zero byte and lives during the call.
unsafe fn text(at: *const c_char) -> String {
    // SAFETY: as the caller promises.
    if at.is_null() { String::new() } else { unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned() }
}

/// The texts of a list of GDAL's.
///
/// # Safety
/// It is null, or an array of texts that ends with a null pointer, and lives during the call.
unsafe fn texts(list: *const *mut c_char) -> Vec<String> {
    let mut out = Vec::new();
    if !list.is_null() {
        // SAFETY: nothing is read behind the null at the end of the array.
        unsafe {
            while !(*list.add(out.len())).is_null() {
                out.push(text(*list.add(out.len())));
            }
        }
    }
    out
}

/// The last error of this thread's calls.
fn refusal() -> Refusal {
    // SAFETY: both read what belongs to the thread; the text lives until the next call.
    unsafe { Refusal { number: VSIGetLastErrorNo(), words: text(VSIGetLastErrorMsg()) } }
}

/// The headers that a server sends for an object, `name=value`. Always asks the server.
pub(super) fn headers(name: &str) -> Result<Vec<String>, Refusal> {
    let name = c_name(name)?;
    // SAFETY: the names live during the call, and GDAL keeps neither. The list is ours: it is read, and freed once.
    let found = unsafe {
        VSIErrorReset();
        let list = VSIGetFileMetadata(name.as_ptr(), c"HEADERS".as_ptr(), ptr::null_mut());
        let found = texts(list);
        CSLDestroy(list);
        found
    };
    if found.is_empty() { Err(refusal()) } else { Ok(found) }
}

/// The files below a folder, with `deep` those of its folders too.
pub(super) fn list(name: &str, deep: bool) -> Result<Vec<Entry>, Refusal> {
    let name = c_name(name)?;
    let mut out = Vec::new();
    // SAFETY: the name lives during the call. The handle is used by this thread alone, and closed once. An entry lives until the next call with
    // its handle, and is copied before.
    unsafe {
        VSIErrorReset();
        let folder = VSIOpenDir(name.as_ptr(), if deep { -1 } else { 0 }, ptr::null());
        if folder.is_null() {
            return Err(refusal());
        }
        while let Some(entry) = VSIGetNextDirEntry(folder).as_ref() {
            if entry.nMode & FOLDER == 0 {
                let extra = texts(entry.papszExtra);
                let tag = extra.iter().find_map(|text| text.strip_prefix("ETag=")).unwrap_or_default();
                out.push(Entry {
                    name: text(entry.pszName),
                    size: entry.nSize,
                    modified: entry.nMTime,
                    tag: tag.to_string(),
                });
            }
        }
        VSICloseDir(folder);
    }
    Ok(out)
}

/// All of a file, of `most` bytes at most.
pub(super) fn read(name: &str, most: u64) -> Result<Vec<u8>, Refusal> {
    let name = c_name(name)?;
    let (mut bytes, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the name and both places live during the call. Where it succeeds, the bytes are ours, as many as it says; they are copied, and
    // freed once.
    unsafe {
        VSIErrorReset();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        if VSIIngestFile(ptr::null_mut(), name.as_ptr(), &raw mut bytes, &raw mut length, most) == 0 || bytes.is_null()
        {
            return Err(refusal());
        }
        let length = usize::try_from(length).unwrap_or(0);
        let copy = std::slice::from_raw_parts(bytes, length).to_vec();
        VSIFree(bytes.cast());
        Ok(copy)
    }
}

/// Forgets what is kept of the objects whose names begin so.
pub(super) fn forget(name: &str) {
    if let Ok(name) = c_name(name) {
        // SAFETY: the name lives during the call.
        unsafe { VSICurlPartialClearCache(name.as_ptr()) }
    }
}

/// What this process asked of networks, as JSON.
pub(super) fn statistics() -> String {
    // SAFETY: the text is ours; it is copied, and freed once.
    unsafe {
        let json = VSINetworkStatsGetAsSerializedJSON(ptr::null_mut());
        let copy = text(json);
        VSIFree(json.cast());
        copy
    }
}
