//! The rows of a table, put together from its columns as JSON.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::{ColumnDescPtr, Type};
use serde_json::{Map, Number, Value};

use super::pages::{Held, Pages};
use super::source::Source;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Rows that are put together at once.
const BATCH: usize = 1024;
/// A longer text is none, bytes.
const LONGEST_TEXT: usize = 1 << 20;
/// Columns that are read at once.
const MOST_READ: usize = 4096;

/// A table in a Parquet file.
pub(crate) struct Table {
    source: Arc<Source>,
    about: ParquetMetaData,
    leaves: Vec<Leaf>,
}

/// A column that is read.
struct Leaf {
    number: usize,
    column: ColumnDescPtr,
    place: Place,
}

/// Where the values of a column stand in the JSON of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The names that lead to the value, or to the list of values.
    names: Vec<String>,
    /// In a list: the names that lead from an element to the value, and the level from which on there is an element.
    element: Option<(Vec<String>, i16)>,
}

impl Place {
    /// Where the column with these names stands below the root of a schema; `None` in lists of lists.
    pub(super) fn of(root: &Type, names: &[String]) -> Option<Self> {
        let mut place = Self { names: Vec::new(), element: None };
        let (mut group, mut level, mut wrapper) = (root, 0, false);
        for name in names {
            let list = group.get_basic_info().converted_type() == ConvertedType::LIST;
            let next = group.get_fields().iter().find(|field| field.name() == name)?;
            let repetition = next.get_basic_info().repetition();
            level += i16::from(repetition != Repetition::REQUIRED);
            let parts = if repetition == Repetition::REPEATED {
                if place.element.is_some() {
                    return None;
                }
                // A list is a group with a repeated one in it; without a group around it, it is called as its elements are.
                let bare = if list { None } else { Some(name.clone()) };
                place.names.extend(bare);
                place.element = Some((Vec::new(), level));
                // That group holds an element with a name of its own, or it is the element.
                wrapper = list && next.is_group() && next.get_fields().len() == 1 && name != "array";
                None
            } else if std::mem::take(&mut wrapper) {
                None
            } else {
                Some(name.clone())
            };
            place.element.as_mut().map_or(&mut place.names, |(names, _)| names).extend(parts);
            group = next;
        }
        Some(place)
    }

    /// All names, from the row on.
    pub(super) fn path(&self) -> Vec<&str> {
        let inner = self.element.iter().flat_map(|(names, _)| names);
        self.names.iter().chain(inner).map(String::as_str).collect()
    }
}

impl Table {
    /// Opens a table to read the columns of which `wanted` says so: it is given the names of groups down to the column, without those
    /// that lists bring along. Columns in lists of lists and those of types that are no text and no number are passed over.
    ///
    /// # Errors
    /// Where the file can't be read or is no Parquet, or a footer would take memory without bound.
    pub(crate) fn open(path: &Path, wanted: &dyn Fn(&[&str]) -> bool) -> Result<Self> {
        let source = Arc::new(Source::open(path)?);
        let about = source.footer()?;
        let schema = about.file_metadata().schema_descr();
        let known = [Physical::BYTE_ARRAY, Physical::INT32, Physical::INT64, Physical::FLOAT, Physical::DOUBLE];
        let mut leaves = Vec::new();
        for (number, column) in schema.columns().iter().enumerate() {
            let Some(place) = Place::of(schema.root_schema(), column.path().parts()) else { continue };
            if known.contains(&column.physical_type()) && wanted(&place.path()) {
                leaves.push(Leaf { number, column: column.clone(), place });
            }
        }
        if leaves.len() > MOST_READ {
            return Err(source.wrong(format!("has more than {MOST_READ} columns to read")));
        }
        Ok(Self { source, about, leaves })
    }

