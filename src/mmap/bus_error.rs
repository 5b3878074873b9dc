//! What the program says where a mapped file is cut or overwritten below it, before it ends.
//!
//! The system sends `SIGBUS` to a process that touches a mapped page which its file no longer has. Nothing can be mended
//! then, but the file can be named. Only the program asks for this ([`explain`]); a library leaves signals to its process.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Files that are named at most. Commands map a few; what comes later is spoken of without its name.
const FILES: usize = 64;

/// A mapped file, for the handler of the signal: written once, and read without a lock.
#[derive(Debug)]
struct Entry {
    start: usize,
    end: usize,
    message: String,
    /// False once the file is no longer mapped.
    mapped: AtomicBool,
}

static ENTRIES: [OnceLock<Entry>; FILES] = [const { OnceLock::new() }; FILES];
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// True once the handler is in place; before, names are not kept.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Keeps the name of a mapped file until it is dropped.
#[derive(Debug)]
pub(crate) struct Named(Option<&'static Entry>);

impl Named {
    pub(super) fn new(map: &[u8], path: &Path) -> Self {
        if !ASKED.load(Ordering::Relaxed) {
            return Self(None);
        }
        let start = map.as_ptr() as usize;
        let entry = Entry { start, end: start + map.len(), message: message(path), mapped: AtomicBool::new(true) };
        let slot = ENTRIES.get(NEXT.fetch_add(1, Ordering::Relaxed));
        Self(slot.map(|slot| slot.get_or_init(|| entry)))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(entry) = self.0 {
            entry.mapped.store(false, Ordering::Release);
        }
    }
}

const RULE: &str = "was cut or written into while it was in use. A file in use is replaced by renaming a new one over it, never \
                    by copying onto it; make it again and run the same command again\n";

fn message(path: &Path) -> String {
    format!("error: {}: {RULE}", crate::text::one_line(&path.display().to_string(), 300))
}

/// From now on a `SIGBUS` ends the process with this exit code, after a message that names the file and the rule.
pub(crate) fn explain(code: i32) {
    if ASKED.swap(true, Ordering::Relaxed) {
        return;
    }
    let end = move |info: &libc::siginfo_t| {
        // SAFETY: the system fills in the address for this signal; no other field of the union is read.
        let address = unsafe { info.si_addr() } as usize;
        let known = ENTRIES.iter().filter_map(OnceLock::get);
        let mut known = known.filter(|e| e.mapped.load(Ordering::Acquire) && (e.start..e.end).contains(&address));
        let text =
            known.next().map_or("error: a mapped file was cut or written into while it was in use\n", |e| &e.message);
        // SAFETY: both calls are allowed in a handler of signals (POSIX, async-signal-safe functions); the buffer is alive.
        unsafe {
            libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
            libc::_exit(code);
        }
    };
    // SAFETY: the action takes no lock, allocates nothing and does not return; it reads what was published by
    // `OnceLock` and atomics, and calls two functions that are allowed in a handler.
    let _ = unsafe { signal_hook_registry::register_sigaction(libc::SIGBUS, end) };
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::mmap::Mapped;

    /// Says to this program that it is the process that ends.
    const CHILD: &str = "HYPSO_TEST_CUT_FILE";

    #[test]
    fn a_process_whose_file_is_cut_names_it_and_the_rule() {
        if let Some(path) = std::env::var_os(CHILD) {
            super::explain(5);
            let (map, _) = Mapped::open(path.as_ref(), |_| Ok(())).unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
            std::process::exit(i32::from(map.as_ref()[9000] == 1));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("japan.hypso");
        std::fs::write(&path, vec![1; 12_000]).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        let name = "mmap::bus_error::tests::a_process_whose_file_is_cut_names_it_and_the_rule";
        let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, &path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("japan.hypso: was cut or written into") && said.contains("renaming"), "{said}");
    }
}
