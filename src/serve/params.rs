//! Queries of URLs, taken strictly: what is not UTF-8, no number or given twice is refused.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::problem::{Answer, Problem};
use crate::tile::LonLat;

/// The most parameters that are read.
const MOST: usize = 100;

/// The parameters of a query.
#[derive(Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Parses what stands behind the `?` of a URL.
    ///
    /// # Errors
    /// Where a name or value is no UTF-8 once decoded, or there are too many.
    pub fn parse(query: &str) -> Answer<Self> {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            let decoded = percent_decode_str(&spaced).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| Problem::bad("the query is not UTF-8"))
        };
        let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).take(MOST + 1).collect();
        if pairs.len() > MOST {
            return Err(Problem::bad(format!("the query has more than {MOST} parameters")));
        }
        pairs
            .into_iter()
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Answer<_>>()
            .map(Self)
    }

    /// The value of a parameter; `None` where it is not given or empty.
    ///
    /// # Errors
    /// Where it is given twice.
    pub fn text(&self, name: &str) -> Answer<Option<&str>> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(Problem::bad(format!("{name}: is given more than once")));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// As [`text`](Self::text), as any type that texts turn into.
    ///
    /// # Errors
    /// Where it is none of that type: `expected` says what it should be.
    pub fn value<T: FromStr>(&self, name: &str, expected: &str) -> Answer<Option<T>> {
        let parse = |text: &str| {
            text.trim().parse().map_err(|_| Problem::bad(format!("{name}: expected {expected}, found {text:?}")))
        };
        self.text(name)?.map(parse).transpose()
    }

    /// A finite number.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn number(&self, name: &str) -> Answer<Option<f64>> {
        let number = self.value::<f64>(name, "a number")?;
        match number {
            Some(n) if !n.is_finite() => Err(Problem::bad(format!("{name}: expected a finite number"))),
            other => Ok(other),
        }
    }

    /// A place `LON,LAT` in degrees.
    ///
    /// # Errors
    /// Where it is none: the message tells of swapped numbers.
    pub fn point(&self, name: &str) -> Answer<Option<LonLat>> {
        self.text(name)?.map(place).transpose()
    }

    /// The same as fields of a JSON object: numbers and texts count as what would stand in a URL, `null` as nothing.
    pub(crate) fn from_object(object: serde_json::Map<String, Value>) -> Self {
        let text = |value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        Self(object.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
    }

    /// How many: from 1 to `most`.
    ///
    /// # Errors
    /// Where it is no such number.
    pub fn count(&self, name: &str, most: usize) -> Answer<Option<usize>> {
        let expected = format!("a whole number from 1 to {most}");
        match self.value::<usize>(name, &expected)? {
            Some(n) if n == 0 || n > most => Err(Problem::bad(format!("{name}: expected {expected}, found {n}"))),
            other => Ok(other),
        }
    }
}

/// A place `LON,LAT` in degrees.
///
/// # Errors
/// Where it is none: the message asks whether the two are swapped, where they look like it.
pub fn place(text: &str) -> Answer<LonLat> {
    let numbers = text.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    match numbers {
        Some((lon, lat)) => Ok(crate::track::place(lon, lat)?),
        None => Ok(text.parse()?),
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_taken_strictly() {
        let params = Params::parse("lon=138.7&lat=+35&name=a%20b+c&twice=1&twice=2&inf=inf&empty=").unwrap();
        assert_eq!(params.number("lon").unwrap(), Some(138.7));
        assert_eq!(params.number("lat").unwrap(), Some(35.0));
        assert_eq!(params.text("name").unwrap(), Some("a b c"));
        assert_eq!(params.text("empty").unwrap(), None);
        assert!(params.text("twice").is_err() && params.number("inf").is_err() && params.number("name").is_err());
        assert!(Params::parse("a=%ff").is_err());
        assert_eq!(Params::parse("a=%zz").unwrap().text("a").unwrap(), Some("%zz"));
        assert!(Params::parse(&"a=1&".repeat(101)).is_err());
        assert!(Params::parse("n=0").unwrap().count("n", 5).is_err());
        let swapped = Params::parse("from=35.3,138.7").unwrap().point("from").unwrap_err();
        assert!(swapped.detail().contains("swapped"), "{}", swapped.detail());
        assert_eq!(place("138.5 35.25").unwrap(), place(" 138.5, 35.25").unwrap());
    }
}
