//! Memory storage, simulated cluster, fault wrappers and contract tests for strongroom adapters.
