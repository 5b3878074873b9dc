//! `hypso publish`: versions of a data set in a folder, one of them in use.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::inspect::Format;
use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output, quality, usage};
use crate::events::Settings;
use crate::publish::{Keep, Pruned, Publication, PublishOptions, Published, Reason, Version};
use crate::quality::{Finding, count_fails};

/// Put archives and stores into a folder as its new version, or go back.
///
/// FOLDER/current is a link to the version in use, so a service names FOLDER/current/ARCHIVE. The new version appears whole, after each
/// archive and store in it has passed what `hypso verify` looks for; then the link is exchanged in one step. What lies beside a file and
/// belongs to it comes along: report, inputs, lineage, heights, store. Files that are the same as before are stored once.
///
/// Then old versions are removed that no --keep option keeps; never the one in use. Ends with exit code 3, and changes nothing, where a file
/// has problems, and with exit code 4 where a limit below [alerts] in hypso.toml is passed that says `fail`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso publish japan.pmtiles -o /srv/terrain\n  hypso publish japan.pmtiles --note 'DEM5A of October' --patches -o /srv/terrain\n  hypso publish --list -o /srv/terrain\n  hypso publish --rollback -o /srv/terrain"
)]
pub struct Args {
    /// The archives and stores of the version.
    #[arg(value_name = "FILE", required_unless_present_any = ["list", "rollback", "check", "prune"])]
    files: Vec<PathBuf>,
    /// The folder of the versions.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Take only the files that are named.
    #[arg(long)]
    alone: bool,
    /// Decode about this many tiles of each archive, spread evenly, instead of all.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Keep patches from the version in use to the new one.
    #[arg(long)]
    patches: bool,
    /// What to say of the version in the list.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// List the versions, and why each is kept.
    #[arg(long, conflicts_with_all = ["files", "rollback", "check", "prune"])]
    list: bool,
    /// Use the version before the one in use, or the one that is named.
    #[arg(long, value_name = "VERSION", num_args = 0..=1, conflicts_with_all = ["files", "check", "prune"])]
    rollback: Option<Option<String>>,
    /// Compare all files of all versions with their checksums. Reads all bytes.
    #[arg(long, conflicts_with_all = ["files", "prune"])]
    check: bool,
    /// Only remove what no option keeps.
    #[arg(long, conflicts_with = "files")]
    prune: bool,
    #[command(flatten)]
    keep: KeepArgs,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let current = self.output.join("current");
        let files = self.files.iter().filter_map(|file| Some(current.join(file.file_name()?)));
        Touched::of(&self.files, files.chain((self.rollback.is_some() || self.prune).then_some(current.clone())))
    }
}

/// Which versions stay.
#[derive(Debug, clap::Args)]
struct KeepArgs {
    /// Keep so many of the newest versions.
    #[arg(long, value_name = "COUNT", default_value_t = Keep::default().last)]
    keep_last: usize,
    /// Keep the last version of so many days.
    #[arg(long, value_name = "COUNT", default_value_t = Keep::default().daily)]
    keep_daily: usize,
    /// Keep the last version of so many weeks.
    #[arg(long, value_name = "COUNT", default_value_t = Keep::default().weekly)]
    keep_weekly: usize,
    /// Keep the last version of so many months.
    #[arg(long, value_name = "COUNT", default_value_t = Keep::default().monthly)]
    keep_monthly: usize,
}

impl KeepArgs {
    fn keep(&self) -> Keep {
        let Self { keep_last: last, keep_daily: daily, keep_weekly: weekly, keep_monthly: monthly } = *self;
        Keep { last, daily, weekly, monthly }
    }
}

pub fn run(args: &Args) -> Outcome {
    if args.list {
        return list(args);
    }
    if args.check {
        return check(args);
    }
    let folder = Publication::open(&args.output)?;
    if let Some(to) = &args.rollback {
        let name = folder.roll_back(to.as_deref())?;
        match args.format {
            Format::Json => output::line(json!({ "current": name }))?,
            Format::Table => output::line(format!("{name} is in use"))?,
        }
        return Ok(exit::OK);
    }
    if args.prune {
        return pruned(args, None, &folder.prune(&args.keep.keep())?);
    }
    if args.files.is_empty() {
        return usage("publish", "expected the archives and stores to publish");
    }
    let note = args.note.clone();
    let rules = Settings::read()?.rules;
    let options = PublishOptions { alone: args.alone, sample: args.sample, patches: args.patches, note, rules };
    match folder.publish(&args.files, &options, &Terminal::default())? {
        Published::Done(version) => {
            quality::told(&version.quality);
            pruned(args, Some(&version), &folder.prune(&args.keep.keep())?)
        }
        Published::Held(findings) => held(args, &findings),
        Published::Refused(problems) => {
            match args.format {
                Format::Json => {
                    let all = problems
                        .iter()
                        .map(|(file, problem)| json!({"file": file, "problem": super::words::of(problem)}));
                    output::line(json!({"published": null, "problems": all.collect::<Vec<_>>()}))?;
                }
                Format::Table => {
                    for (file, problem) in problems.iter().take(20) {
                        output::line(format!("error  {file}: {}", super::words::of(problem)))?;
                    }
                    let next = "the version in use stays; `hypso verify FILE` says more";
                    output::line(format!(
                        "not published: {}; {next}",
                        output::counted(problems.len() as u64, "problem")
                    ))?;
                }
            }
            Ok(exit::PROBLEMS)
        }
    }
}

