//! Codecs and keys for strongroom: lz4, zstd, AES-256-GCM sealing.
