//! Which commands read rasters. They run in `hypso-rasters`, the program beside this one that loads GDAL and its hundred libraries. All
//! others run here, and start in a tenth of the time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{Cli, Command, output};
use crate::error::Error;
use crate::raster;

/// The program that reads rasters.
const PROGRAM: &str = "hypso-rasters";
/// Where `hypso` says to it which version of itself started it.
const STARTED_BY: &str = "HYPSO_STARTED_BY";

/// What a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rasters {
    /// It reads none.
    None,
    /// It does more where rasters can be read.
    Welcome,
    /// It can't work without.
    Needed,
}

impl Cli {
    fn rasters(&self) -> Rasters {
        let needed = match &self.command {
            Command::Tiles(_)
            | Command::Build(_)
            | Command::Provenance(_)
            | Command::Plan(_)
            | Command::Work(_)
            | Command::Aggregate(_)
            | Command::AggregateZoom(_)
            | Command::Sample(_)
            | Command::Worker(_) => true,
            // What local rasters were made of is asked of the disk.
            Command::Assemble(_) => self.allow_remote,
            Command::Export(args) => args.writes_geopackage(),
            Command::Convert(args) => args.writes_tiff(),
            Command::Tile(args) => args.writes_tiff(),
            Command::Verify(args) => args.reads_rasters(),
            #[cfg(feature = "serve")]
            Command::Serve(args) if args.may_serve_stores() => return Rasters::Welcome,
            _ => false,
        };
        if needed { Rasters::Needed } else { Rasters::None }
    }
}

/// Runs the command line in the program that reads rasters, where the command needs that and this one is not it. `None` where the command
/// is to be run here.
pub fn hand_over(cli: &Cli, arguments: &[OsString]) -> Option<ExitCode> {
    let rasters = cli.rasters();
    if rasters == Rasters::None || raster::reader().is_ok() {
        return None;
    }
    let error = match beside() {
        Ok(program) if program.is_file() => run(&program, arguments),
        _ if rasters == Rasters::Welcome => return None,
        Ok(program) => missing(&program),
        Err(error) => error,
    };
    Some(output::report_error(&error.into()))
}

/// Refuses to work for a `hypso` of another version: one of the two was replaced alone.
#[cfg(feature = "gdal")]
pub fn check_version() -> crate::Result<()> {
    let here = env!("CARGO_PKG_VERSION");
    match std::env::var(STARTED_BY) {
        Ok(by) if by != here => {
            let problem = format!("is version {here}, but hypso beside it is {by}; install both of one version");
            Err(Error::argument(PROGRAM, problem))
        }
        _ => Ok(()),
    }
}

fn beside() -> crate::Result<PathBuf> {
    let here = std::env::current_exe().map_err(Error::io("find the path of", "this program"))?;
    Ok(here.with_file_name(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX)))
}

fn missing(program: &std::path::Path) -> Error {
    Error::not_found(format!(
        "{} is not there: hypso leaves rasters to that program, which loads GDAL; install it beside this one (where GDAL is, cargo \
         makes both)",
        program.display()
    ))
}

/// Puts the other program in the place of this process, so that signals and exit codes are its own. Returns where that fails.
fn run(program: &std::path::Path, arguments: &[OsString]) -> Error {
    let mut command = std::process::Command::new(program);
    command.args(arguments.iter().skip(1)).env(STARTED_BY, env!("CARGO_PKG_VERSION"));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        if let Some(name) = arguments.first() {
            command.arg0(name);
        }
        Error::io("start", program)(command.exec())
    }
    #[cfg(not(unix))]
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => Error::io("start", program)(error),
    }
}
