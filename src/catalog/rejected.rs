//! Files that can't be used, and why.

use crate::raster::parts::Broken;
use crate::text::one_line;

/// Why a file can't become a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// It is listed but not there.
    Missing,
    /// The network or its server fails.
    OutOfReach,
    /// The system does not let us read it.
    NoPermission,
    /// It has no bytes.
    Empty,
    /// It is an archive that holds files.
    Archive,
    /// GDAL does not know it.
    NotARaster,
    /// It is cut short or damaged.
    Truncated,
    /// It has no raster band.
    NoBand,
    /// It does not say where it lies.
    NoGeoreference,
    /// It does not say in which coordinates.
    NoCrs,
    /// It has no place in Web Mercator.
    OutsideWebMercator,
    /// Its path can't be stored.
    BadName,
    /// A VRT that refers to a file that is not there.
    MissingSource,
    /// A VRT that refers to itself.
    Circle,
    /// A pipe or a device where one of its files belongs.
    Pipe,
    /// A part of it can't be read.
    Damaged,
    /// Its values are no heights, or it is not clear which of them are.
    NoElevation,
    /// Its heights are in a unit that is no length.
    Unit,
    /// It is made from signed bytes in a way that loses their sign.
    SignedBytes,
    /// It would be fetched from the network.
    Remote,
    /// It lies over the heights of its own source and seems to be a mask.
    Mask,
}

impl Reason {
    /// Why a file can't be used whose further files can't be told.
    pub(super) const fn of(broken: &Broken) -> Self {
        match broken {
            Broken::Missing { .. } => Self::MissingSource,
            Broken::Itself(_) => Self::Circle,
            Broken::NoFile(_) => Self::Pipe,
            Broken::OutOfReach(..) => Self::OutOfReach,
        }
    }

    /// The reason in two or three words, for tables and counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OutOfReach => "out of reach",
            Self::NoPermission => "no permission",
            Self::Empty => "empty file",
            Self::Archive => "archive",
            Self::NotARaster => "not a raster",
            Self::Truncated => "truncated",
            Self::NoBand => "no band",
            Self::NoGeoreference => "no georeference",
            Self::NoCrs => "no CRS",
            Self::OutsideWebMercator => "outside Web Mercator",
            Self::BadName => "bad name",
            Self::MissingSource => "missing source",
            Self::Circle => "refers to itself",
            Self::Pipe => "pipe or device",
            Self::Damaged => "damaged",
            Self::NoElevation => "no elevation",
            Self::Unit => "no length",
            Self::SignedBytes => "signed bytes",
            Self::Remote => "on the network",
            Self::Mask => "mask beside heights",
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Missing => "put the file back, or take its line out of the list",
            Self::OutOfReach => "run the same command again later",
            Self::NoPermission => "check the permissions of the file and its folder, or the credentials",
            Self::Empty | Self::Truncated => "fetch the file again",
            Self::Archive => "unpack it beside the other rasters",
            Self::NotARaster => "move it out of the folder, or check that this GDAL has the driver for it",
            Self::NoBand => {
                "make a VRT of the part that holds heights: gdal_translate -of VRT 'NAME OF THE PART' dem.vrt"
            }
            Self::NoGeoreference => "add a world file, or run gdal_translate -a_ullr; with control points, gdalwarp",
            Self::NoCrs => "give the source a CRS with `assume_crs = EPSG:n`, or run gdal_edit.py -a_srs EPSG:n",
            Self::OutsideWebMercator => "check its CRS and its corners with gdalinfo",
            Self::BadName => "rename it",
            Self::MissingSource => "put the file back, or make the VRT again",
            Self::Circle => "make the VRT again from rasters",
            Self::Pipe => "write its output to a file, and use that file instead",
            Self::Damaged => "fetch the file again, or remove the damaged part",
            Self::NoElevation => {
                "move it out of the folder; or say which band holds heights with `band = N` for its source in hypso.toml"
            }
            Self::Unit => "say `unit = \"m\"` (or ft, ftUS, cm, ...) for its source in hypso.toml",
            Self::SignedBytes => "give the source itself, or use GDAL 3.7 or later",
            Self::Remote => "fetch the data first; or say `allow_remote` to let requests be sent there",
            Self::Mask => {
                "leave it out with a pattern; or say `band = 1` for its source in hypso.toml if its bytes are heights"
            }
        }
    }
}

/// A file that did not become a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The position of its source in the list of sources.
    pub source: usize,
    /// Its path below the source's root, with `/` between folders.
    pub path: String,
    /// Why.
    pub reason: Reason,
    /// What GDAL or the system said; may be empty.
    pub detail: String,
}

impl Rejected {
    /// The reason with what GDAL or the system said, on one line of bounded length.
    #[must_use]
    pub fn words(&self) -> String {
        let name = self.reason.name();
        match one_line(&self.detail, LONGEST) {
            detail if detail.is_empty() => name.to_string(),
            detail => format!("{name} ({detail})"),
        }
    }
}

/// Characters that are shown of what GDAL says.
const LONGEST: usize = 240;

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.words(), self.reason.remedy())
    }
}
