//! The types of rasters' cells.

/// The type of a raster's cells. The numbers are those of `store-format.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum DataType {
    /// Not known, as for a record that came from a `bounds.csv`.
    #[default]
    Unknown = 0,
    /// Unsigned 8-bit integer.
    U8 = 1,
    /// Signed 8-bit integer.
    I8 = 2,
    /// Unsigned 16-bit integer.
    U16 = 3,
    /// Signed 16-bit integer.
    I16 = 4,
    /// Unsigned 32-bit integer.
    U32 = 5,
    /// Signed 32-bit integer.
    I32 = 6,
    /// Unsigned 64-bit integer.
    U64 = 7,
    /// Signed 64-bit integer.
    I64 = 8,
    /// 32-bit float.
    F32 = 9,
    /// 64-bit float.
    F64 = 10,
}

impl DataType {
    /// All types in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
    ];

    /// The type with this number in the format; numbers of later versions are [`DataType::Unknown`].
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Unknown)
    }

    /// Bytes of one cell; 8 where the type is not known, so that what is reckoned with it is not too little.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Unknown => 8,
        }
    }

    /// True where a 32-bit float holds every value of it.
    #[cfg(feature = "engine")]
    pub(crate) fn fits_float(self) -> bool {
        matches!(self, Self::U8 | Self::I8 | Self::U16 | Self::I16 | Self::F32)
    }

    /// The name that people know: `int16`, `float32`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// The type with such a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// GDAL's name: `Int16`, `Byte`.
    #[cfg(feature = "engine")]
    pub(crate) fn gdal_name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The type with a name of GDAL's; [`DataType::Unknown`] for those that hold no heights.
    #[cfg(feature = "gdal")]
    pub(crate) fn from_gdal_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|t| t.gdal_name() == name).unwrap_or(Self::Unknown)
    }
}

/// The name that people know, and GDAL's.
const NAMES: [(&str, &str); DataType::ALL.len()] = [
    ("unknown", "Unknown"),
    ("uint8", "Byte"),
    ("int8", "Int8"),
    ("uint16", "UInt16"),
    ("int16", "Int16"),
    ("uint32", "UInt32"),
    ("int32", "Int32"),
    ("uint64", "UInt64"),
    ("int64", "Int64"),
    ("float32", "Float32"),
    ("float64", "Float64"),
];

#[cfg(all(test, feature = "gdal"))]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_names_of_its_own() {
        for (number, kind) in (0..).zip(DataType::ALL) {
            assert_eq!(DataType::from_number(number), kind);
            assert_eq!(DataType::from_name(kind.name()), Some(kind));
            assert_eq!(DataType::from_gdal_name(kind.gdal_name()), kind);
        }
        assert_eq!((DataType::from_number(200), DataType::from_gdal_name("CFloat32")), Default::default());
    }
}
