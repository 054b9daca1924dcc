"""The module against `docs/names.md`: operations, options, errors and the fields of what is told."""

import builtins
import inspect
import re
from pathlib import Path

import pytest
import strongroom
from strongroom import AsyncRepository, Calls, Repository, _data, _errors

PAGE = (Path(__file__).parents[3] / "docs" / "names.md").read_text()


def table(name: str) -> list[list[list[str]]]:
    """The names in each cell of the table; a field that is not always there ends with a question mark."""
    (text,) = re.findall(rf"<!-- names: {name} -->\n((?:\|.*\n)+)", PAGE)
    return [
        [re.findall(r"`([^`]+)`", re.sub(r"`\?", "?`", cell)) or [cell.strip()] for cell in line.strip("|").split("|")]
        for line in text.splitlines()[2:]
    ]


OPERATIONS = [row[0][0] for row in table("operations")]


def test_the_operations_are_those_of_the_table() -> None:
    assert [row[2][0] for row in table("operations")] == OPERATIONS
    calls = {name for name in vars(Calls) if not name.startswith("_")}
    assert calls | {"init", "open"} == set(OPERATIONS)
    for name in OPERATIONS:
        assert callable(getattr(Repository, name))
        assert callable(getattr(AsyncRepository, name))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_options_are_those_of_the_table(operation: str) -> None:
    function = getattr(Repository if operation in ("init", "open") else Calls, operation)
    known = {name for name in inspect.signature(function).parameters if name != "self"}
    assert known == {row[0][0] for row in table("options") if operation in row[3]}


def test_the_errors_are_those_of_the_table() -> None:
    rows = table("errors")
    assert [(row[1][0], row[3][0]) for row in rows] == [(code, cls.__name__) for code, cls in _errors.CLASSES.items()]
    for row in rows:
        for name in row[4]:
            if name.isascii():
                assert issubclass(getattr(strongroom, row[3][0]), getattr(builtins, name))
    assert set(inspect.signature(strongroom.StrongroomError).parameters) == {"message", "advice", "causes"}


@pytest.mark.parametrize("row", table("fields"), ids=lambda row: row[0][0])
def test_the_fields_are_those_of_the_table(row: list[list[str]]) -> None:
    cls = getattr(strongroom, row[0][0])
    assert issubclass(cls, _data.Data)
    told = {field.removesuffix("?") for field in row[1]}
    read = {key for key, _, _ in _data._fields(cls).values()}
    assert read <= told, read - told
