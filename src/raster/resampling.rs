//! The names of the resampling methods.

use crate::error::{Error, Result};

/// How a pixel is made from the cells around its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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

impl Resampling {
    /// All methods, from the cheapest to the dearest.
    pub const ALL: [Self; 5] = [Self::Nearest, Self::Bilinear, Self::Cubic, Self::Lanczos, Self::Average];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Cubic => "cubic",
            Self::Lanczos => "lanczos",
            Self::Average => "average",
        }
    }
}

impl std::fmt::Display for Resampling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Resampling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|r| r.name() == text).ok_or_else(|| {
            Error::argument(
                format!("resampling {text:?}"),
                "expected one of nearest, bilinear, cubic, lanczos, average",
            )
        })
    }
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
