//! Writing lines: whole, one after the other, each tied to the one before.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::digest::Digest;
use super::{LONGEST, NOTHING, hash, head_of, read_head};
use crate::atomic::{AtomicFile, is_at};
use crate::error::{Error, Result};
use crate::events::facts::Facts;
use crate::events::run::{End, Run};

/// A log that lines are added to.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

/// What a line tells.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The command.
    pub run: &'a Run,
    /// How it ended.
    pub end: &'a End,
    /// What it read.
    pub inputs: &'a [Facts],
    /// What it wrote: where, and what is there now. No digest where it lies on a network, or can't be read.
    pub outputs: &'a [(PathBuf, Option<Digest>)],
}

impl Entry<'_> {
    fn value(&self) -> Value {
        let time = |at| humantime::format_rfc3339_millis(at).to_string();
        let input =
            |facts: &Facts| json!({"dataset": facts.dataset.uri(), "version": facts.version, "bytes": facts.bytes});
        let output = |(path, digest): &(PathBuf, Option<Digest>)| {
            let path = crate::url::masked(&path.to_string_lossy()).into_owned();
            json!({"path": path, "bytes": digest.as_ref().map(|d| d.bytes), "sha256": digest.as_ref().map(|d| &d.sha256)})
        };
        let now = SystemTime::now();
        let folder = std::env::current_dir().ok().map(|folder| folder.to_string_lossy().into_owned());
        json!({
            "time": time(now),
            "began": time(self.run.began),
            "run": self.run.id.as_str(),
            "user": whoami::username().ok(),
            "uid": user(),
            "host": whoami::hostname().ok(),
            "process": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "folder": folder,
            "command": self.run.command,
            "arguments": self.run.arguments,
            "inputs": self.inputs.iter().map(input).collect::<Vec<_>>(),
            "outputs": self.outputs.iter().map(output).collect::<Vec<_>>(),
            "result": self.end.word(),
            "exit_code": self.end.code(),
            "error": self.end.message(),
        })
    }
}

/// The number of the user that the process acts as.
fn user() -> Option<u32> {
    #[cfg(unix)]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    None
}

impl AuditLog {
    /// A log, which may not be there yet. Opens it, so that a command fails before its work where nothing can be noted.
    ///
    /// # Errors
    /// Where it can't be written, or is no file.
    pub fn open(path: &Path) -> Result<Self> {
        if path.metadata().is_ok_and(|facts| !facts.is_file()) {
            return Err(Error::argument(path.display().to_string(), "is no file; an audit log is one"));
        }
        let log = Self { path: path.to_path_buf() };
        log.file().map(|_| log)
    }

    fn file(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path).map_err(Error::io("open the audit log", &self.path))
    }

    /// Adds a line, behind those of all other processes. Waits for them for so long at most.
    ///
    /// # Errors
    /// Where it can't be written, or another process holds it all the time.
    pub fn append(&self, entry: &Entry<'_>, patience: Duration) -> Result<()> {
        self.append_value(entry.value(), patience)
    }

    pub(super) fn append_value(&self, mut value: Value, patience: Duration) -> Result<()> {
        let mut file = self.locked(patience)?;
        let failed = || Error::io("write the audit log", &self.path);
        let (last, whole) = last_line(&mut file).map_err(failed())?;
        // A file that begins anew, because the old one was put elsewhere, goes on where that ended.
        let head = read_head(&self.path);
        let before = match &last {
            Some(line) => {
                let noted = || head.as_ref().map_or(0, |(number, _)| *number);
                Some((number_of(line).unwrap_or_else(noted), hash(line)))
            }
            None => head,
        };
        let number = before.as_ref().map_or(0, |(number, _)| *number) + 1;
        value["number"] = number.into();
        value["previous"] = before.map_or(NOTHING.to_owned(), |(_, hash)| hash).into();
        let text = value.to_string();
        // What a program that was killed wrote in part stays as a line of its own.
        let start = if whole { "" } else { "\n" };
        file.write_all(format!("{start}{text}\n").as_bytes()).map_err(failed())?;
        file.sync_data().map_err(failed())?;
        // Where the folder can't be written, there is no head, and a cut tail does not show.
        if let Err(error) = self.write_head(number, &hash(text.as_bytes())) {
            tracing::warn!("the head of the audit log can't be written: {error:#}");
        }
        Ok(())
    }

    /// The file, held by this process alone.
    fn locked(&self, patience: Duration) -> Result<File> {
        let until = Instant::now() + patience;
        loop {
            let file = self.file()?;
            match file.try_lock() {
                // It may have been put elsewhere meanwhile.
                Ok(()) if is_at(&file, &resolved(&self.path)) => return Ok(file),
                Ok(()) => {}
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock the audit log", &self.path)(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    let problem = "is held by another process all the time; end that one, and run the command again";
                    return Err(Error::busy(&self.path, problem));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn write_head(&self, number: u64, hash: &str) -> Result<()> {
        let path = head_of(&self.path);
        let mut file = AtomicFile::create(&path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let _ = file.file().set_permissions(std::fs::Permissions::from_mode(0o600));
        }
        writeln!(file.file(), "{number} {hash}").map_err(Error::io("write", &path))?;
        file.commit()
    }
}

fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The number of a line, unless it is damaged.
fn number_of(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(line).ok()?["number"].as_u64()
}

/// The last line, without its end, and whether it has one. A line that is longer than ours counts from where we look.
fn last_line(file: &mut File) -> std::io::Result<(Option<Vec<u8>>, bool)> {
    const STEP: u64 = 64 << 10;
    let length = file.metadata()?.len();
    let mut tail: Vec<u8> = Vec::new();
    let mut at = length;
    loop {
        let whole = tail.last().is_none_or(|&last| last == b'\n');
        let body = tail.strip_suffix(b"\n").unwrap_or(&tail);
        let start = body.iter().rposition(|&byte| byte == b'\n');
        if let Some(start) = start {
            return Ok((Some(body[start + 1..].to_vec()), whole));
        }
        if at == 0 || tail.len() as u64 > LONGEST {
            return Ok(((!body.is_empty()).then(|| body.to_vec()), whole));
        }
        let from = at.saturating_sub(STEP);
        let mut block = vec![0; (at - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut block)?;
        block.append(&mut tail);
        (tail, at) = (block, from);
    }
}
