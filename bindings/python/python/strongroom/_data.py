"""Answers of the library as typed objects, read from their JSON."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from ._time import moment_from_json

D = TypeVar("D", bound="Data")


@dataclass(frozen=True)
class Data:
    """An answer. ``raw`` is its JSON, with the names it has in every language; newer fields are there too."""

    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False, kw_only=True)

    @classmethod
    def from_json(cls: type[D], raw: dict[str, Any]) -> D:
        """Reads it. What is not known is left in ``raw``."""
        values, known = {}, cast("Hashable", cls)
        for name, (key, read, needed) in _fields(known).items():
            if key in raw:
                values[name] = read(raw[key])
            elif needed:
                values[name] = None
        return cls(raw=raw, **values)


#: Fields whose names in JSON are a word of Python, or tell the unit that a Python type makes needless.
NAMES = {"start": "from", "elapsed": "elapsed_micros", "remaining": "remaining_micros"}


@functools.cache
def _fields(cls: Any) -> dict[str, tuple[str, Callable[[Any], Any], bool]]:
    hints = typing.get_type_hints(cls)
    found = {}
    for one in dataclasses.fields(cls):
        if one.name != "raw":
            needed = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
            found[one.name] = (NAMES.get(one.name, one.name), _reader(hints[one.name]), needed)
    return found


def _reader(hint: Any) -> Callable[[Any], Any]:
    """What reads a value of that type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        (inner,) = (_reader(one) for one in arguments if one is not type(None))
        return lambda value: None if value is None else inner(value)
    if origin is list:
        element = _reader(arguments[0])
        return lambda value: [element(one) for one in value]
    if origin is dict:
        element = _reader(arguments[1])
        return lambda value: {key: element(one) for key, one in value.items()}
    if isinstance(hint, type) and issubclass(hint, Data):
        return hint.from_json
    return PLAIN.get(hint, lambda value: value)


PLAIN: dict[Any, Callable[[Any], Any]] = {
    datetime: moment_from_json,
    timedelta: lambda micros: timedelta(microseconds=micros),
}
