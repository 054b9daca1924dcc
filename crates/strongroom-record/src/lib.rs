//! The Aerospike record model and the .asb text backup format.
