//! What the embedded cluster promises, from outside.
#![cfg(test)]

mod common;
mod direct;
mod opening;
mod samples;
mod windows;
