//! Room on the volumes that a run writes to.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Bytes that a user may still write on the volume of a path that exists or whose folder does.
///
/// # Errors
/// Where the system does not tell.
pub fn free_space(path: &Path) -> Result<u64> {
    let mut at = std::path::absolute(path).map_err(Error::io("find", path))?;
    while !at.exists() && at.pop() {}
    fs4::available_space(&at).map_err(Error::io("ask for the free space of", &at))
}

/// The volumes of a run, and how much stays free on each.
#[derive(Debug)]
pub(super) struct Volumes {
    paths: Vec<PathBuf>,
    /// Below this nothing new is begun.
    reserve: u64,
}

impl Volumes {
    pub(super) fn new(paths: Vec<PathBuf>, reserve: u64) -> Self {
        Self { paths, reserve }
    }

    /// The least that is free on one of them, bytes; `None` where the system does not tell.
    pub(super) fn free(&self) -> Option<u64> {
        self.paths.iter().filter_map(|p| free_space(p).ok()).min()
    }

    /// The volume that has less than the reserve, and what it has.
    pub(super) fn short(&self) -> Option<(&Path, u64)> {
        let free = self.paths.iter().filter_map(|p| Some((p.as_path(), free_space(p).ok()?)));
        free.filter(|(_, free)| *free < self.reserve).min_by_key(|(_, free)| *free)
    }

    /// Refuses a run that needs more than there is: `needs` are bytes for each path, those on one volume added up.
    ///
    /// # Errors
    /// Where it does not fit; the message names the volume and both numbers.
    pub(super) fn check(&self, needs: &[u64]) -> Result<()> {
        for (n, path) in self.paths.iter().enumerate() {
            let Ok(free) = free_space(path) else { continue };
            let together = self.paths.iter().zip(needs).filter(|(other, _)| same_volume(path, other));
            let needed = together.map(|(_, need)| need).sum::<u64>() + self.reserve;
            let first = self.paths[..n].iter().all(|other| !same_volume(path, other));
            if first && needed > free {
                let (needed, free) = (needed.div_ceil(1 << 20), free >> 20);
                let problem = format!(
                    "the volume of {} has {free} MB free, the run takes about {needed} MB at the most; make room, move the work \
                     files with `tmpdir`, or say `ignore_space` if you know better",
                    path.display()
                );
                return Err(Error::limit(problem));
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn same_volume(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| {
        let mut at = std::path::absolute(path).ok()?;
        while !at.exists() && at.pop() {}
        std::fs::metadata(&at).ok().map(|m| m.dev())
    };
    device(a) == device(b)
}

#[cfg(not(unix))]
fn same_volume(a: &Path, b: &Path) -> bool {
    let root = |path: &Path| {
        std::path::absolute(path).ok().and_then(|p| p.components().next().map(|c| c.as_os_str().to_owned()))
    };
    root(a) == root(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_on_one_volume_add_up_and_a_shortage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.pmtiles"), folder.path().join("b/work"));
        let free = free_space(&a).unwrap();
        assert!(free > 0);
        let volumes = Volumes::new(vec![a.clone(), b], 0);
        volumes.check(&[1000, 1000]).unwrap();
        let error = volumes.check(&[free / 3 * 2, free / 3 * 2]).unwrap_err().to_string();
        assert!(error.contains("a.pmtiles") && error.contains("`tmpdir`"), "{error}");
        assert!(volumes.short().is_none());
        let greedy = Volumes::new(vec![a.clone()], u64::MAX);
        assert_eq!(greedy.short().map(|s| s.0), Some(a.as_path()));
    }
}