    /// True where there is such a column or group of columns among those that are read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.leaves.iter().any(|leaf| leaf.place.names.first().is_some_and(|first| first == name))
    }

    /// An error that names the file.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> Error {
        self.source.wrong(problem)
    }

    /// Gives each row as a JSON object to `each`, with its number from 0 on. What is null is left out. Memory holds some pages of each column, 1 GB at
    /// most.
    ///
    /// # Errors
    /// Where a page is damaged, columns do not end with the rows, or `each` fails, and where the user interrupts.
    pub(crate) fn each(&self, progress: &dyn Progress, each: &mut dyn FnMut(u64, Value) -> Result<()>) -> Result<()> {
        let rows = u64::try_from(self.about.file_metadata().num_rows()).ok();
        progress.begin("reading the index", rows, "rows");
        let mut number = 0;
        for group in self.about.row_groups() {
            let mut left = usize::try_from(group.num_rows()).map_err(|_| self.wrong("has less than no rows"))?;
            let mut columns = self.columns(group)?;
            while left > 0 {
                if progress.interrupted() {
                    return Err(Error::Interrupted);
                }
                let count = left.min(BATCH);
                for column in &mut columns {
                    let name = || column.leaf.column.path().string();
                    column.cells.clear();
                    let read = unharmed(|| column.cells.fill(&mut column.reader, count));
                    let read = read.map_err(|error| self.wrong(format!("column {}: {error}", name())))?;
                    if read != count {
                        return Err(self.wrong(format!("column {} has less values than rows", name())));
                    }
                }
                for _ in 0..count {
                    let mut row = Map::new();
                    for column in &mut columns {
                        column.put(&mut row).map_err(|problem| {
                            self.wrong(format!("row {number}: {} {problem}", column.leaf.column.path().string()))
                        })?;
                    }
                    each(number, Value::Object(row))?;
                    number += 1;
                }
                progress.advance(count as u64);
                left -= count;
            }
        }
        progress.end();
        Ok(())
    }

    /// The columns of a group of rows.
    fn columns(&self, group: &RowGroupMetaData) -> Result<Vec<Column<'_>>> {
        let held = Held::default();
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let column = |leaf| -> Result<Column<'_>, ParquetError> {
            let Leaf { number, column, place }: &Leaf = leaf;
            let about = group.columns().get(*number);
            let about = about.ok_or_else(|| ParquetError::General("a column is missing".into()))?;
            let lists = column.max_rep_level() > 0 || place.element.is_some();
            let pages = Pages::new(&self.source, about, rows, lists, &held)?;
            let reader = get_column_reader(column.clone(), Box::new(pages));
            Ok(Column { leaf, reader, cells: Cells::default() })
        };
        let columns = self.leaves.iter().map(column).collect::<Result<_, _>>();
        columns.map_err(|error: ParquetError| self.wrong(error.to_string()))
    }
}

/// What the crate makes of bytes that passed our checks; where it panics all the same, an error.
pub(super) fn unharmed<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let damaged = |_| Err(ParquetError::General("it is damaged in a way that has no words".into()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(damaged)
}

/// A column of a group of rows, and the cells of the next rows.
struct Column<'a> {
    leaf: &'a Leaf,
    reader: ColumnReader,
    cells: Cells,
}

/// Cells of some rows: values, and levels that say to which rows and lists they belong. Values and levels are taken in order.
#[derive(Default)]
struct Cells {
    values: Vec<Cell>,
    /// How much of the place of a value is there.
    depths: Vec<i16>,
    /// 0 where a row begins.
    repeats: Vec<i16>,
    /// How many values and levels are taken.
    taken: [usize; 2],
}

/// A value.
#[derive(Debug, Clone)]
enum Cell {
    Bytes(ByteArray),
    Integer(i64),
    Real(f64),
}

impl Cells {
    fn clear(&mut self) {
        self.values.clear();
        self.depths.clear();
        self.repeats.clear();
        self.taken = [0, 0];
    }

