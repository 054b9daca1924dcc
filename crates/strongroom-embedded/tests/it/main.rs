//! What the embedded cluster promises, from outside.
#![cfg(test)]

mod common;
mod crash;
mod direct;
mod fixtures;
mod folders;
mod model;
mod opening;
mod restore;
mod samples;
mod windows;
