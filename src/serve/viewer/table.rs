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
        name: "chunk-JYUIKP5U.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"59c6af1a5adf6a3483f002e743b663e8\"",
        gzip: include_bytes!("dist/chunk-JYUIKP5U.js.gz"),
        length: 5519,
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
        etag: "\"495a83fc93a5d029fe2176c760fbc228\"",
        gzip: include_bytes!("dist/index.html.gz"),
        length: 3557,
    },
    Asset {
        name: "main-KSQ7G6WI.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"f26c5e9506acee08b90fe88bd7b232ed\"",
        gzip: include_bytes!("dist/main-KSQ7G6WI.js.gz"),
        length: 21619,
    },
    Asset {
        name: "map-B5DC2DCH.css",
        content_type: "text/css; charset=utf-8",
        etag: "\"01286b87dc2683e7bc222b2926490789\"",
        gzip: include_bytes!("dist/map-B5DC2DCH.css.gz"),
        length: 72706,
    },
    Asset {
        name: "map-SPD666OS.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"3517f4200b7d8ca77570cf1f3cbd8364\"",
        gzip: include_bytes!("dist/map-SPD666OS.js.gz"),
        length: 1073469,
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
        name: "tiles-worker-KYMWEEHE.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"40b18064ceabe77fda91d34a270033e1\"",
        gzip: include_bytes!("dist/tiles-worker-KYMWEEHE.js.gz"),
        length: 32949,
    },
];
