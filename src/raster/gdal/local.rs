//! What GDAL may open: local files in formats that hold heights. A file can also describe a service, or name sources on the
//! network. GDAL would then send requests wherever the file says. That is off unless [`allow_remote`] was called.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ::gdal::errors::Result;
use ::gdal::{Dataset, DatasetOptions, DriverManager, GdalOpenFlags};

use super::super::parts;
use super::objects;
use crate::url;

static REMOTE: AtomicBool = AtomicBool::new(false);

/// Drivers of services and databases. They are removed, so that no file that another one refers to is opened by them either.
const NETWORK: [&str; 32] = [
    "WMS",
    "WMTS",
    "WCS",
    "HTTP",
    "PLMOSAIC",
    "PLSCENES",
    "EEDA",
    "EEDAI",
    "DAAS",
    "OGCAPI",
    "STACTA",
    "STACIT",
    "NGW",
    "KMLSUPEROVERLAY",
    "RDA",
    "GTI",
    "PostGISRaster",
    "GeoRaster",
    "JPIPKAK",
    "WFS",
    "OAPIF",
    "CSW",
    "Elasticsearch",
    "Carto",
    "AmigoCloud",
    "Couch",
    "GMLAS",
    "MongoDBv3",
    "PostgreSQL",
    "MySQL",
    "MSSQLSpatial",
    "ODBC",
];

/// Drivers of files that can hold heights, or are named in a refusal because they do not. What this version of GDAL does not
/// have does no harm.
const RASTERS: [&str; 75] = [
    "VRT",
    "GTiff",
    "COG",
    "LIBERTIFF",
    "NITF",
    "HFA",
    "AIG",
    "AAIGrid",
    "GRASSASCIIGrid",
    "ISG",
    "SDTS",
    "DTED",
    "SRTMHGT",
    "ENVI",
    "EHdr",
    "USGSDEM",
    "XYZ",
    "GRIB",
    "netCDF",
    "HDF4",
    "HDF4Image",
    "HDF5",
    "HDF5Image",
    "BAG",
    "S102",
    "S104",
    "S111",
    "Zarr",
    "KEA",
    "JP2OpenJPEG",
    "JP2KAK",
    "JP2ECW",
    "JP2MrSID",
    "JP2Lura",
    "MrSID",
    "ECW",
    "MRF",
    "PNG",
    "JPEG",
    "JPEGXL",
    "GIF",
    "BIGGIF",
    "BMP",
    "WEBP",
    "PNM",
    "PCIDSK",
    "PCRaster",
    "ILWIS",
    "RST",
    "SAGA",
    "GSAG",
    "GSBG",
    "GS7BG",
    "Leveller",
    "Terragen",
    "NWT_GRD",
    "NWT_GRC",
    "GXF",
    "ZMap",
    "ACE2",
    "BT",
    "GTX",
    "BYN",
    "SIGDEM",
    "HF2",
    "RRASTER",
    "RMF",
    "ERS",
    "ISCE",
    "ROI_PAC",
    "ISIS3",
    "PDS",
    "PDS4",
    "VICAR",
    "GPKG",
];

/// Drivers of tile indices, and of nothing else.
pub(super) const INDICES: [&str; 5] = ["GPKG", "FlatGeobuf", "ESRI Shapefile", "GeoJSON", "GeoJSONSeq"];

/// Lets GDAL read over the network from here on. Call it before the first raster is opened; it can't be taken back.
pub(super) fn allow_remote() {
    REMOTE.store(true, Ordering::Relaxed);
}

/// True where GDAL may read over the network.
pub(super) fn remote_allowed() -> bool {
    REMOTE.load(Ordering::Relaxed)
}

/// Removes the drivers that send requests, and what makes other drivers do so; once, before anything is opened.
pub(super) fn fence() {
    if remote_allowed() {
        objects::set_defaults();
        return;
    }
    // The first question to the manager registers all drivers.
    for driver in NETWORK.iter().filter_map(|name| DriverManager::get_driver_by_name(name).ok()) {
        DriverManager::deregister_driver(&driver);
    }
    let options = [
        // The file systems of objects and pages open no name but this one.
        ("CPL_VSIL_CURL_ALLOWED_FILENAME", "none"),
        // Those that stream look at no such list: they are sent to a port where nothing listens.
        ("GDAL_HTTP_PROXY", "127.0.0.1:9"),
        ("GDAL_HTTPS_PROXY", "127.0.0.1:9"),
        ("GDAL_HTTP_MAX_RETRY", "0"),
        ("GDAL_HTTP_CONNECTTIMEOUT", "2"),
    ];
    for (key, value) in options {
        let _ = ::gdal::config::set_config_option(key, value);
    }
}

/// What a raster would fetch from the network, where that is not allowed.
pub(super) fn refused(path: &Path) -> Option<String> {
    if remote_allowed() {
        None
    } else if url::is_one(path) {
        Some("lies on the network".into())
    } else {
        parts::remote_of(path)
    }
}

/// Opens a raster with the drivers that may.
pub(super) fn open(path: &Path, flags: GdalOpenFlags, options: Option<&[&str]>) -> Result<Dataset> {
    let allowed_drivers = if remote_allowed() { None } else { Some(RASTERS.as_slice()) };
    let open_flags = DatasetOptions::default().open_flags | flags;
    let options = DatasetOptions { open_flags, allowed_drivers, open_options: options, ..DatasetOptions::default() };
    alone(path, || Dataset::open_ex(url::for_gdal(path), options))
}

/// Does something with a raster. Of one on the network that has no further files beside it, none are looked for: each look is a request.
pub(super) fn alone<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    const LOOK: &str = "GDAL_DISABLE_READDIR_ON_OPEN";
    if !url::is_one(path) {
        return work();
    }
    let alone = !objects::has_sidecars(path) && std::env::var_os(LOOK).is_none();
    if alone {
        let _ = ::gdal::config::set_thread_local_config_option(LOOK, "EMPTY_DIR");
    }
    let result = objects::timed(work);
    if alone {
        let _ = ::gdal::config::clear_thread_local_config_option(LOOK);
    }
    result
}
