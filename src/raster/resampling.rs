//! The names of the resampling methods.

use strum::VariantNames as _;

use crate::error::Error;

/// How a pixel is made from the cells around its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
#[non_exhaustive]
pub enum Resampling {
    /// The cell that holds the centre.
    Nearest,
    /// The two by two cells around the centre, by distance.
    #[default]
    Bilinear,
    /// Four by four cells, Keys' cubic convolution with a = -0.5.
    Cubic,
    /// Six by six cells, the sinc function windowed by its own main lobe.
    Lanczos,
    /// The mean over the pixel's own area.
    Average,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("resampling", text, Resampling::VARIANTS)
}

impl Resampling {
    /// All methods, from the cheapest to the most expensive.
    pub const ALL: [Self; 5] = [Self::Nearest, Self::Bilinear, Self::Cubic, Self::Lanczos, Self::Average];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for method in Resampling::ALL {
            assert_eq!(method.to_string().parse::<Resampling>().unwrap(), method);
        }
        assert!("Bilinear".parse::<Resampling>().unwrap_err().to_string().contains("lanczos"));
    }
}
