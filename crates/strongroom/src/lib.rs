//! Backs up and restores database clusters: open anything from a URL, a profile or a config.
