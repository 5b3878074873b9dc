//! A road network mapped from a file, beside the same arrays in memory, arrays through serde, and petgraph.
//!
//! `cargo bench --bench road_network` makes 300 000 roads, or as many as `HYPSO_BENCH_ROADS` says (the story has
//! 13 000 000), in `HYPSO_BENCH_FOLDER` or a temporary folder, measures every engine in a process of its own, and prints
//! tables. What is in them: `docs/road-network.md`. Results: `RESULTS.md`.

#[path = "common/processes.rs"]
mod processes;
#[path = "../examples/common/random.rs"]
mod random;
#[path = "../examples/common/roads/mod.rs"]
mod roads;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use hypso::container::{Advice, Container};
use petgraph::graph::{DiGraph, NodeIndex};
use processes::{Failure, Figures, Stopwatch, answer, forget, median, memory, most, number, run, sum};
use roads::{Country, Matcher, Network, Random, drive, write};
use serde::{Deserialize, Serialize};

/// Random lists, steps and gathers of one measurement.
const ASKED: u64 = 2_000_000;
const ROUNDS: usize = 11;
const TRACES: usize = 200;

fn main() -> Result<(), Failure> {
    if let Some(arguments) = processes::arguments() {
        let path = Path::new(&arguments[1]);
        return match arguments[0].as_str() {
            "open" => open(path),
            "mapped" => mapped(path),
            "compare" => compare(path),
            "traces" => traces(path),
            "raw" => in_memory(path, Arrays::copy),
            "serde" => in_memory(path, Arrays::load),
            "petgraph" => petgraph(path),
            other => Err(format!("no measurement {other:?}").into()),
        };
    }
    let temporary = tempfile::tempdir()?;
    let folder = std::env::var("HYPSO_BENCH_FOLDER").map_or(temporary.path().to_path_buf(), Into::into);
    let (path, serialised) = (folder.join("roads.hypso"), folder.join("roads.postcard"));
    let begin = Instant::now();
    let country = Country::new(number("HYPSO_BENCH_ROADS", 300_000), 1);
    write(&path, &country, "{}")?;
    let built = begin.elapsed().as_secs_f64();
    drop(country);
    println!("build: {built:.1} s, {:.0} MB at most in this process", peak()? / 1000.0);
    let file = Container::open(&path)?;
    let network = Network::new(&file)?;
    let size = file.bytes().len() as f64 / 1e9;
    let (roads, edges, transitions) = (network.roads(), network.edges(), network.transitions());
    println!("{roads} roads, {edges} edges, {transitions} transitions, {size:.3} GB");
    Arrays::copy(&path)?.save(&serialised)?;
    drop(file);
    report(&path, &serialised, size)?;
    std::fs::remove_file(&path)?;
    std::fs::remove_file(&serialised)?;
    Ok(())
}