    /// Reads the cells of so many rows; gives of how many there were some.
    fn fill(&mut self, reader: &mut ColumnReader, rows: usize) -> Result<usize, ParquetError> {
        match reader {
            ColumnReader::ByteArrayColumnReader(reader) => self.fill_by(reader, rows, Cell::Bytes),
            ColumnReader::Int32ColumnReader(reader) => self.fill_by(reader, rows, |v| Cell::Integer(v.into())),
            ColumnReader::Int64ColumnReader(reader) => self.fill_by(reader, rows, Cell::Integer),
            ColumnReader::FloatColumnReader(reader) => self.fill_by(reader, rows, |v| Cell::Real(v.into())),
            ColumnReader::DoubleColumnReader(reader) => self.fill_by(reader, rows, Cell::Real),
            _ => Err(ParquetError::General("is of a type that is not read".into())),
        }
    }

    fn fill_by<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        cell: impl Fn(T::T) -> Cell,
    ) -> Result<usize, ParquetError> {
        let (mut values, mut read) = (Vec::new(), 0);
        while read < rows {
            let (depths, repeats) = (Some(&mut self.depths), Some(&mut self.repeats));
            let (more, _, _) = reader.read_records(rows - read, depths, repeats, &mut values)?;
            if more == 0 {
                break;
            }
            read += more;
        }
        self.values.extend(values.into_iter().map(cell));
        Ok(read)
    }

    /// The depth of the next level, if it is of the same row or `first` in one; `None` at the end of the row.
    fn depth(&mut self, first: bool, most: i16) -> Option<i16> {
        let at = self.taken[1];
        if !first && self.repeats.get(at).is_none_or(|&repeat| repeat == 0) {
            return None;
        }
        self.taken[1] += 1;
        // Columns that are always there have no levels.
        Some(self.depths.get(at).copied().unwrap_or(most))
    }

    fn value(&mut self) -> Result<Value, &'static str> {
        let cell = self.values.get(self.taken[0]).ok_or("has less values than levels")?;
        self.taken[0] += 1;
        match cell {
            Cell::Bytes(bytes) if bytes.len() > LONGEST_TEXT => Err("has a text of more than 1 MB"),
            Cell::Bytes(bytes) => bytes.as_utf8().map(Value::from).map_err(|_| "has a text that is not UTF-8"),
            Cell::Integer(number) => Ok((*number).into()),
            Cell::Real(number) => Ok(Number::from_f64(*number).map_or(Value::Null, Value::Number)),
        }
    }
}

impl Column<'_> {
    /// Puts the cells of the next row where they belong.
    fn put(&mut self, row: &mut Map<String, Value>) -> Result<(), &'static str> {
        let Place { names, element } = &self.leaf.place;
        let most = self.leaf.column.max_def_level();
        let Some((inner, least)) = element else {
            if self.cells.depth(true, most) == Some(most) {
                let value = self.cells.value()?;
                set(row, names, value);
            }
            return Ok(());
        };
        let (mut first, mut at) = (true, 0);
        while let Some(depth) = self.cells.depth(first, most) {
            first = false;
            if depth < *least {
                continue;
            }
            let value = if depth == most { self.cells.value()? } else { Value::Null };
            let Some(Value::Array(list)) = find(row, names, || Value::Array(Vec::new())) else { continue };
            if inner.is_empty() {
                list.push(value);
            } else {
                if list.len() <= at {
                    list.push(Value::Object(Map::new()));
                }
                if let Value::Object(element) = &mut list[at] {
                    set(element, inner, value);
                }
            }
            at += 1;
        }
        Ok(())
    }
}

/// What stands at a place, which is made where it is not there; `None` where something else is in the way.
fn find<'a>(
    object: &'a mut Map<String, Value>,
    names: &[String],
    new: impl FnOnce() -> Value,
) -> Option<&'a mut Value> {
    let (last, above) = names.split_last()?;
    let mut object = object;
    for name in above {
        let next = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
        object = next.as_object_mut()?;
    }
    Some(object.entry(last.clone()).or_insert_with(new))
}

fn set(object: &mut Map<String, Value>, names: &[String], value: Value) {
    if !value.is_null()
        && let Some(place) = find(object, names, || Value::Null)
    {
        *place = value;
    }
}
