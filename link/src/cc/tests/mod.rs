#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

//! The estimator with pacer and encoder over paths in virtual time, several seeds each. Figures are printed:
//! `cargo nextest run --release --workspace -E 'test(cc::tests)' --no-capture`.

mod drive;
mod losses;
mod odd;
mod path;
mod steady;
mod steps;

const SEEDS: std::ops::Range<u64> = 1..5;
