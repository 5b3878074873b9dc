//! Which fields of a record are coordinates.

use csv::ByteRecord;

use super::{Chunk, shown};
use crate::error::{Error, Result};
use crate::tile::LonLat;

/// A coordinate that a record must have: what it is, and the names that its column goes by, in small letters.
pub type Coordinate = (&'static str, &'static [&'static str]);

/// The coordinates of a point.
pub const POINT: [Coordinate; 2] =
    [("longitude", &["lon", "lng", "long", "longitude", "x"]), ("latitude", &["lat", "latitude", "y"])];

/// The coordinates of two points.
pub const PAIR: [Coordinate; 4] = [
    ("longitude", &["lon1", "from_lon", "lon_from", "from_longitude", "x1"]),
    ("latitude", &["lat1", "from_lat", "lat_from", "from_latitude", "y1"]),
    ("second longitude", &["lon2", "to_lon", "lon_to", "to_longitude", "x2"]),
    ("second latitude", &["lat2", "to_lat", "lat_to", "to_latitude", "y2"]),
];

/// How the records of a text are cut into fields, and which of these are coordinates.
///
/// Fields are separated by commas, semicolons, tabs or spaces, whichever the first line shows. Where this line is no
/// coordinates but names, they are found by [their names](Coordinate); without names they are the first ones.
#[derive(Debug, Clone)]
pub struct Layout {
    separator: u8,
    /// Where the coordinates are, longitude before latitude for each point.
    columns: Vec<usize>,
    wanted: Vec<Coordinate>,
    /// The first line as it is, where it holds names.
    header: Option<Vec<u8>>,
}

impl Layout {
    /// The layout that the first chunk of a text shows. `columns` names the columns of the coordinates, where they are called by
    /// other names, or numbers them from 1.
    ///
    /// # Errors
    /// Where the text has no columns for the coordinates; the ones that it has are listed.
    pub fn find(first: &Chunk, wanted: &[Coordinate], columns: Option<&[String]>) -> Result<Self> {
        let line = first.bytes.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
        let line = line.trim_ascii();
        let separator = [b'\t', b';', b','].into_iter().find(|separator| line.contains(separator)).unwrap_or(b' ');
        let mut layout =
            Self { separator, columns: (0..wanted.len()).collect(), wanted: wanted.to_vec(), header: None };
        let mut record = ByteRecord::new();
        layout.reader(line).read_byte_record(&mut record).map_err(|e| unreadable(first.line, &e))?;
        let fields: Vec<String> =
            layout.fields(&record).map(|f| String::from_utf8_lossy(f).trim().to_owned()).collect();
        let is_header = !fields.is_empty() && fields.iter().all(|field| field.parse::<f64>().is_err());
        layout.header = is_header.then(|| line.to_vec());
        let missing = |what: String| {
            let problem = if is_header {
                format!("has no column for {what}; the columns are {}", fields.join(", "))
            } else {
                format!("has no column for {what}; its first line is {}", shown(line))
            };
            Error::invalid("the input", problem, "name the columns, or give LON,LAT in each line")
        };
        if let Some(columns) = columns {
            let place = |name: &String| {
                let number = name.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|&n| n < fields.len());
                fields.iter().position(|field| field == name).or(number)
            };
            let found: Option<Vec<usize>> = columns.iter().map(place).collect();
            layout.columns =
                found.filter(|found| found.len() == wanted.len()).ok_or_else(|| missing(columns.join(", ")))?;
        } else if is_header {
            let place = |(what, names): &Coordinate| {
                let named = |name: &&str| fields.iter().position(|field| field.eq_ignore_ascii_case(name));
                names.iter().find_map(named).ok_or_else(|| missing(format!("the {what}")))
            };
            layout.columns = wanted.iter().map(place).collect::<Result<_>>()?;
        }
        Ok(layout)
    }

    /// What separates fields.
    #[must_use]
    pub fn separator(&self) -> char {
        char::from(self.separator)
    }

    /// The line of names, without its end; `None` where the text has none.
    #[must_use]
    pub fn header(&self) -> Option<&[u8]> {
        self.header.as_deref()
    }

    /// Calls `each` with every record, as it stands in the text without the end of its line, and with its points. Empty lines
    /// are passed over, and so is the line of names.
    ///
    /// # Errors
    /// Where a record has too few fields, or its coordinates are none: the number of the line, and the line. Those of `each`.
    pub fn each<'a, const N: usize>(
        &self,
        chunk: &'a Chunk,
        mut each: impl FnMut(&'a [u8], [LonLat; N]) -> Result<()>,
    ) -> Result<()> {
        let bytes = chunk.bytes.as_slice();
        let (mut reader, mut record) = (self.reader(bytes), ByteRecord::new());
        let mut line = chunk.line;
        let mut header = self.header.is_some() && chunk.line == 1;
        let mut start = 0;
        loop {
            let more = reader.read_byte_record(&mut record).map_err(|e| unreadable(line, &e))?;
            let end = if more { reader.position().byte() as usize } else { bytes.len() };
            let (blank, raw) = trimmed(&bytes[start..end]);
            let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            line += lines(&bytes[start..start + blank]);
            if more && !raw.is_empty() && !std::mem::take(&mut header) {
                let points = self.points(&record).map_err(|problem| {
                    let remedy = "correct the line, or leave it out";
                    Error::invalid(format!("line {line}: {}", shown(raw)), problem, remedy)
                })?;
                each(raw, points)?;
            }
            line += lines(&bytes[start + blank..end]);
            start = end;
            if !more {
                return Ok(());
            }
        }
    }

    fn points<const N: usize>(&self, record: &ByteRecord) -> Result<[LonLat; N], String> {
        let mut points = [const { None }; N];
        let spaced: Option<Vec<&[u8]>> = (self.separator == b' ').then(|| self.fields(record).collect());
        let number = |n: usize| {
            let &column = self.columns.get(n).unwrap_or(&n);
            let field = match &spaced {
                Some(fields) => fields.get(column).copied(),
                None => record.get(column),
            };
            let what = self.wanted.get(n).map_or("coordinate", |(what, _)| what);
            let field = field.ok_or_else(|| format!("has no {what}: it has {} fields", record.len()))?;
            let text = std::str::from_utf8(field).unwrap_or("?").trim();
            text.parse::<f64>().map_err(|_| format!("its {what} is no number: {}", shown(field)))
        };
        for (n, point) in points.iter_mut().enumerate() {
            let (lon, lat) = (number(2 * n)?, number(2 * n + 1)?);
            *point = Some(LonLat::new(lon, lat).map_err(|e| problem(e, lon, lat))?);
        }
        // All are there.
        let points: Option<Vec<LonLat>> = points.into_iter().collect();
        points.and_then(|points| points.try_into().ok()).ok_or_else(|| "has no coordinates".into())
    }

    fn reader<'a>(&self, bytes: &'a [u8]) -> csv::Reader<&'a [u8]> {
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(self.separator).has_headers(false).flexible(true).buffer_capacity(64 << 10).from_reader(bytes)
    }

    /// The fields; several spaces are one separator.
    fn fields<'a>(&self, record: &'a ByteRecord) -> impl Iterator<Item = &'a [u8]> {
        let spaces = self.separator == b' ';
        record.iter().filter(move |field| !spaces || !field.trim_ascii().is_empty())
    }
}

