//! Pixels of rasters: windows, geotransforms, kernels and warping.
