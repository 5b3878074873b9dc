//! Patterns of names.

use std::path::{Path, PathBuf};

use crate::archive::Scheme;
use crate::archive::scheme::flip;
use crate::error::{Error, Result};
use crate::tile::{MAX_ZOOM, TileCoord};

/// A pattern of names below a folder, such as `{z}/{y}/{x}.png`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    /// True where the names may end with any extension.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Zoom,
    Column,
    Row,
    /// The row from the south.
    Tms,
    Quadkey,
}

const FIELDS: [(&str, Field); 5] =
    [("z", Field::Zoom), ("x", Field::Column), ("y", Field::Row), ("-y", Field::Tms), ("quadkey", Field::Quadkey)];

impl Template {
    /// True for a path with a field of a pattern in it.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.to_str().is_some_and(|text| FIELDS.iter().any(|(name, _)| text.contains(&format!("{{{name}}}"))))
    }

    /// The folder in front of the first name with a field, and the pattern of the names below it.
    ///
    /// # Errors
    /// Where fields are missing, stand twice, or touch each other.
    pub fn split(path: &Path) -> Result<(PathBuf, Self)> {
        let text = path.to_string_lossy();
        let first = text.split('/').take_while(|name| !name.contains('{')).map(|name| name.len() + 1).sum::<usize>();
        let (folder, names) = text.split_at(first.min(text.len()));
        let folder = if folder.is_empty() {
            "."
        } else if folder == "/" {
            "/"
        } else {
            folder.trim_end_matches('/')
        };
        let parsed = Self::parse(names).map_err(|problem| Error::argument(text.clone(), problem))?;
        Ok((folder.into(), parsed))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let known = "expected {z}, {x} and {y} (or {-y}), or {quadkey}, each once and with text between them";
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            let Some(end) = from.find('}') else { return Err(format!("a brace is not closed; {known}")) };
            let name = &from[1..end];
            let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
                return Err(format!("{{{name}}} is no field; {known}"));
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Field(*field));
            rest = &from[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let fields: Vec<Field> =
            parts.iter().filter_map(|p| if let Part::Field(f) = p { Some(*f) } else { None }).collect();
        let count = |field: Field| fields.iter().filter(|&&known| known == field).count();
        let [z, x, y, tms, key] = [Field::Zoom, Field::Column, Field::Row, Field::Tms, Field::Quadkey].map(count);
        let touch = parts.windows(2).any(|two| matches!(two, [Part::Field(_), Part::Field(_)]));
        let climbs = text.split('/').any(|name| name == ".." || name == ".");
        match (z, x, y + tms, key) {
            (1, 1, 1, 0) | (0, 0, 0, 1) if !touch && !climbs => Ok(Self { parts, open: false }),
            _ => Err(known.to_owned()),
        }
    }

    /// The pattern of a scheme, with any extension.
    #[must_use]
    pub fn of(scheme: Scheme) -> Self {
        let [a, b] = match scheme {
            Scheme::Xyz => [Field::Column, Field::Row],
            Scheme::Tms => [Field::Column, Field::Tms],
            Scheme::Zyx => [Field::Row, Field::Column],
        };
        let slash = || Part::Text("/".to_owned());
        Self { parts: vec![Part::Field(Field::Zoom), slash(), Part::Field(a), slash(), Part::Field(b)], open: true }
    }

    /// How many folders and files stand under each other.
    pub(super) fn depth(&self) -> usize {
        let slashes = |part: &Part| if let Part::Text(text) = part { text.matches('/').count() } else { 0 };
        1 + self.parts.iter().map(slashes).sum::<usize>()
    }

    /// What the pattern's names end with, behind the last field.
    pub(super) fn ending(&self) -> &str {
        match self.parts.last() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The name of a tile; an extension is added where the pattern leaves it open.
    pub(super) fn name(&self, tile: TileCoord, extension: &str) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out += text,
                Part::Field(Field::Zoom) => out += &tile.z().to_string(),
                Part::Field(Field::Column) => out += &tile.x().to_string(),
                Part::Field(Field::Row) => out += &tile.y().to_string(),
                Part::Field(Field::Tms) => out += &flip(tile.z(), tile.y()).to_string(),
                Part::Field(Field::Quadkey) => out += &tile.quadkey(),
            }
        }
        if self.open { format!("{out}.{extension}") } else { out }
    }

    /// The tile with a name, and the rest of the name where the pattern leaves the extension open.
    pub(super) fn tile<'a>(&self, name: &'a str) -> Option<(TileCoord, &'a str)> {
        let mut rest = name;
        let (mut z, mut x, mut y, mut tms, mut key) = (None, None, None, None, None);
        for part in &self.parts {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Field(field) => {
                    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    let (number, after) = rest.split_at(digits);
                    rest = after;
                    if *field == Field::Quadkey {
                        key = Some(number);
                        continue;
                    }
                    let value: u32 = number.parse().ok().filter(|n: &u32| n.to_string() == number)?;
                    *(match field {
                        Field::Zoom => &mut z,
                        Field::Column => &mut x,
                        Field::Row => &mut y,
                        _ => &mut tms,
                    }) = Some(value);
                }
            }
        }
        if !(rest.is_empty() || self.open && rest.starts_with('.') && !rest.contains('/')) {
            return None;
        }
        if let Some(key) = key {
            return Some((TileCoord::from_quadkey(key)?, rest));
        }
        let z = u8::try_from(z?).ok().filter(|&z| z <= MAX_ZOOM)?;
        let row = match (y, tms) {
            (Some(y), _) => y,
            (_, Some(tms)) => flip(z, Some(tms).filter(|&tms| u64::from(tms) < 1 << z)?),
            _ => return None,
        };
        Some((TileCoord::new(z, x?, row)?, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_tiles_and_back() {
        let tile = TileCoord::new(3, 5, 2).unwrap();
        for (path, folder, name) in [
            ("a/b/{z}/{y}/{x}.png", "a/b", "3/2/5.png"),
            ("{z}/{x}/{-y}.webp", ".", "3/5/5.webp"),
            ("/t/{quadkey}.jpg", "/t", "121.jpg"),
            ("/{z}-{x}-{y}", "/", "3-5-2"),
            ("t/z{z}/r{y}_c{x}.png", "t", "z3/r2_c5.png"),
        ] {
            let (found, template) = Template::split(Path::new(path)).unwrap();
            assert_eq!((found.as_path(), template.name(tile, "x").as_str()), (Path::new(folder), name), "{path}");
            assert_eq!(template.tile(name), Some((tile, "")), "{path}");
            for wrong in ["", "a", "3/2/5.pngx", "03/2/5.png", "3/9/9.png", "99/0/0.png"] {
                assert_eq!(template.tile(wrong), None, "{path}: {wrong}");
            }
        }
        let xyz = Template::of(Scheme::Tms);
        assert_eq!(xyz.name(tile, "png"), "3/5/5.png");
        assert_eq!((xyz.tile("3/5/5.vector.pbf"), xyz.tile("3/5/5x")), (Some((tile, ".vector.pbf")), None));
        for path in [
            "a/{z}/{x}.png",
            "{z}/{x}/{y}/{y}",
            "{z}{x}/{y}",
            "{quadkey}/{z}",
            "{z}/{x}/{w}",
            "{z}/{x}/{y",
            "{z}/../{x}/{y}",
        ] {
            assert!(Template::split(Path::new(path)).is_err(), "{path}");
        }
        assert!(Template::is_one(Path::new("a/{z}/b")) && !Template::is_one(Path::new("a{1}/b")));
    }
}
