//! Files that can't be used, and why.

/// Why a file can't become a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// It is listed but not there.
    Missing,
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
}

impl Reason {
    /// The reason in two or three words, for tables and counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
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
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Missing => "put the file back, or take its line out of the list",
            Self::NoPermission => "check the permissions of the file and its folder",
            Self::Empty | Self::Truncated => "fetch the file again",
            Self::Archive => "unpack it beside the other rasters",
            Self::NotARaster => "move it out of the folder, or check that this GDAL has the driver for it",
            Self::NoBand => "convert the subdataset that you need with gdal_translate",
            Self::NoGeoreference => "add a world file, or run gdal_translate -a_ullr",
            Self::NoCrs => "give the source a CRS with --assume-crs EPSG:n, or run gdal_edit.py -a_srs EPSG:n",
            Self::OutsideWebMercator => "check its CRS and its corners with gdalinfo",
            Self::BadName => "rename it",
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

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.reason.name())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        write!(f, "; {}", self.reason.remedy())
    }
}
