//! What makes code of the table of columns in `columns.rs`.

/// Makes of a table: [`RecordInput`](super::RecordInput) and the methods of [`RecordRef`](super::RecordRef), where its lines have
/// documentation; [`Row`](super::columns::Row), the numbers of a record in the order of the table; and
/// [`Column`](super::columns::Column), which names a column and knows the rest of its line.
///
/// A line is `name: type = "section", "legal values", |row| whether they are legal;`. Lines of `always` are there in every file; those
/// of `optional` are left out where all their values are 0. Lines of `made` become no field and no method: see `Row::of`.
macro_rules! columns {
    (
        made { $($m:ident: $m_type:ty = $m_name:literal, $m_expected:literal, $m_legal:expr;)* }
        always { $($(#[$a_doc:meta])+ $a:ident: $a_type:ty = $a_name:literal, $a_expected:literal, $a_legal:expr;)* }
        optional { $($(#[$o_doc:meta])+ $o:ident: $o_type:ty = $o_name:literal, $o_expected:literal, $o_legal:expr;)* }
    ) => {
        /// One raster file of a source. `..RecordInput::default()` stands for attributes that may be left at zero: all behind
        /// `modified_ns`.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct RecordInput {
            /// The position of its source in the list of sources.
            pub source: usize,
            /// The path below the source's root, with `/` between folders.
            pub path: String,
            /// The footprint in EPSG:3857 metres.
            pub bounds: Bounds,
            /// The CRS as `EPSG:n` where it has a code, else as WKT; empty where it is not known.
            pub crs: String,
            /// The declared nodata value.
            pub nodata: Option<f64>,
            /// The type of the cells.
            pub data_type: DataType,
            $($(#[$a_doc])+ pub $a: $a_type,)*
            $($(#[$o_doc])+ pub $o: $o_type,)*
        }

        impl RecordRef<'_> {
            $($(#[$a_doc])+ #[must_use] pub fn $a(&self) -> $a_type { self.number(Column::$a) })*
            $($(#[$o_doc])+ #[must_use] pub fn $o(&self) -> $o_type { self.number(Column::$o) })*

            /// The record as it was given to the writer, with these texts.
            pub(crate) fn input(&self, path: String, crs: String) -> RecordInput {
                RecordInput {
                    source: usize::from(self.source_index()),
                    path,
                    bounds: self.bounds(),
                    crs,
                    nodata: self.nodata(),
                    data_type: self.data_type(),
                    $($a: self.$a(),)*
                    $($o: self.$o(),)*
                }
            }
        }

        /// The numbers of a record, one after another without gaps.
        #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C, packed)]
        pub(super) struct Row {
            $(pub(super) $m: $m_type,)*
            $(pub(super) $a: $a_type,)*
            $(pub(super) $o: $o_type,)*
        }

        impl Row {
            /// Enters what a record gives as it is.
            fn enter(&mut self, record: &RecordInput) {
                $(self.$a = record.$a;)*
                // Adding 0 makes 0 of -0, which is no value either.
                $(self.$o = record.$o + <$o_type>::default();)*
            }
        }

        /// A column of records, by the name of its field.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(non_camel_case_types, reason = "they are the names of fields")]
        pub(super) enum Column { $($m,)* $($a,)* $($o,)* }

        impl Column {
            pub(super) const ALL: &[Self] = &[$(Self::$m,)* $(Self::$a,)* $(Self::$o,)*];

            /// Its line of the table.
            pub(super) fn line(self) -> &'static Line {
                const LINES: &[Line] = &[
                    $(line!($m: $m_type = $m_name, false, $m_expected, $m_legal),)*
                    $(line!($a: $a_type = $a_name, false, $a_expected, $a_legal),)*
                    $(line!($o: $o_type = $o_name, true, $o_expected, $o_legal),)*
                ];
                &LINES[self as usize]
            }
        }
    };
}

macro_rules! line {
    ($field:ident: $type:ty = $name:literal, $optional:literal, $expected:literal, $legal:expr) => {
        Line {
            name: $name,
            element: <$type as Element>::TYPE,
            optional: $optional,
            expected: $expected,
            legal: $legal,
            show: |row| {
                let value = row.$field;
                value.to_string()
            },
        }
    };
}

pub(super) use {columns, line};