fn report(path: &Path, serialised: &Path, size: f64) -> Result<(), Failure> {
    let (file, arrays) = (path.to_str().ok_or("path")?, serialised.to_str().ok_or("path")?);
    let one = |arguments: &[&str]| -> Result<Figures, Failure> { Ok(run(1, arguments)?.remove(0)) };
    let cold = {
        forget(path)?;
        one(&["open", file])?
    };
    let opens = (0..9).map(|_| one(&["open", file])).collect::<Result<Vec<_>, _>>()?;
    let warm = |name: &str| median(opens.iter().map(|figures| figures[name]).collect());
    println!("\n| opened | open, us | first successors, us | nearest road, us |\n|---|---|---|---|");
    println!("| cold | {:.0} | {:.0} | {:.0} |", cold["open"], cold["first"], cold["nearest"]);
    println!("| warm, median of 9 processes | {:.0} | {:.1} | {:.1} |", warm("open"), warm("first"), warm("nearest"));

    let compare = one(&["compare", file])?;
    println!(
        "\n| one core, ns, fastest of 11 rounds | mapped | the same file in memory | ratio | plain arrays in memory | ratio |\n|---|---|---|---|---|---|"
    );
    for (name, what) in [
        ("list", "a random list of successors"),
        ("walk", "a step of a walk"),
        ("gather", "attributes of a random edge and its turns"),
    ] {
        let [mapped, twin, heap] = ["mapped", "twin", "heap"].map(|side| compare[&format!("{name}_{side}")]);
        println!("| {what} | {mapped:.1} | {twin:.1} | {:.3} | {heap:.1} | {:.3} |", mapped / twin, mapped / heap);
    }
    println!(
        "\nLarge pages (2 MiB), MB: mapped {:.0}, in memory {:.0}.",
        compare["large_mapped"] / 1e3,
        compare["large_heap"] / 1e3
    );

    let alone = run(1, &["mapped", file])?;
    let four = run(4, &["mapped", file])?;
    let raw = one(&["raw", file])?;
    let serde = one(&["serde", arrays])?;
    let graph = one(&["petgraph", file])?;
    println!(
        "\n| | on disk, GB | ready after | million lists a second | own memory, MB | proportional, MB |\n|---|---|---|---|---|---|"
    );
    println!(
        "| seed: object graph | | 3243 s | | 88 300 | |\n| seed: arrays | | 31.3 s | | 14 800 | |\n| seed: mapped | 7.5 | < 0.1 s | | | |"
    );
    let row = |what: &str, disk: f64, answers: &[Figures]| {
        let f = &answers[0];
        println!(
            "| {what} | {} | {:.4} s | {:.1} | {:.1} | {:.0} |",
            if disk.is_nan() { "-".into() } else { format!("{disk:.2}") },
            f["ready"],
            1000.0 / f["list"],
            most(answers, "own") / 1000.0,
            sum(answers, "pss") / 1000.0
        );
    };
    row("hypso, mapped", size, &alone);
    row("hypso, mapped, 4 processes (own: the largest; proportional: the sum)", size, &four);
    row("the same arrays read into memory", size, std::slice::from_ref(&raw));
    row(
        "arrays through serde (postcard)",
        std::fs::metadata(serialised)?.len() as f64 / 1e9,
        std::slice::from_ref(&serde),
    );
    row("petgraph `DiGraph`, built in memory (no geometry)", f64::NAN, std::slice::from_ref(&graph));
    println!(
        "\nLists right after opening, pages being new to the process: {:.1} million a second.",
        1000.0 / alone[0]["first"]
    );
    println!(
        "4 processes take {:.4} times the memory of one; own memory beyond that of a bare process: {:.0} kB at most.",
        sum(&four, "pss") / sum(&alone, "pss"),
        most(&four, "grown")
    );

    let traces = one(&["traces", file])?;
    println!(
        "\ntraces: {:.1} a second of the processor, each with its own opening ({:.0} us of it); {:.0} positions each, {:.4} of the driven metres found",
        traces["rate"], traces["open"], traces["points"], traces["found"]
    );
    Ok(())
}

