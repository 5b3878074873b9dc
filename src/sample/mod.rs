//! A realistic multi-source data set made by our own code.
