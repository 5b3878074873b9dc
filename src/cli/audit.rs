//! `hypso audit`: the log of commands that wrote.

use std::path::PathBuf;

use serde_json::json;

use super::inspect::Format;
use super::{Outcome, exit, output, say, usage};
use crate::events::{Settings, audit};

/// Check the audit log: every command that wrote, one line each, tied to one another.
///
/// Commands write it where HYPSO_AUDIT_LOG, or audit_log below [operations] in hypso.toml, names a file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso audit verify /var/log/hypso/audit.jsonl\n  hypso audit verify audit.jsonl.1 audit.jsonl --format json"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Look whether lines were altered, removed or added; exit code 3 where it seems so.
    ///
    /// Shows lines that were altered, removed, moved or added, and a tail that was cut, as FILE.head names the last line. It can't show that
    /// somebody wrote the whole log and its head anew: keep the hash that this prints elsewhere, and give it with --known later.
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The log; where it was rotated, all its parts, the oldest first [default: the one that commands write].
    files: Vec<PathBuf>,
    /// A hash that was printed before and kept elsewhere: its line must still be there.
    #[arg(long, value_name = "HASH")]
    known: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    let What::Verify(args) = &args.what;
    let mut files = args.files.clone();
    if files.is_empty() {
        files.extend(Settings::read()?.audit_log);
    }
    if files.is_empty() {
        return usage("audit verify", "expected a file: none is named here, by HYPSO_AUDIT_LOG or in hypso.toml");
    }
    let found = audit::verify(&files, args.known.as_deref())?;
    let head = found.head.as_ref();
    match args.format {
        Format::Json => {
            let problem = |p: &audit::Problem| json!({"path": p.path, "line": p.line, "problem": p.problem});
            output::line(serde_json::to_string_pretty(&json!({
                "entries": found.entries, "last": head.map(|(number, _)| number), "hash": head.map(|(_, hash)| hash),
                "problems": found.problems.iter().map(problem).collect::<Vec<_>>(), "more_problems": found.more, "notes": found.notes,
            }))?)?;
        }
        Format::Table => {
            for problem in &found.problems {
                output::line(format!("{}: line {}: {}", output::path(&problem.path), problem.line, problem.problem))?;
            }
            if found.more > 0 {
                output::line(format!("and {} more problems", output::count(found.more)))?;
            }
            if let Some((number, hash)) = head {
                output::line(format!(
                    "{} read; the last one is number {number}, hash {hash}",
                    output::counted(found.entries, "line")
                ))?;
            }
            for note in &found.notes {
                say(&format!("note: {note}"));
            }
        }
    }
    Ok(if found.problems.is_empty() { exit::OK } else { exit::PROBLEMS })
}
