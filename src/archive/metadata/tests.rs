//! Tests of `metadata.rs`.

use super::*;

#[test]
fn tilejson_announces_encoding_and_tile_size() {
    let metadata = ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Webp,
        encoding: Some(TileEncoding::Elevation(Encoding::Terrarium)),
        tile_size: Some(512),
        minzoom: Some(0),
        maxzoom: Some(12),
        bounds: Some([1.0, 2.0, 3.0, 4.0]),
        other: BTreeMap::from([("sources".to_owned(), Json::of(json!(["a"]))), ("tiles".to_owned(), "bad".into())]),
        ..ArchiveMetadata::default()
    };
    let document = metadata.tilejson("{z}/{x}/{y}.webp");
    assert_eq!(
        *document.value(),
        json!({
            "tilejson": "3.0.0", "tiles": ["{z}/{x}/{y}.webp"], "scheme": "xyz", "name": "n", "format": "webp",
            "encoding": "terrarium", "tileSize": 512, "minzoom": 0, "maxzoom": 12,
            "bounds": [1.0, 2.0, 3.0, 4.0], "sources": ["a"],
        })
    );
}

#[test]
fn values_are_set_by_their_keys() {
    let mut metadata = ArchiveMetadata::default();
    for (key, value) in [("name", "n"), ("encoding", "mapbox"), ("tileSize", "256"), ("licence", "CC0"), ("x", "")] {
        metadata.set(key, value).unwrap();
    }
    let other = BTreeMap::from([("licence".to_owned(), "CC0".into())]);
    let (name, encoding) = ("n".to_owned(), Some(TileEncoding::Elevation(Encoding::Mapbox)));
    let expected = ArchiveMetadata { name, encoding, tile_size: Some(256), other, ..ArchiveMetadata::default() };
    assert_eq!(metadata, expected);
    for (key, value) in [("minzoom", "1"), ("tiles", "png"), ("tileSize", "big")] {
        assert!(metadata.set(key, value).is_err(), "{key}");
    }
    assert_eq!(metadata, expected);
    for (key, value) in [
        ("bounds", "1,2,3"),
        ("bounds", "1,2,nan,4"),
        ("bounds", "3,2,1,4"),
        ("bounds", "0,-100,1,4"),
        ("center", "1,2"),
        ("center", "200,2,3"),
        ("centre", "1,2,77"),
        ("compression", "zip"),
    ] {
        assert!(metadata.set(key, value).unwrap_err().to_string().contains("expected"), "{key}={value}");
    }
    assert_eq!(metadata, expected);
    for (key, value) in [("bounds", "[1, 2, 3.5, 4]"), ("centre", "2 3 5"), ("compression", "gzip"), ("format", "png")]
    {
        metadata.set(key, value).unwrap();
    }
    assert_eq!(metadata.bounds, Some([1.0, 2.0, 3.5, 4.0]));
    assert_eq!(metadata.center, Some(Center { lon: 2.0, lat: 3.0, zoom: 5 }));
    assert_eq!((metadata.tile_compression, &metadata.format), (Some(Compression::Gzip), &TileFormat::Png));
    ["bounds", "center", "compression"].iter().for_each(|key| metadata.set(key, "").unwrap());
    assert_eq!((metadata.bounds, metadata.center, metadata.tile_compression), (None, None, None));
}

#[test]
fn formats_are_known_by_name_and_by_their_first_bytes() {
    for format in [TileFormat::Webp, TileFormat::Png, TileFormat::Jpeg, TileFormat::Avif, TileFormat::Mvt] {
        assert_eq!(TileFormat::from_name(format.name()), format);
    }
    for (name, format) in
        [("png256", TileFormat::Png), ("image/png; mode=8bit", TileFormat::Png), ("JPEG80", TileFormat::Jpeg)]
    {
        assert_eq!(TileFormat::from_name(name), format);
    }
    assert_eq!(TileFormat::from_name("Hybrid"), TileFormat::Other("hybrid".into()));
    assert_eq!(TileFormat::sniff(b"RIFF\0\0\0\0WEBPVP8L"), Some(TileFormat::Webp));
    assert_eq!(TileFormat::sniff(b"\x89PNG\r\n\x1a\n"), Some(TileFormat::Png));
    assert_eq!(TileFormat::sniff(b"RIFF"), None);
    assert_eq!(TileFormat::sniff(b""), None);
}

#[test]
fn the_centre_stays_inside_the_zooms() {
    assert_eq!(Center::of([-180.0, -85.0, 180.0, 85.0], 0, 14).zoom, 0);
    let fuji = Center::of([138.5, 35.2, 139.0, 35.5], 0, 14);
    assert_eq!(fuji.zoom, 9);
    assert!((fuji.lon - 138.75).abs() < 1e-9 && (fuji.lat - 35.35).abs() < 0.01);
    assert_eq!(Center::of([138.5, 35.2, 139.0, 35.5], 11, 12).zoom, 11);
}
