//! Benchmarks of the whole product; see `benches/`.
