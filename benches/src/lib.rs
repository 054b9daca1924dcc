//! Benches of strongroom: ratios in one run.
