//! What the embedded cluster promises, from outside.
#![cfg(test)]

mod common;
mod contract;
mod crash;
mod direct;
mod engine;
mod fixtures;
mod folders;
mod folding;
mod lives;
mod model;
mod opening;
mod restore;
mod samples;
mod windows;
