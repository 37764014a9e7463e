//! What the benchmarks measure with: allocations, CPU time, instructions, tables.

pub mod allocations;
pub mod cpu;
pub mod futures;
pub mod table;
