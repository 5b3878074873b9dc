//! `hypso plan`: what a run would make and take.

use std::path::PathBuf;

use serde_json::json;

use super::aggregate::{JobArgs, warn};
use super::inspect::Format;
use super::observed::Touched;
use super::output;
use super::progress::Terminal;
use super::store_file::{self, Care};
use super::{Outcome, exit};
use crate::atomic::{check_output, refuse_inputs, write_whole};
use crate::error::{Error, Result};
use crate::plan::{Estimate, Plan, Step};
use crate::raster;
use crate::store::Store;
use crate::worker::{self, MOST_SHARDS};

/// Show what a run would make and take, without making it.
///
/// Numbers of tiles are exact (tiles without data turn out empty later); bytes, time and memory are guesses.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso plan japan.hypso --max-zoom 14 --print json | jq .groups\n  hypso plan japan.hypso -o japan.pmtiles --export plan.json && hypso work --plan plan.json --unit 0\n  hypso plan japan.hypso -o japan.pmtiles --shards 200 --export plan"
)]
pub struct Args {
    /// The store.
    store: PathBuf,
    /// The archive that the run would write; needed with --export.
    #[arg(short, long, default_value = "out.pmtiles", hide_default_value = true)]
    output: PathBuf,
    #[command(flatten)]
    job: JobArgs,
    /// How to print the plan.
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    print: Format,
    /// Write the plan for `hypso work`: its units, or its shards (a folder).
    #[arg(long, value_name = "PATH", requires = "output")]
    export: Option<PathBuf>,
    /// Cut it into about so many shards of like work, and one for the coarse top.
    #[arg(long, value_name = "COUNT", requires = "export", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SHARDS)))]
    shards: Option<u32>,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.store], &self.export)
    }
}

pub fn run(args: &Args) -> Outcome {
    let options = args.job.options(&args.output)?;
    let mut renews = args.job.run.overwrite;
    if let Some(path) = args.export.as_ref().filter(|_| args.shards.is_none()) {
        // A plan of before is renewed; nothing else is.
        renews |= worker::is_plan(path);
        check_output(path, renews)?;
        refuse_inputs(path, [&args.store])?;
    }
    let store = store_file::open(&args.store, Care::Thorough)?;
    if args.job.tiles.tile_size.is_some_and(|t| t != store.tile_size()) {
        return super::usage("--tile-size", "can't be planned; build the store for that tile size");
    }
    let prepared = options.prepare(&store, raster::reader()?)?;
    warn(&prepared);
    let (plan, estimate, memory) = (prepared.plan(), prepared.estimate(), prepared.memory());
    match args.print {
        Format::Json => output::line(as_json(&store, plan, &estimate, memory))?,
        Format::Table => table(&store, plan, &estimate, memory)?,
    }
    if let (Some(folder), Some(count)) = (&args.export, args.shards) {
        let shards = prepared.write_shards(count, folder, raster::reader()?, &Terminal::default())?.len();
        let shown = folder.display();
        super::say(&format!(
            "{shown}: {} written; next: hypso work --plan {shown} --shard 0, and so on to {}, then hypso assemble --plan {shown}",
            output::counted(shards.into(), "shard"),
            shards - 1
        ));
    } else if let Some(path) = &args.export {
        let text = prepared.plan_file()?.to_json()?;
        write_whole(path, text.as_bytes(), renews)?;
        let units = plan.units();
        super::say(&format!(
            "{}: {} written; next: hypso work --plan {0} --unit 0",
            path.display(),
            output::counted(units as u64, "unit")
        ));
    } else {
        super::say(&format!("next: hypso aggregate {} -o {}", args.store.display(), args.output.display()));
    }
    Ok(exit::OK)
}

fn table(store: &Store, plan: &Plan, estimate: &Estimate, memory: u64) -> Result<()> {
    let mut rows = vec![["group", "step", "units", "tiles", ""].map(String::from).to_vec()];
    for group in &plan.groups {
        for (i, step) in group.steps.iter().enumerate() {
            let name = if i == 0 { group.zooms.to_string() } else { String::new() };
            let note = if group.kept { "" } else { "not kept: wanted tiles are means of them" };
            let (units, tiles) = (output::count(step.units.len() as u64), output::count(step.tiles()));
            rows.push(vec![name, step.zooms.to_string(), units, tiles, note.to_string()]);
        }
    }
    let print = |text: String| output::line(text).map_err(Error::io("write", "the standard output"));
    print(output::table(&rows, &[2, 3]))?;
    let mut rows = vec![["zoom", "tiles"].map(String::from).to_vec()];
    rows.extend(plan.tiles_by_zoom(store).into_iter().map(|(z, n)| vec![z.to_string(), output::count(n)]));
    print(output::table(&rows, &[0, 1]))?;
    let seconds = |s: f64| output::duration(std::time::Duration::from_secs_f64(s));
    print(output::list(&[
        vec!["output".into(), format!("about {}", output::bytes(estimate.output_bytes))],
        vec![
            "disk".into(),
            format!("about {} for work, beside the output or in --tmpdir", output::bytes(estimate.work_bytes)),
        ],
        vec![
            "time".into(),
            format!("about {} ({} of CPU)", seconds(estimate.wall_seconds), seconds(estimate.cpu_seconds)),
        ],
        vec!["memory".into(), format!("about {} in all processes", output::bytes(memory))],
    ]))
}

fn as_json(store: &Store, plan: &Plan, estimate: &Estimate, memory: u64) -> serde_json::Value {
    let step = |s: &Step| json!({"zooms": s.zooms.to_string(), "block_zoom": s.block_zoom, "units": s.units.len(), "tiles": s.tiles()});
    let groups = plan.groups.iter().map(|g| {
        json!({"zooms": g.zooms.to_string(), "kept": g.kept, "steps": g.steps.iter().map(step).collect::<Vec<_>>()})
    });
    let zooms = plan.tiles_by_zoom(store).into_iter().map(|(zoom, tiles)| json!({"zoom": zoom, "tiles": tiles}));
    json!({
        "store": store.path(),
        "tiles": plan.tiles(),
        "units": plan.units(),
        "groups": groups.collect::<Vec<_>>(),
        "zooms": zooms.collect::<Vec<_>>(),
        "estimate": estimate,
        "memory_bytes": memory,
    })
}
