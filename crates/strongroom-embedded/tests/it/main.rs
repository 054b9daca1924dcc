//! What the embedded cluster promises, from outside.
#![cfg(test)]

mod common;
mod direct;
mod fixtures;
mod folders;
mod opening;
mod samples;
mod windows;
