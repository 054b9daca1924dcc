//! Storage for strongroom: local folder, memory, S3, Azure Blob and GCS.
