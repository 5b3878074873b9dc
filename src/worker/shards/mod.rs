//! A plan cut into shards: pieces of a run for machines that share a folder, or that ship packs to one.
//!
//! A shard is a set of blocks with all that lies below them, so that no shard needs another one, and one last shard is the coarse top,
//! which needs all others. An engine (Slurm, Kubernetes, Dask, Batch) runs the shards; hypso cuts, makes and assembles.
//!
//! In a folder lie `plan.json` (what all shards have in common, and where the line of each begins) and `shards.jsonl`, a line for each
//! shard. Whoever makes a shard reads these two pieces and nothing that grows with the plan.

mod contents;
mod cut;
mod gather;
mod make;
mod trial;
mod upload;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::aggregate::Job;
use super::assemble::run_of;
use super::budget::{LargestBlock, Needs};
use super::identity::{Identity, first_finer};
use super::journal::Journal;
use super::protocol::{Finer, JobMessage};
use super::stale::Packs;
use crate::atomic::write_whole;
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::local;
use crate::plan::{Group, Step, Unit, ZoomRange};
use crate::progress::Progress;
use crate::render::{RasterOpener, Seen};
use crate::store::Store;
use crate::text::one_line;
use crate::url;

pub use contents::{FileContent, ShardRaster};
pub use gather::ShardStatus;
pub use make::{ShardOptions, ShardReport};

/// The value of the first member of the plan of a folder.
const FORMAT: &str = "hypso shards 2";
/// A longer plan or line is none, bytes.
const LARGEST: u64 = 1 << 30;
/// The most shards that a plan is cut into.
pub const MOST_SHARDS: u32 = 100_000;

/// What all shards have in common: `plan.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Common {
    format: String,
    identity: String,
    output: PathBuf,
    job: JobMessage,
    tile_size: u32,
    finer: Finer,
    largest_block: Option<(PathBuf, (u32, u32), u64)>,
    /// Finest first.
    groups: Vec<GroupNote>,
    /// The lines of `shards.jsonl`: where each begins, its length, and its XXH3.
    lines: Vec<(u64, u64, String)>,
    /// XXH3 of the rest, 16 hexadecimal digits.
    checksum: String,
}

/// A group without its units.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct GroupNote {
    zooms: [u8; 2],
    kept: bool,
    /// The zooms of each step and the zoom of its blocks, finest first.
    steps: Vec<[u8; 3]>,
}

/// A shard, as its line says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shard {
    /// Its number, from 0 on.
    pub number: u32,
    /// How many units it has.
    pub units: u64,
    /// How many tiles these have at most.
    pub tiles: u64,
    /// A guess of the processor time, seconds.
    pub cpu_seconds: f64,
    /// A guess of the memory of one worker and its coordinator, bytes.
    pub memory_bytes: u64,
    /// A guess of the packs, bytes.
    pub bytes_out: u64,
    /// The shards that have to be made before.
    pub needs: Vec<u32>,
    /// The rasters that it reads, so that an engine can bring them along.
    pub rasters: Vec<ShardRaster>,
    /// For each step of the plan, finest first: blocks and tiles of its units.
    steps: Vec<Vec<(String, u64)>>,
}

/// A folder with a plan that is cut into shards.
#[derive(Debug)]
pub struct ShardPlan {
    folder: PathBuf,
    common: Common,
}

impl Common {
    fn sum(&self) -> String {
        let Self { format, identity, output, job, tile_size, finer, largest_block, groups, lines, checksum: _ } = self;
        let all = (format, identity, output, job, tile_size, finer, largest_block, groups, lines);
        format!("{:016x}", checksum(&serde_json::to_vec(&all).unwrap_or_default()))
    }
}

fn zooms([min, max]: [u8; 2]) -> Result<ZoomRange> {
    ZoomRange::new(min, max)
}

fn plan_of(folder: &Path) -> PathBuf {
    folder.join("plan.json")
}

fn lines_of(folder: &Path) -> PathBuf {
    folder.join("shards.jsonl")
}