/// A place; the message of an error asks whether its numbers are swapped, where they look like it.
///
/// # Errors
/// As [`LonLat::new`].
pub fn place(lon: f64, lat: f64) -> Result<LonLat> {
    LonLat::new(lon, lat).map_err(|error| Error::argument("point", problem(error, lon, lat)))
}

/// What is wrong with a point, with a word about numbers in the wrong order.
pub(super) fn problem(error: Error, lon: f64, lat: f64) -> String {
    let problem = match error {
        Error::Argument { problem, .. } => problem,
        other => other.to_string(),
    };
    let swapped = lat.abs() > 90.0 && lat.abs() <= 360.0 && lon.abs() <= 90.0;
    let hint = if swapped { " (are longitude and latitude swapped?)" } else { "" };
    format!("{problem}{hint}")
}

fn unreadable(line: u64, error: &csv::Error) -> Error {
    Error::invalid(format!("line {line}"), error.to_string(), "give text, CSV or GeoJSON")
}

/// How many bytes of ends of lines lead, and what stands behind them without the end of its own line.
fn trimmed(bytes: &[u8]) -> (usize, &[u8]) {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = bytes.iter().position(|byte| !is_end(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_end(byte)).map_or(start, |at| at + 1);
    (start, &bytes[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::Chunks;

    fn read(text: &str, columns: Option<&[&str]>) -> Result<Vec<(String, f64, f64)>> {
        let columns: Option<Vec<String>> = columns.map(|c| c.iter().map(|s| (*s).to_owned()).collect());
        let chunk = Chunks::new(text.as_bytes()).next().unwrap_or(Ok(Chunk::default()))?;
        let mut found = Vec::new();
        Layout::find(&chunk, &POINT, columns.as_deref())?.each(&chunk, |raw, [p]| {
            found.push((String::from_utf8(raw.to_vec()).unwrap(), p.lon(), p.lat()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn points_are_found_in_every_form_that_people_write() {
        for text in [
            "138.5,35.25\n-1,2",
            "138.5 35.25\n-1   2\n",
            " 138.5 35.25\r\n-1 2 \r\n",
            "138.5\t35.25\n\n\n-1\t2\n",
            "138.5;35.25;x\n-1;2;y;z",
            "lon,lat\n138.5,35.25\n-1,2\n",
            "id,Latitude,Longitude\n1,35.25,138.5\n2,2,-1\n",
            "\u{feff}name;y;x\n\"a;\nb\";35.25;138.5\n;2;-1\n",
            "\n\nlat lon\n35.25 138.5\n2 -1",
        ] {
            let found = read(text, None).unwrap();
            let points: Vec<_> = found.iter().map(|(_, lon, lat)| (*lon, *lat)).collect();
            assert_eq!(points, [(138.5, 35.25), (-1.0, 2.0)], "{text:?}");
            assert!(found.iter().all(|(raw, ..)| text.contains(raw.as_str()) && !raw.ends_with(['\n', '\r'])));
        }
        let named = read("a,b,c\nx,35.25,138.5\n", Some(&["c", "b"])).unwrap();
        assert_eq!(named, [("x,35.25,138.5".into(), 138.5, 35.25)]);
        assert_eq!(read("7,35.25,138.5\n", Some(&["3", "2"])).unwrap()[0].1, 138.5);
        assert_eq!(read("", None).unwrap(), []);
    }

    #[test]
    fn what_is_no_point_is_named_with_its_line() {
        for (text, words) in [
            ("lon,lat\n1,2\n\n\"a\nb\",3\n", vec!["line 4", "a\\nb", "longitude is no number"]),
            ("1,2\n3\n", vec!["line 2", "\"3\"", "has no latitude"]),
            ("1,2\n35.3,138.7\n", vec!["line 2", "35.3,138.7", "latitude 138.7 is not within -90..90", "swapped"]),
            ("1,2\nNaN,0\n", vec!["line 2", "longitude NaN"]),
            ("1,2\n1,inf\n", vec!["line 2", "latitude inf"]),
            ("1,2\n1,\n", vec!["line 2", "latitude is no number"]),
            ("name,lat\nx,1\n", vec!["no column for the longitude", "name, lat"]),
            ("\u{1}\u{2}\u{3}", vec!["no column"]),
        ] {
            let error = read(text, None).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{text:?}: {error}");
        }
        let error = read("a,b\n1,2\n", Some(&["c", "b"])).unwrap_err().to_string();
        assert!(error.contains("c, b") && error.contains("a, b"), "{error}");
    }

    #[test]
    fn pairs_have_four_coordinates() {
        let chunk = Chunk { line: 1, bytes: b"from_lon,from_lat,to_lon,to_lat\n1,2,3,4\n".to_vec() };
        let mut found = Vec::new();
        let layout = Layout::find(&chunk, &PAIR, None).unwrap();
        layout
            .each(&chunk, |_, [a, b]| {
                found.push((a.lon(), b.lat()));
                Ok(())
            })
            .unwrap();
        assert_eq!((found, layout.separator()), (vec![(1.0, 4.0)], ','));
    }
}
