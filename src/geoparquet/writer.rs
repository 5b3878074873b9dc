//! A table that is written row by row.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

/// Rows that are kept in memory, and written together.
const GROUP: usize = 1 << 15;

/// The cell of a row in a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing, in a column that may lack values.
    Missing,
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A number without a fraction.
    Integer(i64),
    /// A number.
    Real(f64),
    /// The elements of a list.
    List(Vec<Cell<'a>>),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// Writes a table; memory holds the cells of 32 768 rows.
pub(crate) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

/// The cells of a column that wait to be written.
#[derive(Default)]
struct Column {
    values: Values,
    /// The level of a value that is there.
    most: i16,
    lists: bool,
    depths: Vec<i16>,
    repeats: Vec<i16>,
}

enum Values {
    Bytes(Vec<ByteArray>),
    Integers(Vec<i64>),
    Reals(Vec<f64>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl<W: Write + Send> Writer<W> {
    /// Begins a table: its schema in the words of Parquet, in which a column is required, or optional in required groups, or a list of required
    /// values; and what the file says about itself.
    pub(crate) fn new(out: W, schema: &str, about: Vec<(String, String)>) -> Result<Self> {
        let schema = Arc::new(parse_message_type(schema)?);
        let about = about.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_created_by(concat!("hypso ", env!("CARGO_PKG_VERSION")).to_string())
            .set_key_value_metadata(Some(about))
            .build();
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        let leaves = file.schema_descr().columns().iter();
        let columns = leaves.map(|leaf| Column {
            values: match leaf.physical_type() {
                Physical::INT64 => Values::Integers(Vec::new()),
                Physical::DOUBLE => Values::Reals(Vec::new()),
                _ => Values::Bytes(Vec::new()),
            },
            most: leaf.max_def_level(),
            lists: leaf.max_rep_level() > 0,
            ..Column::default()
        });
        Ok(Self { columns: columns.collect(), file, rows: 0 })
    }

    /// Adds a row: a cell for each column of the schema, in its order.
    pub(crate) fn put<'a>(&mut self, row: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
        let mut row = row.into_iter();
        for column in &mut self.columns {
            column.put(row.next().unwrap_or(Cell::Missing));
        }
        debug_assert!(row.next().is_none(), "more cells than columns");
        self.rows += 1;
        if self.rows == GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                column.write(&mut writer)?;
                writer.close()?;
            }
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.file.close()?;
        Ok(())
    }
}

impl Column {
    fn put(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Missing => self.level(self.most - 1, 0),
            Cell::List(cells) if cells.is_empty() => self.level(self.most - 1, 0),
            Cell::List(cells) => {
                for (n, cell) in cells.into_iter().enumerate() {
                    self.level(self.most, i16::from(n > 0));
                    self.values.push(cell);
                }
            }
            cell => {
                self.level(self.most, 0);
                self.values.push(cell);
            }
        }
    }

    fn level(&mut self, depth: i16, repeat: i16) {
        if self.most > 0 {
            self.depths.push(depth);
        }
        if self.lists {
            self.repeats.push(repeat);
        }
    }

    fn write(&mut self, to: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let depths = Some(self.depths.as_slice()).filter(|_| self.most > 0);
        let repeats = Some(self.repeats.as_slice()).filter(|_| self.lists);
        match &mut self.values {
            Values::Bytes(values) => {
                to.typed::<ByteArrayType>().write_batch(values, depths, repeats)?;
                values.clear();
            }
            Values::Integers(values) => {
                to.typed::<Int64Type>().write_batch(values, depths, repeats)?;
                values.clear();
            }
            Values::Reals(values) => {
                to.typed::<DoubleType>().write_batch(values, depths, repeats)?;
                values.clear();
            }
        }
        self.depths.clear();
        self.repeats.clear();
        Ok(())
    }
}

impl Values {
    /// Adds a value of the column's type; another one is a mistake in our own code, and counts as nothing.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Bytes(values), Cell::Text(text)) => values.push(ByteArray::from(text.as_ref().as_bytes().to_vec())),
            (Self::Bytes(values), Cell::Bytes(bytes)) => values.push(bytes.into()),
            (Self::Integers(values), Cell::Integer(number)) => values.push(number),
            (Self::Reals(values), Cell::Real(number)) => values.push(number),
            (values, cell) => debug_assert!(false, "{cell:?} in {}", values.name()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Integers(_) => "integers",
            Self::Reals(_) => "reals",
        }
    }
}
