//! Columns of numbers.

use std::io::{Seek, Write};
use std::ops::Range;

use crate::error::Result;
use crate::format::{ContainerWriter, ElementType, Kind};

/// A type that a column can hold: `u8`, `u16`, `u32`, `u64`, `i32`, `i64`, `f32` or `f64`.
pub trait Element: sealed::Number {
    /// Its number in the format.
    const TYPE: ElementType;
}

mod sealed {
    /// Any bytes are a value of it, and it has no gaps.
    pub trait Number: bytemuck::Pod + Send + Sync {}
}

macro_rules! elements {
    ($($rust:ty => $variant:ident),*) => {
        $(
            impl sealed::Number for $rust {}
            impl Element for $rust { const TYPE: ElementType = ElementType::$variant; }
        )*
    };
}
elements!(u8 => U8, u16 => U16, u32 => U32, u64 => U64, i32 => I32, i64 => I64, f32 => F32, f64 => F64);

/// The values of a section: no copy, no parsing.
///
/// `range` is what [`Sections::raw`](crate::format::Sections::raw) gave for this file. A range outside the bytes or
/// off its alignment gives an empty slice, so that a caller's mistake causes no panic.
#[must_use]
pub fn view<'a, T: Element>(bytes: &'a [u8], range: &Range<usize>) -> &'a [T] {
    bytes.get(range.clone()).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or(&[])
}

/// Writes a column.
///
/// # Errors
/// Where the output can't be written.
pub fn write_column<T: Element, W: Write + Seek>(out: &mut ContainerWriter<W>, name: &str, values: &[T]) -> Result<()> {
    out.raw(name, Kind::Column, T::TYPE, 0, bytemuck::cast_slice(values))
}
