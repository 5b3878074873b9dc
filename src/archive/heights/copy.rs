//! Tiles of files of heights into another one, without images between.

use std::sync::Arc;

use super::HeightsReader;
use super::writer::{Done, HeightsWriter, hash_of};
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::{Located, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::heights::Packed;
use crate::progress::Progress;
use crate::terrain::NO_SOURCE;
use crate::tile::TileCoord;

/// Tiles that are packed in one piece of work.
const BATCH: usize = 16;

/// The sources of all inputs, each name once, and the numbers of each input's sources among them.
struct Sources {
    names: Vec<String>,
    numbers: Vec<Vec<u8>>,
}

impl Sources {
    /// `None` where no input tells sources.
    fn of(inputs: &[&HeightsReader]) -> Result<Option<Self>> {
        let mut all = Self { names: Vec::new(), numbers: Vec::new() };
        for input in inputs {
            let mut numbers = Vec::new();
            for name in input.heights().sources().map_err(|error| error.with_path(input.path()))? {
                let number = all.names.iter().position(|known| *known == name).unwrap_or(all.names.len());
                if number == all.names.len() {
                    all.names.push(name);
                }
                numbers.push(u8::try_from(number).ok().filter(|&number| number != NO_SOURCE).ok_or_else(|| {
                    let problem =
                        format!("have more than {NO_SOURCE} sources together, which is the most that one holds");
                    Error::Limit { problem: format!("the files of heights {problem}") }
                })?);
            }
            all.numbers.push(numbers);
        }
        Ok((!all.names.is_empty()).then_some(all))
    }

    /// The sources of a tile's pixels by their new numbers, packed.
    fn packed(&self, n: usize, input: &HeightsReader, tile: TileCoord, size: u32) -> Result<Packed> {
        let mut sources = Vec::new();
        if !input.heights().read_lineage(tile, &mut sources)? {
            sources.resize(size as usize * size as usize, NO_SOURCE);
        }
        let unknown = || Error::invalid("lineage", "has a source without a name", "the file is damaged: make it again");
        for source in sources.iter_mut().filter(|source| **source != NO_SOURCE) {
            *source = *self.numbers[n].get(usize::from(*source)).ok_or_else(unknown)?;
        }
        let valid: Vec<u8> = sources.iter().map(|&source| u8::from(source != NO_SOURCE)).collect();
        Packed::new(size, &sources.into_iter().map(u32::from).collect::<Vec<_>>(), &valid)
    }
}

/// Packs the chosen tiles, each from the input of its number, into `out`; `passed` hears of each, and of the format of its image. The
/// pixels, and the bytes where the inputs are this program's, are those of a way through images. Where an input tells the source of each
/// pixel, the output does, unless it takes them from elsewhere.
///
/// # Errors
/// Those of the inputs and of `chosen`, and where the output can't take a tile; [`Error::Interrupted`] where the user asked to stop.
pub(in crate::archive) fn copy(
    inputs: &[&HeightsReader],
    chosen: impl Iterator<Item = Result<(usize, Located)>>,
    out: &mut HeightsWriter,
    progress: &dyn Progress,
    mut passed: impl FnMut(TileCoord, &TileFormat) -> Result<()>,
) -> Result<()> {
    let own = if out.has_lineage() { None } else { Sources::of(inputs)? };
    if let Some(sources) = &own {
        out.with_sources(sources.names.clone());
    }
    let given = out.lineage_source();
    let pack = |(n, located): (usize, Located), last: Option<&Packaged>| -> Result<Packaged> {
        let input = inputs[n];
        let part =
            || located.id.coord().map_or_else(|| format!("tile id {}", located.id.0), |tile| format!("tile {tile}"));
        let named = |error: Error| match error {
            Error::Invalid { problem, remedy, path: None, .. } => {
                Error::invalid(part(), problem, remedy).with_path(input.path())
            }
            Error::Argument { problem, .. } => {
                Error::invalid(part(), problem, "the file is damaged: make it again").with_path(input.path())
            }
            other => other,
        };
        let tile = located.id.coord().ok_or_else(|| named(Error::argument("tile", "lies beyond zoom 31")))?;
        let size = input.heights().shape().size;
        let (packed, hash) = match last {
            // Neighbours that share a content (mostly tiles of the sea) are packed once.
            Some(last) if last.input == n && last.located.same_content(&located) => {
                (last.done.packed.clone(), last.done.hash)
            }
            _ => {
                let codes = input.codes(usize::try_from(located.place).unwrap_or(usize::MAX)).map_err(named)?;
                let packed = Packed::new(size, &codes.codes, &codes.valid).map_err(named)?;
                let hash = hash_of(&packed);
                (Arc::new(packed), hash)
            }
        };
        let lineage = match (&given, &own) {
            (Some(source), _) => Some(super::writer::lineage_of(source.as_ref(), tile, size)?),
            (None, Some(sources)) => Some(sources.packed(n, input, tile, size).map_err(named)?),
            (None, None) => None,
        };
        let bytes = packed.bytes().map(|part| part.len() as u64).sum();
        Ok(Packaged { input: n, located, done: Done { tile, size, bytes, hash, packed, lineage } })
    };
    let work = |jobs: Vec<(usize, Located)>| -> Result<Vec<Packaged>> {
        let mut all: Vec<Packaged> = Vec::with_capacity(jobs.len());
        for job in jobs {
            let packed = pack(job, all.last())?;
            all.push(packed);
        }
        Ok(all)
    };
    in_order(threads(), batches(chosen, BATCH, progress), work, |batch| {
        progress.advance(batch.len() as u64);
        batch.into_iter().try_for_each(|Packaged { input, done, .. }| {
            passed(done.tile, &inputs[input].metadata().format)?;
            out.put_packed(done)
        })
    })
}

/// A packed tile and where it came from.
struct Packaged {
    input: usize,
    located: Located,
    done: Done,
}
