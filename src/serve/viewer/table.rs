//! What the viewer consists of. Written by build.sh: change src/ and run it.

use super::Asset;

/// All files, in the order of their names.
pub(super) const ASSETS: [Asset; 10] = [
    Asset {
        name: "LICENSES-031E0C7B.txt",
        content_type: "text/plain; charset=utf-8",
        etag: "\"031e0c7b108fbbb6d6c706b4543e3e6f\"",
        gzip: include_bytes!("dist/LICENSES-031E0C7B.txt.gz"),
        length: 53725,
    },
    Asset {
        name: "chunk-TPJQTVEM.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"f2165ed6cd2f0007a26191d862889cae\"",
        gzip: include_bytes!("dist/chunk-TPJQTVEM.js.gz"),
        length: 5858,
    },
    Asset {
        name: "icon-30902B66.svg",
        content_type: "image/svg+xml",
        etag: "\"30902b66108f91e7bdb22376bb0ed0fc\"",
        gzip: include_bytes!("dist/icon-30902B66.svg.gz"),
        length: 226,
    },
    Asset {
        name: "index.html",
        content_type: "text/html; charset=utf-8",
        etag: "\"ee664b39fcafb0a124a99526fda19bfa\"",
        gzip: include_bytes!("dist/index.html.gz"),
        length: 3557,
    },
    Asset {
        name: "main-6JCGJFMC.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"42d6c8525cbb24caf7a99b0e70d9372e\"",
        gzip: include_bytes!("dist/main-6JCGJFMC.js.gz"),
        length: 21659,
    },
    Asset {
        name: "map-3SHI6X2C.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"9fbf1920b3a60627222af978dbdaf1f9\"",
        gzip: include_bytes!("dist/map-3SHI6X2C.js.gz"),
        length: 1073508,
    },
    Asset {
        name: "map-B5DC2DCH.css",
        content_type: "text/css; charset=utf-8",
        etag: "\"01286b87dc2683e7bc222b2926490789\"",
        gzip: include_bytes!("dist/map-B5DC2DCH.css.gz"),
        length: 72706,
    },
    Asset {
        name: "maplibre-gl-worker-4HZVB3TN.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"730079a357d6da3638b7479c0feb1b2b\"",
        gzip: include_bytes!("dist/maplibre-gl-worker-4HZVB3TN.js.gz"),
        length: 519685,
    },
    Asset {
        name: "shell-O7QWBBB2.css",
        content_type: "text/css; charset=utf-8",
        etag: "\"fe6e239ddd6a29e7492fc585ed547a7d\"",
        gzip: include_bytes!("dist/shell-O7QWBBB2.css.gz"),
        length: 7311,
    },
    Asset {
        name: "tiles-worker-SUW74AEE.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"6c8bafc7da8b9e306346b1e44bfac000\"",
        gzip: include_bytes!("dist/tiles-worker-SUW74AEE.js.gz"),
        length: 32983,
    },
];