/// The most memory that this process ever had, kB.
fn peak() -> Result<f64, Failure> {
    let Ok(text) = std::fs::read_to_string("/proc/self/status") else { return Ok(f64::NAN) };
    let line = text.lines().find(|l| l.starts_with("VmHWM:")).ok_or("no line")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

fn micros(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6
}

/// The first open in the life of a process, and the first answers.
fn open(path: &Path) -> Result<(), Failure> {
    let begin = Instant::now();
    let file = Container::open(path)?;
    let network = Network::new(&file)?;
    let opened = micros(begin);
    let mut random = Random(3);
    let begin = Instant::now();
    let id = network.id(random.below(network.edges() as u64) as u32).ok_or("no edge")?;
    black_box(network.successors(id)?.count());
    let first = micros(begin);
    let some = network.line(random.below(network.roads() as u64) as u32)?.next().ok_or("no point")?;
    let begin = Instant::now();
    black_box(network.nearest(some.0 + 30.0, some.1 + 30.0));
    let nearest = micros(begin);
    answer((), &[("open", opened), ("first", first), ("nearest", nearest)])
}

/// Nanoseconds of the processor for each of [`ASKED`] answers.
fn nanos(mut each: impl FnMut(&mut Random) -> u64) -> f64 {
    let mut random = Random(5);
    let begin = Stopwatch::start();
    let mut total = 0u64;
    for _ in 0..ASKED {
        total = total.wrapping_add(each(&mut random));
    }
    black_box(total);
    begin.cpu() * 1e9 / ASKED as f64
}

/// The fastest of some rounds: the one that other work disturbed least.
fn fastest(round: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn list(network: &Network<'_>) -> f64 {
    let edges = network.edges() as u64;
    nanos(|random| {
        let next = network.next(random.below(edges) as u32).unwrap_or(&[]);
        next.iter().map(|&row| u64::from(row)).sum()
    })
}

/// Queries as soon as the file is open, all pages being new to this process.
fn mapped(path: &Path) -> Result<(), Failure> {
    let before = memory("Private_Dirty")?;
    let begin = Instant::now();
    let file = Container::open(path)?;
    let network = Network::new(&file)?;
    let ready = begin.elapsed().as_secs_f64();
    let first = list(&network);
    // So that each process has touched every page, as one that runs for long has.
    let sum = file.bytes().iter().step_by(4096).fold(0u8, |sum, byte| sum ^ byte);
    black_box(sum);
    let list = fastest(|| list(&network));
    let grown = memory("Private_Dirty")? - before;
    answer(&file, &[("ready", ready), ("first", first), ("list", list), ("grown", grown)])
}

/// The arrays of a network in memory.
#[derive(Default, Serialize, Deserialize)]
struct Arrays {
    offsets: Vec<u64>,
    next: Vec<u32>,
    turn: Vec<f32>,
    road: Vec<u32>,
    length: Vec<f32>,
    class: Vec<u8>,
    /// What is measured nowhere, but loaded by all who need it: geometry, the other direction, ids, nodes and boxes.
    rest: Vec<Vec<u32>>,
}

impl Arrays {
    /// Copies what a graph needs.
    fn graph(file: &Container) -> Result<Self, Failure> {
        let list = file.list::<u32>("edge.next")?;
        let mut offsets = vec![0];
        for row in 0..list.len() {
            offsets.push(list.range(row)?.end as u64);
        }
        Ok(Self {
            offsets,
            next: list.values().to_vec(),
            turn: file.column::<f32>("edge.next_turn")?.to_vec(),
            road: file.column::<u32>("edge.road")?.to_vec(),
            length: file.column::<f32>("road.length")?.to_vec(),
            class: file.column::<u8>("road.class")?.to_vec(),
            rest: Vec::new(),
        })
    }

    /// Reads all of a store into memory.
    fn copy(path: &Path) -> Result<Self, Failure> {
        let file = Container::open(path)?;
        file.advise(Advice::Sequential)?;
        let mut arrays = Self::graph(&file)?;
        let known = ["edge.next", "edge.next_turn", "edge.road", "road.length", "road.class", "about", "class.name"];
        for section in file.sections().entries().iter().filter(|s| !known.contains(&s.name().as_str())) {
            let bytes = &file.bytes()[section.offset() as usize..(section.offset() + section.length()) as usize];
            arrays.rest.push(bytemuck::cast_slice(bytes).to_vec());
        }
        Ok(arrays)
    }

    /// Writes each array through serde, one after another, so that loading needs no second copy of all.
    fn save(&self, path: &Path) -> Result<(), Failure> {
        let mut out = BufWriter::new(File::create(path)?);
        let mut put = |bytes: Vec<u8>| -> Result<(), Failure> {
            out.write_all(&(bytes.len() as u64).to_le_bytes())?;
            Ok(out.write_all(&bytes)?)
        };
        put(postcard::to_stdvec(&self.offsets)?)?;
        put(postcard::to_stdvec(&self.next)?)?;
        put(postcard::to_stdvec(&self.turn)?)?;
        put(postcard::to_stdvec(&self.road)?)?;
        put(postcard::to_stdvec(&self.length)?)?;
        put(postcard::to_stdvec(&self.class)?)?;
        self.rest.iter().try_for_each(|array| put(postcard::to_stdvec(array)?))
    }

    fn load(path: &Path) -> Result<Self, Failure> {
        let length = std::fs::metadata(path)?.len();
        let (mut input, mut at) = (BufReader::new(File::open(path)?), 0);
        let mut get = || -> Result<Option<Vec<u8>>, Failure> {
            if at == length {
                return Ok(None);
            }
            let mut size = [0; 8];
            input.read_exact(&mut size)?;
            let mut bytes = vec![0; u64::from_le_bytes(size) as usize];
            input.read_exact(&mut bytes)?;
            at += 8 + bytes.len() as u64;
            Ok(Some(bytes))
        };
        fn part<T: for<'a> Deserialize<'a>>(bytes: Option<Vec<u8>>) -> Result<T, Failure> {
            Ok(postcard::from_bytes(&bytes.ok_or("cut off")?)?)
        }
        let mut arrays = Self {
            offsets: part(get()?)?,
            next: part(get()?)?,
            turn: part(get()?)?,
            road: part(get()?)?,
            length: part(get()?)?,
            class: part(get()?)?,
            rest: Vec::new(),
        };
        while let Some(bytes) = get()? {
            arrays.rest.push(part(Some(bytes))?);
        }
        Ok(arrays)
    }

    fn edges(&self) -> u64 {
        self.road.len() as u64
    }

    fn range(&self, edge: u32) -> std::ops::Range<usize> {
        self.offsets[edge as usize] as usize..self.offsets[edge as usize + 1] as usize
    }

    fn list(&self) -> f64 {
        nanos(|random| {
            let next = &self.next[self.range(random.below(self.edges()) as u32)];
            next.iter().map(|&row| u64::from(row)).sum()
        })
    }
}

fn in_memory(path: &Path, load: impl Fn(&Path) -> Result<Arrays, Failure>) -> Result<(), Failure> {
    let begin = Instant::now();
    let arrays = load(path)?;
    let ready = begin.elapsed().as_secs_f64();
    let list = fastest(|| arrays.list());
    answer(arrays, &[("ready", ready), ("list", list)])
}

/// A step to a random successor; anywhere where there is none, and now and then, so that walks see the whole country.
fn step(next: &[u32], random: &mut Random, edges: u64) -> u32 {
    let chance = random.next();
    match next.len() as u64 {
        0 => random.below(edges) as u32,
        _ if chance.is_multiple_of(64) => random.below(edges) as u32,
        count => next[(((chance >> 32) * count) >> 32) as usize],
    }
}

/// A name, a round over a network and one over plain arrays, in nanoseconds.
type Measure<'a> = (&'a str, &'a dyn Fn(&Network<'_>) -> f64, &'a dyn Fn() -> f64);

/// Mapped, the same code over a copy of the file in memory, and plain arrays in memory, in turns and in one process. All have
/// been touched before: the map by `Preload`. The copy tells what mapping costs, the arrays what the code costs besides.
fn compare(path: &Path) -> Result<(), Failure> {
    let file = Container::open(path)?;
    // First of all: pages that were brought in one by one stay small.
    file.advise(Advice::Preload)?;
    let arrays = Arrays::graph(&file)?;
    let network = Network::new(&file)?;
    let copy = Container::from_bytes(file.bytes().to_vec())?;
    let twin = Network::new(&copy)?;
    let edges = arrays.edges();
    let gathered = |length: f32, class: u8, turns: &[f32]| {
        u64::from(length as u32)
            + u64::from(class)
            + turns.iter().map(|&turn| u64::from(turn as i32 as u32)).sum::<u64>()
    };
    let measures: [Measure<'_>; 3] = [
        ("list", &|network| list(network), &|| arrays.list()),
        (
            "walk",
            &|network| {
                let mut at = 0;
                nanos(|random| {
                    at = step(network.next(at).unwrap_or(&[]), random, edges);
                    u64::from(at)
                })
            },
            &|| {
                let mut at = 0;
                nanos(|random| {
                    at = step(&arrays.next[arrays.range(at)], random, edges);
                    u64::from(at)
                })
            },
        ),
        (
            "gather",
            &|network| {
                nanos(|random| {
                    let edge = random.below(edges) as u32;
                    let (length, class) =
                        network.road(edge).and_then(|road| network.length_and_class(road)).unwrap_or_default();
                    gathered(length, class, network.next_turns(edge).unwrap_or(&[]))
                })
            },
            &|| {
                nanos(|random| {
                    let edge = random.below(edges) as u32;
                    let road = arrays.road[edge as usize] as usize;
                    gathered(arrays.length[road], arrays.class[road], &arrays.turn[arrays.range(edge)])
                })
            },
        ),
    ];
    let mut figures = Vec::new();
    for (name, over, heap) in measures {
        let rounds: Vec<[f64; 3]> = (0..ROUNDS).map(|_| [over(&network), over(&twin), heap()]).collect();
        for (side, what) in ["mapped", "twin", "heap"].iter().enumerate() {
            // The fastest round of each side is the one that other work disturbed least.
            let least = rounds.iter().map(|round| round[side]).fold(f64::INFINITY, f64::min);
            figures.push((format!("{name}_{what}"), least));
        }
    }
    let mut figures: Vec<(&str, f64)> = figures.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    figures.extend([("large_mapped", memory("FilePmdMapped")?), ("large_heap", memory("AnonHugePages")?)]);
    answer(&arrays, &figures)
}

/// An edge of the road network is a node here, and a transition an edge with its turn.
fn petgraph(path: &Path) -> Result<(), Failure> {
    let file = Container::open(path)?;
    file.advise(Advice::Normal)?;
    let network = Network::new(&file)?;
    let begin = Instant::now();
    let mut graph = DiGraph::<u32, f32, u32>::with_capacity(network.edges(), network.transitions());
    for edge in 0..network.edges() as u32 {
        graph.add_node(network.road(edge).ok_or("no road")?);
    }
    for edge in 0..network.edges() as u32 {
        for (&next, &turn) in network.next(edge)?.iter().zip(network.next_turns(edge)?) {
            graph.add_edge(NodeIndex::new(edge as usize), NodeIndex::new(next as usize), turn);
        }
    }
    let ready = begin.elapsed().as_secs_f64();
    drop(file);
    let edges = graph.node_count() as u64;
    let list = fastest(|| {
        nanos(|random| {
            let from = NodeIndex::new(random.below(edges) as usize);
            graph.neighbors(from).map(|next| next.index() as u64).sum()
        })
    });
    answer(graph, &[("ready", ready), ("list", list)])
}

/// Each trace opens the file for itself, as a container that is started for one trace would.
fn traces(path: &Path) -> Result<(), Failure> {
    let file = Container::open(path)?;
    let network = Network::new(&file)?;
    let mut random = Random(11);
    let mut drives = Vec::new();
    while drives.len() < TRACES {
        let trace = drive(&network, &mut random, 3000.0, 5.0)?;
        if trace.points.len() > 60 {
            drives.push(trace);
        }
    }
    let (mut opening, mut found, mut driven) = (0.0, 0.0, 0.0);
    let begin = Stopwatch::start();
    for trace in &drives {
        let opened = Instant::now();
        let file = Container::open(path)?;
        let network = Network::new(&file)?;
        opening += micros(opened);
        let matched = Matcher::default().run(&network, &trace.points)?;
        for &edge in &trace.edges {
            let length = f64::from(network.length(edge));
            driven += length;
            found += if matched.edges.contains(&edge) { length } else { 0.0 };
        }
    }
    let rate = TRACES as f64 / begin.cpu();
    let points: usize = drives.iter().map(|trace| trace.points.len()).sum();
    let each = TRACES as f64;
    answer((), &[("rate", rate), ("open", opening / each), ("points", points as f64 / each), ("found", found / driven)])
}
