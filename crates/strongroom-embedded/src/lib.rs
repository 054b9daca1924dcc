//! An embedded record cluster in one redb file.
