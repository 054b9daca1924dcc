//! Answers of the planner as text for people.

mod check;
mod difference;
mod what_if;
mod windows;
