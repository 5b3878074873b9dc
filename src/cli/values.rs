//! The values of options, checked before any work begins: a wrong one ends with exit code 2 and the list of right ones.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use strum::VariantNames;

/// One of the names of an enum.
pub fn one_of<T>() -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = crate::Error> + VariantNames + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}

/// A finite number.
pub fn number(text: &str) -> Result<f64, String> {
    let value = text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    value.ok_or_else(|| format!("{text:?} is no number"))
}

/// A finite number from 0 on.
pub fn distance(text: &str) -> Result<f64, String> {
    number(text).and_then(|v| if v >= 0.0 { Ok(v) } else { Err(format!("{text} is below 0")) })
}

/// A number from 0 to 100, with or without `%`.
pub fn percent(text: &str) -> Result<f64, String> {
    let value = number(text.trim_end_matches('%'))?;
    if (0.0..=100.0).contains(&value) { Ok(value) } else { Err(format!("{text} is not from 0 to 100")) }
}

/// Pixels along a tile's side.
pub fn tile_size(text: &str) -> Result<u32, String> {
    match text {
        "256" => Ok(256),
        "512" => Ok(512),
        "1024" => Ok(1024),
        _ => Err("a tile has 256, 512 or 1024 pixels a side".into()),
    }
}

/// A list of zooms.
pub fn zooms(text: &str) -> Result<crate::tile::Zooms, String> {
    text.parse().map_err(|error| match error {
        crate::Error::Argument { problem, .. } => problem,
        other => other.to_string(),
    })
}

/// A zoom.
pub fn zoom(text: &str) -> Result<u8, String> {
    let last = crate::tile::MAX_NATIVE_ZOOM;
    text.parse().ok().filter(|&z| z <= last).ok_or_else(|| format!("a zoom is a whole number from 0 to {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_limits() {
        assert_eq!((number("-1.5"), distance("2"), percent("5%")), (Ok(-1.5), Ok(2.0), Ok(5.0)));
        assert!(number("nan").is_err() && number("1e999").is_err() && distance("-1").is_err());
        assert!(percent("101").is_err() && percent("").is_err());
        assert!(tile_size("512").is_ok() && tile_size("500").is_err() && zoom("22").is_ok() && zoom("23").is_err());
    }
}
