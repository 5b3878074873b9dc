//! Sources and records from what lies on disk: rasters, `bounds.csv`, a configuration file.
