//! The Aerospike record model and the .asb text backup format.

pub mod asb;
pub mod canonical;
pub mod deletes;
pub mod fold;
pub mod folder;
pub mod model;
pub mod wrap;

pub use model::{Bin, BinName, Digest, Double, Entity, Function, Name, Particle, Record, SecondaryIndex, UserKey};
