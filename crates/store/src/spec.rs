//! Stored form of definitions.
