"""Profiles, and what is opened with them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from . import _native
from ._adapters import Codec
from ._ports import native_codec


def session(profiles: str | os.PathLike[str] | None, own_codecs: Iterable[Codec] = ()) -> _native.Session:
    """With the profiles of a file, or without any, and with codecs written in Python."""
    return _native.Session(
        None if profiles is None else os.fspath(profiles), [native_codec(codec) for codec in own_codecs]
    )


def new_key(path: str | os.PathLike[str]) -> None:
    """Writes a new key into a file that must not exist, readable by its owner alone.

    Keep a copy of it elsewhere: what it seals cannot be read without it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_native.Session().new_key())
        file.flush()
        os.fsync(file.fileno())
