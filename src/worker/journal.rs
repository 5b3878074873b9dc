//! The work folder of a run: who holds it, which run it belongs to, and what of it may go.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::pack::Pack;
use crate::error::{Error, Result};
use crate::plan::Unit;
use crate::render::UnitReport;

/// The work folder beside an output, locked by this process.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) folder: PathBuf,
    pub(super) run: u64,
    /// Held for as long as the run lasts; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Journal {
    /// The folder for an output: its name with `.work` behind it, beside it or in another folder.
    pub(super) fn folder_of(output: &Path, elsewhere: Option<&Path>) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".work");
        elsewhere.map_or_else(|| output.with_file_name(&name), |folder| folder.join(&name))
    }

    /// Takes hold of the work folder, makes it where it is missing, and goes on in it where it belongs to this run.
    ///
    /// # Errors
    /// Where another process holds it, or it belongs to another run and `discard` is not said.
    pub(super) fn open(folder: PathBuf, output: &Path, run: u64, identity: &str, discard: bool) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(Error::io("make", &folder))?;
        let path = folder.join("lock");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = file.map_err(Error::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let problem =
                    format!("another hypso (process {}) is making this output; wait for it or end it", holder.trim());
                return Err(Error::Other(format!("{}: {problem}", output.display())));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
        }
        lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).map_err(Error::io("write", &path))?;
        let journal = Self { folder, run, _lock: lock };
        journal.claim(identity, discard)?;
        Ok(journal)
    }

    /// True where the work folder of an output belongs to this run.
    pub(super) fn holds(folder: &Path, run: u64, identity: &str) -> bool {
        std::fs::read_to_string(folder.join("run.json")).is_ok_and(|found| found == note(run, identity))
    }

    /// True where a work folder is what a run, or an update that gives the same archive, left behind; also where it says
    /// nothing any more.
    pub(super) fn is_left_by(folder: &Path, identity: &str) -> bool {
        let Ok(found) = std::fs::read_to_string(folder.join("run.json")) else { return true };
        let Ok(found) = serde_json::from_str::<serde_json::Value>(&found) else { return false };
        let Ok(mine) = serde_json::from_str::<serde_json::Value>(identity) else { return false };
        let options = &found["options"];
        *options == mine || options["run"].as_str() == Some(identity)
    }

    /// Makes the work folder for single units, without holding it: packs appear whole, so that any number of
    /// processes may write some.
    ///
    /// # Errors
    /// Where it belongs to another run.
    pub(super) fn prepare(folder: &Path, run: u64, identity: &str) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        claim(folder, run, identity, || Ok(false))
    }

    fn claim(&self, identity: &str, discard: bool) -> Result<()> {
        claim(&self.folder, self.run, identity, || {
            if discard {
                self.clear_packs()?;
            }
            Ok(discard)
        })
    }
    fn clear_packs(&self) -> Result<()> {
        let packs = self.folder.join("packs");
        if packs.exists() { std::fs::remove_dir_all(&packs).map_err(Error::io("remove", &packs)) } else { Ok(()) }
    }

    /// What making the unit took, where its pack is there, whole, and of this run.
    pub(super) fn is_done(&self, unit: &Unit) -> Option<UnitReport> {
        Pack::open(&Pack::path_of(&self.folder, unit), self.run).ok().map(|pack| pack.report)
    }

    /// Removes the work folder after a finished run: only what a run puts there.
    pub(super) fn finish(self) -> Result<()> {
        self.clear_packs()?;
        for name in ["aside.json", "changes.hypso", "run.json", "lock"] {
            let path = self.folder.join(name);
            if path.exists() {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        // Anything else in it is not ours; the folder then stays.
        let _ = std::fs::remove_dir(&self.folder);
        Ok(())
    }
}

/// Enters a run into a work folder. `discard` drops what another run left there, and says whether it did.
fn claim(folder: &Path, run: u64, identity: &str, discard: impl FnOnce() -> Result<bool>) -> Result<()> {
    let path = folder.join("run.json");
    let mine = note(run, identity);
    match std::fs::read_to_string(&path) {
        Ok(found) if found == mine => return Ok(()),
        Ok(_) => {
            if !discard()? {
                let problem = "holds an unfinished run of another store, other options or another version; finish that one, or say --overwrite to drop it";
                return Err(Error::Other(format!("{}: {problem}", folder.display())));
            }
        }
        // Without the note, packs of whatever run are told apart by the fingerprint they carry.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io("read", &path)(e)),
    }
    let mut file = crate::atomic::AtomicFile::create(&path)?;
    file.file().write_all(mine.as_bytes()).map_err(Error::io("write", &path))?;
    file.commit()
}

/// What `run.json` says.
fn note(run: u64, identity: &str) -> String {
    format!("{{\"run\":\"{run:016x}\",\"options\":{identity}}}\n")
}
