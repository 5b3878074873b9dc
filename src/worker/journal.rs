//! The work folder of a run: which process holds it, which run it belongs to, and what in it may be removed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::by_hand::is_plan;
use super::pack::{self, Pack};
use crate::atomic::{
    AtomicFile, Swept, is_temporary, make_private_folder, remove_dead, remove_entries, sweep_files, tell,
};
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::plan::Unit;
use crate::progress::Progress;
use crate::render::UnitReport;
use crate::url;

/// What a run puts into its folder, beside packs.
const FILES: [&str; 4] = ["aside.json", "changes.hypso", "run.json", "lock"];

/// A longer note is not ours, bytes: a note holds the options, with the outline of an area.
const NOTE: u64 = 2 << 30;

/// What identifies a run, and the output that it is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) run: u64,
    /// JSON.
    pub(super) identity: &'a str,
    pub(super) output: &'a Path,
}

/// What `run.json` says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    #[serde(default)]
    run: String,
    /// The archive that the run makes.
    #[serde(default)]
    output: String,
    /// Rasters were changed meanwhile: the run can't come to an end with this store.
    #[serde(default)]
    outdated: bool,
    #[serde(default)]
    options: Value,
}

impl Note {
    fn of(claim: &Claim<'_>) -> Self {
        let options = serde_json::from_str(claim.identity).unwrap_or_default();
        let output = full(claim.output).to_string_lossy().into_owned();
        Self { run: format!("{:016x}", claim.run), output, outdated: false, options }
    }

    /// The note in a work folder; `None` where there is none.
    ///
    /// # Errors
    /// Where it can't be read, or is something else.
    fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("run.json");
        let Some(text) = pack::read_all(&path, NOTE)? else { return Ok(None) };
        let note: Option<Self> = serde_json::from_slice(&text).ok();
        note.filter(|note| !note.run.is_empty()).map(Some).ok_or_else(|| not_ours(&path))
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join("run.json");
        let text = serde_json::to_string(self).map_err(|e| Error::internal(format!("run.json: {e}")))?;
        if url::is_one(folder) {
            return pack::create(&path, text.into_bytes());
        }
        let mut file = AtomicFile::create(&path)?;
        writeln!(file.file(), "{text}").map_err(Error::io("write", &path))?;
        file.commit()
    }

    fn is_of(&self, claim: &Claim<'_>) -> bool {
        self.run == format!("{:016x}", claim.run)
    }

    /// True where the run would be the same one, were it not for what the store said of rasters that were changed.
    fn is_succeeded_by(&self, claim: &Claim<'_>) -> bool {
        let theirs = serde_json::from_str(claim.identity).unwrap_or_default();
        self.outdated && without_store(self.options.clone()) == without_store(theirs)
    }
}

/// The options of a run without what follows from the store.
fn without_store(mut options: Value) -> Value {
    if let Some(run) = options["run"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
        options["run"] = without_store(run);
    } else if let Some(job) = options.get_mut("job").and_then(Value::as_object_mut) {
        job.remove("store_fingerprint");
        job.remove("max_zoom");
    }
    options
}

/// Refuses a file under a name that a run would write to, and remove in the end, unless a run wrote it.
fn refuse_foreign(path: &Path, ours: impl FnOnce(&Path) -> bool) -> Result<()> {
    if path.symlink_metadata().is_err() || ours(path) {
        return Ok(());
    }
    Err(not_ours(path))
}

/// Refuses a work folder with links, pipes or devices under the names that a run uses. A run makes none. Another user of the folder
/// could make the run write elsewhere, or wait for ever.
fn refuse_links(folder: &Path) -> Result<()> {
    for name in FILES.into_iter().chain(["packs"]) {
        let path = folder.join(name);
        let is_ours = |facts: &std::fs::Metadata| if name == "packs" { facts.is_dir() } else { facts.is_file() };
        if path.symlink_metadata().is_ok_and(|facts| !is_ours(&facts)) {
            return Err(not_ours(&path));
        }
    }
    Ok(())
}

