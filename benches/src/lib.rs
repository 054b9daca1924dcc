//! Benches of strongroom: ratios in one run, so that they mean something on another machine.

pub mod data;
pub mod folder;
pub mod known;
pub mod loading;
pub mod made;
pub mod measure;
pub mod shapes;
pub mod targets;
