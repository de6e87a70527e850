//! Withdrawing runs.
