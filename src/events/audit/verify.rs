//! Going over a log: is every line tied to the one before?

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{LONGEST, NOTHING, hash, read_head};
use crate::error::{Error, Result};

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1 on; the number behind the last one where lines are missing there.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that are entries.
    pub entries: u64,
    /// The number and the hash of the last one.
    pub head: Option<(u64, String)>,
    /// What is wrong, in the order of the lines; the first hundred.
    pub problems: Vec<Problem>,
    /// Further problems, which are not listed.
    pub more: u64,
    /// What can't be told.
    pub notes: Vec<String>,
}

/// Problems that are listed at most.
const LISTED: usize = 100;

impl Report {
    fn wrong(&mut self, path: &Path, line: u64, problem: String) {
        if self.problems.len() < LISTED {
            self.problems.push(Problem { path: path.to_path_buf(), line, problem });
        } else {
            self.more += 1;
        }
    }
}

/// Reads logs, the oldest first where one is the continuation of another. `known` is the hash of a line, kept elsewhere, that must be
/// among them.
///
/// # Errors
/// Where a file can't be read.
pub fn verify(paths: &[PathBuf], known: Option<&str>) -> Result<Report> {
    let mut report = Report::default();
    let mut walk = Walk { known: known.map(|hash| hash.trim().to_lowercase()), ..Walk::default() };
    for path in paths {
        walk.file(path, &mut report)?;
    }
    if let Some(path) = paths.last() {
        walk.end(path, &mut report);
    }
    Ok(report)
}

#[derive(Default)]
struct Walk {
    /// The number and the hash of the line before.
    before: Option<(u64, String)>,
    /// The number of the line in its file.
    line: u64,
    known: Option<String>,
    found: bool,
    /// What the head of the file names, and whether a line has that hash.
    head: Option<(u64, String)>,
    head_found: bool,
}

impl Walk {
    fn file(&mut self, path: &Path, report: &mut Report) -> Result<()> {
        let failed = || Error::io("read", path);
        if crate::local::input(path)?.is_dir() {
            return Err(Error::argument(path.display().to_string(), "is a folder; name an audit log"));
        }
        let mut file = BufReader::new(File::open(path).map_err(failed())?);
        (self.head, self.head_found) = (read_head(path), false);
        self.line = 0;
        loop {
            let mut bytes = Vec::new();
            let count = file.by_ref().take(LONGEST).read_until(b'\n', &mut bytes).map_err(failed())?;
            if count == 0 {
                return Ok(());
            }
            self.line += 1;
            let whole = bytes.pop_if(|last| *last == b'\n').is_some();
            self.take(path, &bytes, whole, report);
        }
    }

    fn take(&mut self, path: &Path, bytes: &[u8], whole: bool, report: &mut Report) {
        let hash = hash(bytes);
        self.found |= self.known.as_ref() == Some(&hash);
        self.head_found |= self.head.as_ref().is_some_and(|(_, head)| *head == hash);
        let line = self.line;
        let mut wrong = |problem: String| report.wrong(path, line, problem);
        let entry = serde_json::from_slice::<Value>(bytes).ok();
        let fields = entry.as_ref().and_then(|e| Some((e["number"].as_u64()?, e["previous"].as_str()?)));
        let Some((number, previous)) = fields else {
            let why = if whole { "is no entry: it was altered, or cut while it was written" } else { "is cut" };
            wrong(why.to_owned());
            let number = self.before.as_ref().map_or(0, |(number, _)| *number);
            self.before = Some((number, hash));
            return;
        };
        match &self.before {
            None if number == 1 && previous == NOTHING => {}
            None => wrong(format!(
                "is entry {number}: the log begins with an earlier one. Where it was rotated, name the earlier files before this one; else \
                 its beginning was removed"
            )),
            Some((before, expected)) if expected != previous => match number.checked_sub(*before) {
                Some(2..) => wrong(format!("is entry {number}, after {before}: what stood between was removed")),
                _ => wrong(format!(
                    "does not go with the line before (entry {before}): one of the two was altered, moved or added"
                )),
            },
            // After a damaged line numbers begin anew.
            Some(_) => {}
        }
        report.entries += 1;
        report.head = Some((number, hash.clone()));
        self.before = Some((number, hash));
    }

