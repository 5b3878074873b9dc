//! A value of JSON whose parser is no part of any interface.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::error::{Error, Result};

/// A value of JSON (RFC 8259): null, a truth value, a number, a text, a list or an object.
///
/// It is read from a text and displayed as one, without blanks, keys in alphabetical order. Programs that look into lists and objects
/// give that text to a parser of their own.
///
/// ```
/// use hypso::Json;
///
/// let legend: Json = r#"{"sources": ["dem5a"], "nodata": null}"#.parse()?;
/// assert_eq!(legend.to_string(), r#"{"nodata":null,"sources":["dem5a"]}"#);
/// assert_eq!(Json::from("by-zoom").as_str(), Some("by-zoom"));
/// assert_eq!(Json::from(12).as_f64(), Some(12.0));
/// assert!("{".parse::<Json>().is_err());
/// # Ok::<(), hypso::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Json(Value);

impl Json {
    pub(crate) const fn of(value: Value) -> Self {
        Self(value)
    }

    pub(crate) const fn value(&self) -> &Value {
        &self.0
    }

    /// The text, where the value is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// The number, where the value is one; the nearest to a number that an `f64` does not hold.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    /// What an object holds under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

impl FromStr for Json {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |e| Error::argument("JSON", format!("{e}"));
        serde_json::from_str(text).map(Self).map_err(bad)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! from {
    ($($type:ty),*) => {$(
        impl From<$type> for Json {
            fn from(value: $type) -> Self {
                Self(value.into())
            }
        }
    )*};
}

// A number that is none of JSON's (not a number, infinite) becomes null.
from!(&str, String, bool, i64, u64, i32, u32, f64);