fn not_ours(path: &Path) -> Error {
    let remedy = "it was left as it is: move it away, or choose another folder with `tmpdir`";
    Error::invalid("work folder", "holds a file of this name that hypso did not write", remedy).with_path(path)
}

/// A path from the root, the folder without links; the same one for all ways to name it.
fn full(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = absolute.parent().and_then(|folder| folder.canonicalize().ok());
    folder.zip(absolute.file_name()).map_or(absolute.clone(), |(folder, name)| folder.join(name))
}

/// The work folder of an output, locked by this process.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) folder: PathBuf,
    /// What the packs lie below: the folder, or a place in a bucket.
    pub(super) packs: PathBuf,
    pub(super) run: u64,
    /// Held for as long as the run lasts; the system releases it when the process ends, however it ends.
    _lock: File,
}

impl Journal {
    /// The folder for an output: its name with `.work` behind it, beside it; in another folder, where outputs of one name meet,
    /// with a number that stands for its place.
    pub(super) fn folder_of(output: &Path, elsewhere: Option<&Path>) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        let Some(elsewhere) = elsewhere else {
            name.push(".work");
            return output.with_file_name(&name);
        };
        let place = checksum(full(output).as_os_str().as_encoded_bytes()) as u32;
        name.push(format!("-{place:08x}.work"));
        elsewhere.join(&name)
    }

    /// Takes hold of the work folder, makes it where it is missing, and continues in it where it belongs to this run. Removes what
    /// killed workers left.
    ///
    /// # Errors
    /// Where another process holds it, or it belongs to another run and `discard` is not said.
    pub(super) fn open(folder: PathBuf, claim: &Claim<'_>, discard: bool, progress: &dyn Progress) -> Result<Self> {
        make_private_folder(&folder)?;
        refuse_links(&folder)?;
        refuse_foreign(&folder.join("aside.json"), is_plan)?;
        refuse_foreign(&folder.join("changes.hypso"), crate::store::is_one)?;
        let path = folder.join("lock");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = file.map_err(Error::io("open", &path))?;
        let mut holder = String::new();
        let held = lock.try_lock();
        let said = (&mut lock).take(64).read_to_string(&mut holder);
        if said.is_err() || !holder.trim().bytes().all(|b| b.is_ascii_digit()) {
            return Err(not_ours(&path));
        }
        match held {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem =
                    format!("another hypso (process {}) is making this output; wait for it or end it", holder.trim());
                return Err(Error::busy(claim.output, problem));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
        }
        lock.set_len(0)
            .and_then(|()| lock.seek(SeekFrom::Start(0)))
            .and_then(|_| write!(lock, "{}", std::process::id()))
            .map_err(Error::io("write", &path))?;
        let journal = Self { packs: folder.clone(), folder, run: claim.run, _lock: lock };
        journal.sweep();
        match Note::read(&journal.folder)? {
            Some(found) if found.is_of(claim) => {
                if found.outdated {
                    Note::of(claim).write(&journal.folder)?;
                }
            }
            Some(found) => {
                if found.is_succeeded_by(claim) {
                    progress.note(&format!(
                        "{}: rasters were changed during the run before; all tiles are made anew",
                        claim.output.display()
                    ));
                } else if !discard {
                    return Err(taken(&journal.folder, &found, claim));
                }
                journal.clear_packs();
                Note::of(claim).write(&journal.folder)?;
            }
            // Without the note, packs of other runs are recognised by their fingerprint.
            None => Note::of(claim).write(&journal.folder)?,
        }
        Ok(journal)
    }

    /// True where a work folder is what a run, or an update that gives the same archive, left behind; also where it says
    /// nothing any more.
    pub(super) fn is_left_by(folder: &Path, identity: &str) -> bool {
        let Ok(found) = Note::read(folder) else { return false };
        let Some(found) = found else { return true };
        let Ok(mine) = serde_json::from_str::<Value>(identity) else { return false };
        found.options == mine || found.options["run"].as_str() == Some(identity)
    }

    /// True where the work folder belongs to this run.
    pub(super) fn holds(folder: &Path, claim: &Claim<'_>) -> bool {
        Note::read(folder).is_ok_and(|note| note.is_some_and(|note| note.is_of(claim)))
    }

    /// Makes the work folder for single units, without holding it: packs appear whole, so that any number of
    /// processes may write some. It may be a place in a bucket.
    ///
    /// # Errors
    /// Where it belongs to another run.
    pub(super) fn prepare(folder: &Path, claim: &Claim<'_>) -> Result<()> {
        pack::check_output(folder)?;
        if !url::is_one(folder) {
            make_private_folder(folder)?;
            refuse_links(folder)?;
        }
        if Self::belongs(folder, claim)? {
            return Ok(());
        }
        match Note::of(claim).write(folder) {
            // Another task has just made it.
            Err(Error::Exists { .. }) if Self::belongs(folder, claim)? => Ok(()),
            written => written,
        }
    }

    /// True where packs are those of this run; false where nobody has said whose they are.
    ///
    /// # Errors
    /// Where they belong to another run.
    pub(super) fn belongs(folder: &Path, claim: &Claim<'_>) -> Result<bool> {
        match Note::read(folder)? {
            Some(found) if found.is_of(claim) => Ok(true),
            Some(found) => {
                let of = if found.output.is_empty() { "another output" } else { &found.output };
                let problem =
                    format!("holds an unfinished run of {of} with other options, or of another store or version");
                Err(Error::busy(folder, problem + "; finish that one, or give another folder for packs (`packs`)"))
            }
            None => Ok(false),
        }
    }

    /// Removes the packs of these units from a bucket.
    pub(super) fn clear_bucket(packs: &Path, units: &[Unit]) -> Result<()> {
        pack::discard_all(units.iter().map(|unit| Pack::path_of(packs, unit)))
    }

    /// Removes the note of a run from a bucket.
    pub(super) fn clear_note(packs: &Path) -> Result<()> {
        pack::discard_all(std::iter::once(packs.join("run.json")))
    }

    /// Notes that rasters were changed, so that the run of another store may take its place.
    pub(super) fn mark_outdated(&self, claim: &Claim<'_>) {
        // Where it can't be written, the next run asks for --overwrite.
        let _ = Note { outdated: true, ..Note::of(claim) }.write(&self.folder);
    }

    /// What making the unit took, where its pack is there, whole, and of this run.
    pub(super) fn is_done(&self, unit: &Unit) -> Option<UnitReport> {
        Pack::open(&Pack::path_of(&self.packs, unit), self.run).ok().map(|pack| pack.report)
    }

    /// Removes the work folder after a finished run: only what a run puts there. All else stays, and so does the folder then.
    pub(super) fn finish(self, progress: &dyn Progress) -> Result<()> {
        self.sweep();
        let kept = self.clear_packs();
        for name in FILES {
            let path = self.folder.join(name);
            sweep_files(&path);
            if path.symlink_metadata().is_ok_and(|facts| facts.is_file()) {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        if let Some(kept) = kept {
            progress.note(&format!("{}: is in use, or not of this run; it was left as it is", kept.display()));
        }
        let _ = std::fs::remove_dir(&self.folder);
        Ok(())
    }

    /// Removes all packs of all runs. Gives the first thing in their folder that is no pack; it stays.
    fn clear_packs(&self) -> Option<PathBuf> {
        let packs = self.folder.join("packs");
        if packs.is_symlink() {
            return Some(packs);
        }
        if packs.exists() { remove_entries(&packs, &pack::owns).1 } else { None }
    }

    /// Removes what killed workers left of packs.
    fn sweep(&self) {
        let packs = self.folder.join("packs");
        let mut swept = Swept { target: packs.clone(), count: 0, bytes: 0 };
        let folders = |path: &Path| {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
        };
        for column in folders(&packs).flat_map(|step| folders(&step).collect::<Vec<_>>()) {
            for entry in std::fs::read_dir(column).into_iter().flatten().flatten() {
                let bytes = is_temporary(&entry.file_name()).then(|| remove_dead(&entry.path(), &|_, _| false));
                if let Some(bytes) = bytes.flatten() {
                    swept.count += 1;
                    swept.bytes += bytes;
                }
            }
        }
        tell(&swept);
    }
}

/// A work folder that another run is not finished with.
fn taken(folder: &Path, found: &Note, claim: &Claim<'_>) -> Error {
    let other = if found.output.is_empty() || Path::new(&found.output) == full(claim.output) {
        "this output, but of another store, other options or another version; finish that one, or say `overwrite` to drop it".into()
    } else {
        format!(
            "{} (run {}), or of what stood there once; finish that one, or choose another place with `tmpdir`; `overwrite` drops what it has made",
            found.output, found.run
        )
    };
    Error::busy(folder, format!("holds an unfinished run of {other}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn outputs_of_one_name_have_work_folders_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        ["a", "b", "tmp"].iter().for_each(|name| std::fs::create_dir(at(name)).unwrap());
        let place = |output: &str| Journal::folder_of(&at(output), Some(&at("tmp")));
        assert_ne!(place("a/x.pmtiles"), place("b/x.pmtiles"));
        assert_ne!(place("a/x.pmtiles"), place("a/x.mbtiles"));
        assert_eq!(place("a/x.pmtiles"), place("b/../a/x.pmtiles"));
        assert_eq!(Journal::folder_of(&at("a/x.pmtiles"), None), at("a/x.pmtiles.work"));
    }

    #[test]
    fn what_a_run_did_not_put_into_the_folder_stays() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("x.pmtiles.work");
        let output = temporary.path().join("x.pmtiles");
        let claim = Claim { run: 7, identity: "{}", output: &output };
        let open = || Journal::open(folder.clone(), &claim, true, &Silent);
        for foreign in
            ["packs/photographs/1.jpg", "packs/z0-3/0/notes.txt", "packs/z0-3/0/0_0_0.pack.bak", "letters.txt"]
        {
            let path = folder.join(foreign);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "mine").unwrap();
            std::fs::create_dir_all(folder.join("packs/z4-5/3")).unwrap();
            std::fs::write(folder.join("packs/z4-5/3/4_3_3.pack"), "x").unwrap();
            open().unwrap().finish(&Silent).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"mine");
            assert!(!folder.join("packs/z4-5").exists() && !folder.join("lock").exists());
            std::fs::remove_dir_all(&folder).unwrap();
        }
        for (name, text) in [
            ("lock", "my letters"),
            ("run.json", "not of hypso"),
            ("run.json", "{\"name\": \"mine\"}"),
            ("aside.json", "{}"),
            ("changes.hypso", "mine"),
        ] {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), text).unwrap();
            let error = open().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("did not write"), "{error}");
            assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), text);
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }

    #[test]
    fn only_a_run_whose_rasters_changed_gives_way() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("x.pmtiles.work");
        let output = temporary.path().join("x.pmtiles");
        let text = |store: u64| format!("{{\"version\":\"1\",\"job\":{{\"store_fingerprint\":{store},\"png\":true}}}}");
        let (old, new) = (text(1), text(2));
        let (old, new) =
            (Claim { run: 1, identity: &old, output: &output }, Claim { run: 2, identity: &new, output: &output });
        let open = |claim: &Claim<'_>| Journal::open(folder.clone(), claim, false, &Silent);
        let first = open(&old).unwrap();
        drop(first);
        let error = open(&new).unwrap_err().to_string();
        assert!(error.contains("unfinished run of this output"), "{error}");
        open(&old).unwrap().mark_outdated(&old);
        let other = Claim { run: 3, identity: "{\"version\":\"1\",\"job\":{\"png\":false}}", output: &output };
        assert!(open(&other).is_err());
        drop(open(&new).unwrap());
        assert!(open(&old).is_err());
        let elsewhere = temporary.path().join("y.pmtiles");
        let error = open(&Claim { output: &elsewhere, ..old }).unwrap_err().to_string();
        assert!(error.contains("x.pmtiles") && error.contains("`tmpdir`"), "{error}");
    }
}
