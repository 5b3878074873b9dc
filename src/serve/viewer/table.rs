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
        etag: "\"b0194191959a1466ec653a1595409135\"",
        gzip: include_bytes!("dist/index.html.gz"),
        length: 3557,
    },
    Asset {
        name: "main-422JZSPY.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"483dcab6ca7b1af707e36917b17ec315\"",
        gzip: include_bytes!("dist/main-422JZSPY.js.gz"),
        length: 22093,
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
        name: "shell-6MJ7HM6Y.css",
        content_type: "text/css; charset=utf-8",
        etag: "\"b8c4fb148d2fd57aa78e9148a17dc927\"",
        gzip: include_bytes!("dist/shell-6MJ7HM6Y.css.gz"),
        length: 7324,
    },
    Asset {
        name: "tiles-worker-SUW74AEE.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"6c8bafc7da8b9e306346b1e44bfac000\"",
        gzip: include_bytes!("dist/tiles-worker-SUW74AEE.js.gz"),
        length: 32983,
    },
];
