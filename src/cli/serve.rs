//! `hypso serve`: tiles, heights and records over HTTP.

use std::path::PathBuf;

use super::{Outcome, exit, output};
use crate::serve::{Checked, Input, Missing, Options, Server};

/// Serve tiles, heights, records and their lineage over HTTP, with a map to look at.
///
/// Files that are replaced by a rename are followed within a second. Files of one name (japan.pmtiles, japan.heights,
/// japan.hypso, japan.lineage.pmtiles) are one dataset.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso serve demo.pmtiles\n  hypso serve japan=/srv/japan.pmtiles japan=/srv/japan.heights --listen 0.0.0.0:8080\n  hypso serve /srv/terrain --admin 127.0.0.1:9090 --access-log -\n  hypso serve japan=s3://bucket/japan.pmtiles\n  hypso serve --config serve.toml --check"
)]
pub struct Args {
    /// Files (PMTiles, MBTiles, heights, stores), folders of them, which are looked at again and again, or URLs of PMTiles.
    #[arg(value_name = "[NAME=]FILE", value_parser = Input::parse)]
    inputs: Vec<Input>,
    /// Where requests are taken [default: 127.0.0.1:8080].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where /metrics is answered, apart from the public address.
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<String>,
    /// A configuration; other options and files are added to it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Open all files, say what would be served, and end.
    #[arg(long)]
    check: bool,
    /// What stands before every path that is handed out, where a proxy serves them under another name.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// What is answered where there is no tile: 404, or 204 for clients that take no 404.
    #[arg(long, value_name = "STATUS", value_parser = ["404", "204"])]
    missing: Option<String>,
    /// Don't read files into memory before they are asked for.
    #[arg(long)]
    no_preload: bool,
    /// Log requests as JSON, one a line; - is stdout.
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
}

impl Args {
    /// True where a store may be among what is served: its heights come from rasters where there are no tiles.
    pub fn may_serve_stores(&self) -> bool {
        let has_none = |input: &Input| {
            let end = input.path.extension().and_then(|end| end.to_str());
            end.is_some_and(|end| ["heights", "mbtiles", "pmtiles"].contains(&end))
        };
        self.config.is_some() || !self.inputs.iter().all(has_none)
    }

    fn options(&self) -> anyhow::Result<Options> {
        let mut options = self.config.as_deref().map(Options::read).transpose()?.unwrap_or_default();
        options.inputs.extend(self.inputs.iter().cloned());
        if let Some(listen) = &self.listen {
            options.listen.clone_from(listen);
        }
        if let Some(url) = &self.public_url {
            options.public_url.clone_from(url);
        }
        if let Some(missing) = &self.missing {
            options.missing = missing.parse::<Missing>()?;
        }
        options.preload &= !self.no_preload;
        options.admin = self.admin.clone().or(options.admin);
        options.access_log = self.access_log.clone().or(options.access_log);
        Ok(options)
    }
}

pub fn run(args: &Args) -> Outcome {
    let mut options = args.options()?;
    if args.check {
        return check(&Server::check(&options)?);
    }
    let to_stdout = options.access_log.take_if(|log| log.as_os_str() == "-").is_some();
    let server = Server::new(options)?;
    let server = if to_stdout { server.log_to(std::io::stdout())? } else { server };
    let (address, admin) = server.addresses()?;
    let datasets = output::counted(server.datasets() as u64, "dataset");
    super::say(&format!("serving {datasets} on http://{address}"));
    if let Some(admin) = admin {
        super::say(&format!("metrics on http://{admin}/metrics"));
    }
    server.run()?;
    super::say("stopped");
    Ok(exit::OK)
}

fn check(found: &Checked) -> Outcome {
    for (id, parts) in &found.datasets {
        output::line(format!("{id}: {}", parts.join(", ")))?;
    }
    for error in &found.refused {
        super::say(&format!("can't be served: {}", super::words::error(error)));
    }
    Ok(if found.refused.is_empty() { exit::OK } else { exit::PROBLEMS })
}