    fn end(&self, path: &Path, report: &mut Report) {
        let line = self.line + 1;
        let mut wrong = |problem: String| report.wrong(path, line, problem);
        match &self.head {
            _ if self.head_found => {}
            Some((number, _)) if self.before.as_ref().is_none_or(|(last, _)| last < number) => {
                let last = self.before.as_ref().map_or(0, |(last, _)| *last);
                wrong(format!(
                    "entries {} to {number} are missing at the end: {}.head names entry {number}",
                    last + 1,
                    path.display()
                ));
            }
            Some((number, _)) => {
                wrong(format!("entry {number} is not what it was: {}.head names another hash of it", path.display()))
            }
            None => report.notes.push(format!(
                "{}.head is missing: a last line that was altered, and lines that were cut at the end, do not show",
                path.display()
            )),
        }
        if let Some(known) = self.known.as_ref().filter(|_| !self.found) {
            let shown = known.get(..16).unwrap_or(known);
            let problem = format!(
                "no line has the hash {shown}…, which was kept elsewhere: lines before it were altered or removed"
            );
            report.wrong(path, line, problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::log::AuditLog;
    use super::super::{head_of, read_head};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn log(path: &Path, count: u32) {
        let log = AuditLog::open(path).unwrap();
        (0..count).for_each(|n| log.append_value(json!({"command": "build", "n": n}), PATIENCE).unwrap());
    }

    fn problems(path: &Path) -> Vec<(u64, String)> {
        let found = verify(&[path.to_path_buf()], None).unwrap();
        found.problems.into_iter().map(|problem| (problem.line, problem.problem)).collect()
    }

    #[test]
    fn every_change_of_a_line_shows_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        log(&path, 6);
        assert_eq!(problems(&path), []);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let with = |lines: &[&str]| {
            std::fs::write(&path, lines.iter().flat_map(|line| [*line, "\n"]).collect::<String>()).unwrap();
            problems(&path)
        };
        for n in 0..6 {
            let altered = lines[n].replace("build", "guild");
            let mut all = lines.clone();
            all[n] = &altered;
            let found = with(&all);
            assert_eq!(found.len(), 1, "{n}: {found:?}");
            assert_eq!(found[0].0, n as u64 + 2, "{found:?}");
            let mut all = lines.clone();
            all.remove(n);
            let found = with(&all);
            assert_eq!(found.len(), 1, "{n}: {found:?}");
            let words = ["begins with", "removed", "removed", "removed", "removed", "missing at the end"];
            assert!(found[0].1.contains(words[n]), "{n}: {found:?}");
        }
        assert!(with(&lines[..2])[0].1.contains("entries 3 to 6 are missing"));
        assert!(with(&[])[0].1.contains("entries 1 to 6 are missing"));
        let found = with(&[lines[0], lines[2], lines[1], lines[3], lines[4], lines[5]]);
        assert!(found.len() >= 2, "{found:?}");
        let mut twice = lines.clone();
        twice.insert(3, lines[2]);
        assert_eq!(with(&twice).len(), 1);
        assert_eq!(with(&lines), []);
    }

    #[test]
    fn what_was_kept_elsewhere_shows_a_log_that_was_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        log(&path, 4);
        let kept = read_head(&path).unwrap().1;
        log(&path, 2);
        let paths = [path.clone()];
        assert_eq!(verify(&paths, Some(&kept)).unwrap().problems, []);
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(head_of(&path)).unwrap();
        let anew = AuditLog::open(&path).unwrap();
        (0..6).for_each(|n| anew.append_value(json!({"command": "merge", "n": n}), PATIENCE).unwrap());
        assert_eq!(problems(&path), []);
        let found = verify(&paths, Some(&kept)).unwrap();
        assert!(found.problems[0].problem.contains("kept elsewhere"), "{found:?}");
        // Without the head the tail can be cut, and that is said.
        std::fs::remove_file(head_of(&path)).unwrap();
        let found = verify(&paths, None).unwrap();
        assert!(found.problems.is_empty() && found.notes[0].contains("do not show"), "{found:?}");
    }

    #[test]
    fn a_rotated_log_goes_on_and_both_parts_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
        log(&path, 3);
        std::fs::rename(&path, &old).unwrap();
        log(&path, 2);
        let found = verify(&[old, path.clone()], None).unwrap();
        assert_eq!((found.problems.as_slice(), found.entries, found.head.unwrap().0), (&[][..], 5, 5));
        assert!(problems(&path)[0].1.contains("name the earlier files"));
    }

    #[test]
    fn a_line_that_was_cut_while_it_was_written_stays_and_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        log(&path, 2);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"{\"command\":").unwrap();
        log(&path, 2);
        let found = problems(&path);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == 3 && found[0].1.contains("no entry"), "{found:?}");
    }

    #[test]
    fn lines_of_many_writers_are_whole_and_tied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| log(&path, 20));
            }
        });
        assert_eq!(problems(&path), []);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 160);
        assert!(AuditLog::open(folder.path()).is_err());
        assert!(AuditLog::open(&folder.path().join("no/such")).is_err());
    }
}
