"""Profiles, and what is opened with them."""

from __future__ import annotations

import os

from . import _native


def session(profiles: str | os.PathLike[str] | None) -> _native.Session:
    """With the profiles of a file, or without any."""
    return _native.Session(None if profiles is None else os.fspath(profiles))


def new_key(path: str | os.PathLike[str]) -> None:
    """Writes a new key into a file that must not exist, readable by its owner alone.

    Keep a copy of it elsewhere: what it seals cannot be read without it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_native.Session().new_key())
        file.flush()
        os.fsync(file.fileno())
