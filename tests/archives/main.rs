//! MBTiles, PMTiles and folders of tiles: read, written, merged, cut, compared and checked.
#![cfg(feature = "engine")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/http.rs"]
mod http;
#[path = "../common/objects.rs"]
mod objects;
#[cfg(feature = "cli")]
#[path = "../common/told.rs"]
mod told;

mod buckets;
mod changes;
mod commands;
mod edit;
mod hash;
mod heights;
mod heights_copied;
mod interop;
mod into;
mod mbtiles;
mod memory;
mod merge_parents;
mod named;
mod odd;
mod overviews;
mod overzoom;
mod parts;
mod remote;
mod roundtrip;
mod safety;
mod samples;
mod verify;