impl ShardPlan {
    /// Cuts the plan of a job into about so many shards and one for the coarse top, and writes them into a folder, which is made where it
    /// is missing. A plan of before is renewed; anything else of that name is left, and refused.
    ///
    /// # Errors
    /// Where the store has no file, or the folder can't be written.
    pub(super) fn write(
        job: &Job<'_>,
        count: u32,
        folder: &Path,
        opener: &dyn RasterOpener,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let run = Identity::new(job)?;
        let internal = |e: serde_json::Error| Error::internal(format!("the plan can't be written: {e}"));
        let (mut text, mut lines) = (Vec::new(), Vec::new());
        let (plan, shards) = cut::shards(job, count, opener, progress)?;
        for shard in shards {
            let line = serde_json::to_vec(&shard).map_err(internal)?;
            lines.push((text.len() as u64, line.len() as u64, format!("{:016x}", checksum(&line))));
            text.extend(line);
            text.push(b'\n');
        }
        let needs = Needs::of(job.store, job.plan)?;
        let group = |group: &Group| GroupNote {
            zooms: [group.zooms.min, group.zooms.max],
            kept: group.kept,
            steps: group.steps.iter().map(|step| [step.zooms.min, step.zooms.max, step.block_zoom]).collect(),
        };
        let mut common = Common {
            format: FORMAT.into(),
            job: run.message(job, None)?,
            identity: run.text,
            output: std::path::absolute(job.output()).map_err(Error::io("find", job.output()))?,
            tile_size: job.store.tile_size(),
            finer: first_finer(job)?,
            largest_block: needs.block.map(|block| (block.path, block.size, block.bytes)),
            groups: plan.groups.iter().map(group).collect(),
            lines,
            checksum: String::new(),
        };
        common.checksum = common.sum();
        std::fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        let renews = Self::renews(folder)?;
        // The plan comes last: lines without it are none.
        write_whole(&lines_of(folder), &text, renews)?;
        write_whole(&plan_of(folder), serde_json::to_string_pretty(&common).map_err(internal)?.as_bytes(), renews)?;
        Ok(Self { folder: folder.to_path_buf(), common })
    }

    /// True where a folder has a plan that is renewed. Anything else of its name is refused when the plan is written.
    ///
    /// # Errors
    /// Where it has a plan of another version: tasks of that version may be at work with it.
    fn renews(folder: &Path) -> Result<bool> {
        #[derive(Deserialize)]
        struct Start {
            format: String,
        }
        let Ok(text) = local::read(&plan_of(folder), LARGEST) else { return Ok(false) };
        let format = serde_json::from_slice(&text).map_or_else(|_| String::new(), |start: Start| start.format);
        if format == FORMAT || !format.starts_with("hypso shards ") {
            return Ok(Self::read(folder).is_ok());
        }
        let problem = format!("is of another version of hypso ({:?} instead of {FORMAT:?})", one_line(&format, 40));
        let remedy = "give another folder; or end the tasks that use this one, remove it, and write the plan again (`worker::ShardPlan`)";
        Err(Error::invalid("plan", problem, remedy).with_path(plan_of(folder)))
    }

