//! `hypso plan`: what a run would make and take; `hypso work`: single units of it.

use std::path::PathBuf;

use serde_json::json;

use super::aggregate::{JobArgs, warn};
use super::inspect::Format;
use super::output;
use super::store_file::{self, Care};
use super::{Outcome, exit};
use crate::atomic::{check_output, refuse_inputs, write_whole};
use crate::error::{Error, Result};
use crate::plan::{Estimate, Plan, Step};
use crate::raster;
use crate::store::Store;
use crate::worker::{self, Made, PlanFile};

/// Show what a run would make and take, without making it.
///
/// Numbers of tiles are exact (tiles without data turn out empty later); bytes, time and memory are guesses.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso plan japan.hypso\n  hypso plan japan.hypso --split dynamic:200000 --jobs 8\n  hypso plan japan.hypso --max-zoom 14 --print json | jq .groups\n  hypso plan japan.hypso -o japan.pmtiles --export plan.json && hypso work --plan plan.json --unit 0"
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
    /// Write the plan with all its units, for `hypso work`.
    #[arg(long, value_name = "FILE", requires = "output")]
    export: Option<PathBuf>,
}

/// Make single units of a plan, by hand or by a scheduler; finer units first.
///
/// Units may be made by several processes, and on several machines that share the folder of the output. A unit that is
/// there is not made again. `hypso aggregate` with the options of the plan puts the archive together at the end.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso work --plan plan.json --unit 0 --unit 1\n  hypso work --plan plan.json --unit z11-14_11_1814_808"
)]
pub struct WorkArgs {
    /// The plan that `hypso plan --export` wrote.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// A unit by its number in the plan, from 0 on, or by its name; may be said several times.
    #[arg(long, value_name = "UNIT", required = true)]
    unit: Vec<String>,
}

pub fn run(args: &Args) -> Outcome {
    let options = args.job.options(&args.output)?;
    let mut renews = args.job.run.overwrite;
    if let Some(path) = &args.export {
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
    if let Some(path) = &args.export {
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

pub fn run_work(args: &WorkArgs) -> Outcome {
    let plan = PlanFile::read(&args.plan)?;
    let reader = raster::reader()?;
    reader.limit_cache(plan.block_cache())?;
    plan.work(&args.unit, reader, |unit, made| {
        super::say(&match made {
            Made::Now(report) => format!("{}: made, {}", unit.id, output::counted(report.tiles, "tile")),
            Made::Before(report) => format!("{}: was there, {}", unit.id, output::counted(report.tiles, "tile")),
        });
    })?;
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