/// Says why the version in use stays.
fn held(args: &Args, findings: &[Finding]) -> Outcome {
    match args.format {
        Format::Json => {
            let raised: Vec<&Finding> = findings.iter().filter(|found| found.raised).collect();
            output::line(json!({"published": null, "alerts": raised}))?;
        }
        Format::Table => {
            let alerts = output::counted(count_fails(findings) as u64, "alert");
            let next = "the version in use stays; mend the data, or change the limit in hypso.toml and publish again";
            output::line(format!("not published: {alerts}; {next}"))?;
        }
    }
    Ok(quality::told(findings))
}

/// Says what was published and what went.
fn pruned(args: &Args, new: Option<&Version>, gone: &Pruned) -> Outcome {
    if args.format == Format::Json {
        let stuck = gone.stuck.iter().map(|(name, why)| json!({"version": name, "why": why})).collect::<Vec<_>>();
        output::line(json!({"published": new.map(document), "removed": gone.removed, "not_removed": stuck}))?;
        return Ok(exit::OK);
    }
    if let Some(version) = new {
        let shared = version.files.iter().filter(|f| f.shared).count() as u64;
        let unchanged = if shared > 0 { format!(", {shared} unchanged and stored once") } else { String::new() };
        output::line(format!(
            "{} is in use: {}, {}{unchanged}",
            version.name,
            output::counted(version.files.len() as u64, "file"),
            output::bytes(version.bytes())
        ))?;
    }
    for name in &gone.removed {
        output::line(format!("{name} removed"))?;
    }
    for (name, why) in &gone.stuck {
        output::line(format!("{name} not removed: {why}"))?;
    }
    if new.is_some() {
        let folder = output::path(&args.output);
        output::line(format!(
            "next: hypso publish --list -o {folder}; to go back: hypso publish --rollback -o {folder}"
        ))?;
    } else if gone.removed.is_empty() && gone.stuck.is_empty() {
        output::line("nothing to remove")?;
    }
    Ok(exit::OK)
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Last => "last",
        Reason::Daily => "daily",
        Reason::Weekly => "weekly",
        Reason::Monthly => "monthly",
    }
}

fn document(version: &Version) -> Value {
    json!({
        "version": version.name, "hypso": version.hypso, "follows": version.follows, "note": version.note,
        "bytes": version.bytes(),
        "alerts": version.quality.iter().filter(|found| found.raised).collect::<Vec<_>>(),
        "files": version.files.iter().map(|f| json!({"name": f.name, "bytes": f.bytes, "xxh3": f.xxh3, "shared": f.shared})).collect::<Vec<_>>(),
    })
}

fn list(args: &Args) -> Outcome {
    let folder = Publication::look(&args.output)?;
    let current = folder.current()?;
    let broken: Vec<String> = folder.versions()?.into_iter().filter_map(Result::err).map(|e| e.to_string()).collect();
    let versions = folder.reasons(&args.keep.keep())?;
    let used = |version: &Version| current.as_deref() == Some(&version.name);
    let kept = |reasons: &[Reason]| reasons.iter().map(|r| word(*r)).collect::<Vec<_>>();
    if args.format == Format::Json {
        let all = versions.iter().map(|(version, reasons)| {
            let mut all = document(version);
            all["in_use"] = used(version).into();
            all["kept"] = kept(reasons).into();
            all
        });
        output::line(json!({"current": current, "versions": all.collect::<Vec<_>>(), "broken": broken}))?;
    } else {
        let mut rows =
            vec![["version", "bytes", "files", "unchanged", "kept as", "", "note"].map(String::from).to_vec()];
        rows.extend(versions.iter().map(|(version, reasons)| {
            let shared = version.files.iter().filter(|f| f.shared).count();
            let [in_use, note] =
                [if used(version) { "in use" } else { "" }, version.note.as_deref().unwrap_or_default()];
            let counts = [version.files.len(), shared].map(|n| output::count(n as u64));
            let start = [version.name.clone(), output::bytes(version.bytes())];
            [&start[..], &counts, &[kept(reasons).join(" "), in_use.into(), super::words::of(note).into_owned()]]
                .concat()
        }));
        output::line(output::table(&rows, &[1, 2, 3]).trim_end())?;
        for problem in &broken {
            output::line(format!("broken: {problem}"))?;
        }
    }
    Ok(if broken.is_empty() { exit::OK } else { exit::PROBLEMS })
}

fn check(args: &Args) -> Outcome {
    let problems = Publication::look(&args.output)?.check()?;
    match args.format {
        Format::Json => output::line(json!({"ok": problems.is_empty(), "problems": problems}))?,
        Format::Table if problems.is_empty() => output::line("all files of all versions are as they were published")?,
        Format::Table => problems.iter().try_for_each(|problem| output::line(format!("error  {problem}")))?,
    }
    Ok(if problems.is_empty() { exit::OK } else { exit::PROBLEMS })
}