    /// Opens a folder with a plan. Costs the same for a plan of any size, but for 40 bytes a shard.
    ///
    /// # Errors
    /// Where there is none, or it was altered or written by another version.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = plan_of(folder);
        let text = local::read(&path, LARGEST)?;
        let bad =
            |problem: String| Error::invalid("plan", problem, "write it again (`worker::ShardPlan`)").with_path(&path);
        let common: Common = serde_json::from_slice(&text).map_err(|e| bad(format!("can't be read: {e}")))?;
        if common.format != FORMAT {
            return Err(bad(format!("says {:?}, {FORMAT:?} was expected", one_line(&common.format, 40))));
        }
        if common.checksum != common.sum() {
            return Err(bad("was altered or damaged since it was written".into()));
        }
        Ok(Self { folder: folder.to_path_buf(), common })
    }

    /// How many shards there are, the coarse top among them.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.common.lines.len() as u32
    }

    /// False: a plan has a tile at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.common.lines.is_empty()
    }

    /// The archive that the shards are for, as this machine names it.
    #[must_use]
    pub fn output<'a>(&'a self, options: &'a ShardOptions) -> &'a Path {
        options.output.as_deref().unwrap_or(&self.common.output)
    }

    /// The store of the plan, as this machine names it.
    #[must_use]
    pub fn store<'a>(&'a self, options: &'a ShardOptions) -> &'a Path {
        options.store.as_deref().unwrap_or(&self.common.job.store)
    }

    /// A shard by its number. Reads its own line alone.
    ///
    /// # Errors
    /// Where there is none, or its line was altered.
    pub fn shard(&self, number: u32) -> Result<Shard> {
        let none = || Error::argument("shard", format!("there is no shard {number}; they are 0 to {}", self.len() - 1));
        let (begin, length, sum) = self.common.lines.get(number as usize).ok_or_else(none)?;
        let path = lines_of(&self.folder);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(*begin))?;
            let mut line = Vec::new();
            file.take(*length).read_to_end(&mut line)?;
            Ok(line)
        };
        self.parsed(&read().map_err(Error::io("read", &path))?, number, sum)
    }

    fn parsed(&self, line: &[u8], number: u32, sum: &str) -> Result<Shard> {
        let bad = |problem: &str| {
            let part = format!("shard {number}");
            Error::invalid(part, problem, "write the plan again (`worker::ShardPlan`)")
                .with_path(lines_of(&self.folder))
        };
        if format!("{:016x}", checksum(line)) != sum {
            return Err(bad("is not the one that plan.json names"));
        }
        serde_json::from_slice(line).map_err(|_| bad("can't be read"))
    }

    /// All shards, line by line.
    fn each(&self) -> Result<impl Iterator<Item = Result<Shard>> + '_> {
        let path = lines_of(&self.folder);
        let mut file = BufReader::new(File::open(&path).map_err(Error::io("read", &path))?);
        Ok(self.common.lines.iter().zip(0u32..).map(move |((_, length, sum), number)| {
            let mut line = Vec::new();
            file.by_ref().take(length + 1).read_until(b'\n', &mut line).map_err(Error::io("read", &path))?;
            line.pop();
            self.parsed(&line, number, sum)
        }))
    }

    /// The groups of the plan with the units of a shard.
    fn groups(&self, shard: &Shard) -> Result<Vec<Group>> {
        let mut steps = shard.steps.iter();
        let mut groups = Vec::new();
        for note in &self.common.groups {
            let mut group = Group { zooms: zooms(note.zooms)?, kept: note.kept, steps: Vec::new() };
            for &[min, max, block_zoom] in &note.steps {
                let range = zooms([min, max])?;
                let unit = |(block, tiles): &(String, u64)| Unit::new(block.parse()?, range, *tiles);
                let units = steps.next().into_iter().flatten().map(unit).collect::<Result<Vec<_>>>()?;
                group.steps.push(Step { zooms: range, block_zoom, units });
            }
            groups.push(group);
        }
        Ok(groups)
    }

    /// What a run asks of a worker.
    fn needs(&self) -> Needs {
        let block = self.common.largest_block.clone();
        Needs {
            tiles: super::tiles_in_work(self.common.tile_size, 4),
            block: block.map(|(path, size, bytes)| LargestBlock { path, size, bytes }),
        }
    }

    /// The message to workers, with the paths of this machine.
    fn message(&self, options: &ShardOptions) -> Result<JobMessage> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("find", path));
        let mut message = self.common.job.clone();
        if let Some(store) = &options.store {
            message.store = absolute(store)?;
        }
        if let Some(packs) = &options.packs {
            message.work = url::of(&packs.to_string_lossy()).map_or_else(|| absolute(packs), |url| Ok(url.into()))?;
        } else if let Some(output) = options.output.as_ref().filter(|output| !url::is_one(output)) {
            message.work = Journal::folder_of(&absolute(output)?, None);
        }
        let root = |(name, folder): &(String, PathBuf)| Ok((name.clone(), absolute(folder)?));
        message.roots = options.source_roots.iter().map(root).collect::<Result<_>>()?;
        message.seen = Seen::Anywhere;
        Ok(message)
    }

    fn open_store(&self, message: &JobMessage) -> Result<Store> {
        let store = Store::open(&message.store)?.with_roots(&message.roots)?;
        if store.fingerprint() == message.store_fingerprint {
            return Ok(store);
        }
        let problem = "is not the one that the plan was made for";
        let remedy = "write the plan again (`worker::ShardPlan`), or give the store of the plan";
        Err(Error::invalid("store", problem, remedy).with_path(&message.store))
    }

    /// True where every unit of a shard has its pack, whole and made from the rasters as they are.
    fn is_made(&self, shard: &Shard, message: &JobMessage, store: &Store) -> Result<bool> {
        let units = units_of(&self.groups(shard)?);
        let packs = Packs { work: &message.work, run: message.run, store, seen: message.seen, units };
        let mut made = true;
        packs.look(|_, report| {
            made = report.is_some();
            Ok(made)
        })?;
        Ok(made)
    }
}

fn units_of(groups: &[Group]) -> Vec<Unit> {
    groups.iter().flat_map(|group| &group.steps).flat_map(|step| &step.units).copied().collect()
}

/// True where the archive is there.
fn is_assembled(output: &Path, message: &JobMessage) -> bool {
    run_of(output).is_some_and(|run| run == format!("{:016x}", message.run))
}

/// Numbers as engines take them: `0-3,7,9-12`.
#[must_use]
pub fn as_ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |&(first, last): &(u32, u32)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_an_array_of_jobs() {
        assert_eq!(as_ranges(&[]), "");
        assert_eq!(as_ranges(&[3]), "3");
        assert_eq!(as_ranges(&[0, 1, 2, 7, 9, 10]), "0-2,7,9-10");
    }
}
