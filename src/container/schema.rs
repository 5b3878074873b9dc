//! What the sections of a file mean.

use super::Container;
use crate::error::Result;

/// A type that gives meaning to the sections of a [`Container`]. [`Store`](crate::Store) does so for records of rasters.
/// `Container` itself takes any file. A [`Handle`](super::Handle) follows files of any such type.
///
/// ```
/// # use std::io::Cursor;
/// use hypso::Result;
/// use hypso::container::{Container, ContainerBuilder, Schema};
///
/// struct Stations(Container);
///
/// impl Schema for Stations {
///     fn from_container(container: Container) -> Result<Self> {
///         container.expect_schema("weather-stations")?;
///         container.column::<f64>("station.height")?;
///         Ok(Self(container))
///     }
///
///     fn container(&self) -> &Container {
///         &self.0
///     }
/// }
///
/// let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "weather-stations")?;
/// out.column("station.height", &[12.5f64, 640.0])?;
/// let stations = Stations::from_container(Container::from_bytes(out.finish()?.into_inner())?)?;
/// assert_eq!(stations.container().column::<f64>("station.height")?.len(), 2);
/// # Ok::<(), hypso::Error>(())
/// ```
pub trait Schema: Sized + Send + Sync + 'static {
    /// Opens what a file holds: checks its [schema](Container::expect_schema), and finds the parts that have to be there.
    ///
    /// # Errors
    /// Where the file is of another schema, or parts are missing or do not fit one another.
    fn from_container(container: Container) -> Result<Self>;

    /// The file below.
    fn container(&self) -> &Container;
}
