//! Heights straight from the rasters of a store, for places that no tiles were made of yet: points and lines.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::{Error, Result};
use crate::heights::{
    Extent, Height, HeightQueries, Interpolation, Profile, Resample, Sampling, Seen, Shape, Sight, Slope, Spacing,
    Statistics, TileHeights, Window, profile,
};
use crate::raster;
use crate::render::{HeightSampler, RasterReader, Resampling};
use crate::store::Store;
use crate::terrain::INTERPOLATED;
use crate::tile::{Area, LonLat, TileCoord, web_mercator};

/// A store that is open, and what answers from its rasters once it was asked.
pub struct Records {
    pub store: Store,
    rasters: OnceLock<std::result::Result<Arc<Rasters>, String>>,
    /// How much of rasters is kept in memory, bytes.
    cache: u64,
}

impl Records {
    pub fn new(store: Store, cache: u64) -> Self {
        Self { store, rasters: OnceLock::new(), cache }
    }

    /// Heights from its rasters. Starts a thread for each processor when it is first asked.
    ///
    /// # Errors
    /// Where the program reads no rasters, or the system refuses threads.
    pub fn heights(&self) -> Result<Arc<Rasters>> {
        let made = self.rasters.get_or_init(|| {
            let made = raster::reader().and_then(|reader| Rasters::new(&self.store, reader, self.cache));
            made.map(Arc::new).map_err(|error| format!("{error:#}"))
        });
        made.clone().map_err(Error::not_found)
    }
}

/// Threads that each keep the rasters of a store open. They end with this.
pub struct Rasters {
    jobs: Mutex<Sender<Job>>,
    shape: Shape,
    sources: Vec<String>,
    datum: Option<String>,
}

/// Points to be looked up, and where the answer goes.
struct Job {
    points: Vec<LonLat>,
    interpolation: Interpolation,
    answer: Sender<Result<Vec<Option<Height>>>>,
}

impl Rasters {
    fn new(store: &Store, reader: &'static dyn RasterReader, cache: u64) -> Result<Self> {
        reader.limit_cache(cache)?;
        let zooms = || store.records().native_zoom.iter().copied();
        let (min_zoom, max_zoom) = (zooms().min().unwrap_or(0), zooms().max().unwrap_or(0));
        let sources: Vec<_> = store.sources().iter().collect();
        let datums = sources.iter().map(|source| source.vertical_datum()).collect::<Result<Vec<_>>>()?;
        let datum = datums.first().filter(|first| !first.is_empty() && datums.iter().all(|datum| datum == *first));
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for started in 0..processors {
            let (store, jobs) = (store.clone(), Arc::clone(&receiver));
            match crate::threads::start(move || answer_all(&store, reader, &jobs)) {
                Err(error) if started == 0 => return Err(error),
                // Those that could be started do all the work.
                Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(Self {
            jobs: Mutex::new(sender),
            shape: Shape {
                size: store.tile_size(),
                min_zoom,
                max_zoom,
                tiles: u64::from(store.len()).max(1),
                scale: 1.0,
                offset: 0.0,
            },
            sources: sources.iter().map(|source| Ok(source.name()?.into_owned())).collect::<Result<_>>()?,
            datum: datum.map(|datum| datum.clone().into_owned()),
        })
    }

    fn ask(&self, points: &[LonLat], how: &Sampling) -> Result<Vec<Option<Height>>> {
        if how.max_zoom.is_some() {
            return Err(Error::argument("max_zoom", "can't be chosen where heights come straight from rasters"));
        }
        let (answer, found) = channel();
        let job = Job { points: points.to_vec(), interpolation: how.interpolation, answer };
        let ended = || Error::internal("no thread reads rasters any more");
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(job).map_err(|_| ended())?;
        found.recv().map_err(|_| ended())?
    }
}

/// Takes jobs until nobody can send any more.
fn answer_all(store: &Store, reader: &dyn RasterReader, jobs: &Mutex<Receiver<Job>>) {
    let mut samplers = [None, None];
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let found = catch_unwind(AssertUnwindSafe(|| look_up(store, reader, &mut samplers, &job)));
        let found = found.unwrap_or_else(|_| {
            samplers = [None, None];
            Err(Error::internal("reading a raster ended with a panic"))
        });
        // A client may have gone.
        let _ = job.answer.send(found);
    }
}

fn look_up<'a>(
    store: &'a Store,
    reader: &'a dyn RasterReader,
    samplers: &mut [Option<HeightSampler<'a>>; 2],
    job: &Job,
) -> Result<Vec<Option<Height>>> {
    let (which, resampling) = match job.interpolation {
        Interpolation::Bilinear => (0, Resampling::Bilinear),
        Interpolation::Nearest => (1, Resampling::Nearest),
    };
    let sampler = match &mut samplers[which] {
        Some(sampler) => sampler,
        none => none.insert(HeightSampler::new(store, reader, resampling)?),
    };
    let height = |&point: &LonLat| -> Result<Option<Height>> {
        if point.lat().abs() > web_mercator::MAX_LATITUDE {
            return Ok(None);
        }
        let Some(found) = sampler.at(point)? else { return Ok(None) };
        let Some(record) = store.record(found.row) else { return Ok(None) };
        let source = u8::try_from(record.source_index()).ok().filter(|&source| source < INTERPOLATED);
        Ok(Some(Height { metres: found.metres.into(), zoom: record.native_zoom(), source }))
    };
    job.points.iter().map(height).collect()
}

fn only_points<T>() -> Result<T> {
    let problem = "heights straight from rasters are given at points and along lines";
    Err(Error::not_found(format!("{problem}; serve tiles or a file of heights beside the store for areas and sights")))
}

impl HeightQueries for Rasters {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn sources(&self) -> Result<Vec<String>> {
        Ok(self.sources.clone())
    }

    fn datum(&self) -> Result<Option<String>> {
        Ok(self.datum.clone())
    }

    fn sample(&self, point: LonLat, how: &Sampling) -> Result<Option<Height>> {
        Ok(self.ask(&[point], how)?.pop().flatten())
    }

    fn at_many(&self, points: &[LonLat], how: &Sampling, heights: &mut Vec<Option<Height>>) -> Result<()> {
        *heights = self.ask(points, how)?;
        Ok(())
    }

    fn along(&self, line: &[LonLat], spacing: Spacing, how: &Sampling) -> Result<Profile> {
        profile(line, spacing, |points, heights| self.at_many(points, how, heights))
    }

    fn statistics(&self, _: &Area, _: Option<u8>) -> Result<Statistics> {
        only_points()
    }

    fn range(&self, _: &Area, _: Option<u8>) -> Result<Option<(f64, f64)>> {
        only_points()
    }

    fn window(&self, _: Extent, _: [usize; 2], _: Resample, _: &Sampling) -> Result<Window> {
        only_points()
    }

    fn slope_aspect(&self, _: LonLat, _: &Sampling) -> Result<Option<Slope>> {
        only_points()
    }

    fn sees(&self, _: &Sight, _: &Sampling) -> Result<Seen> {
        only_points()
    }

    fn tile(&self, _: TileCoord) -> Result<Option<TileHeights>> {
        only_points()
    }
}
