"""Exceptions: one for each code, each also the builtin that fits."""

import pickle
from datetime import datetime
from pathlib import Path

import pytest
import strongroom
from strongroom import EmbeddedCluster, Repository, _errors, _native


def test_every_code_has_its_class() -> None:
    assert list(_errors.CLASSES) == _native.codes()
    for code, cls in _errors.CLASSES.items():
        assert cls.code == code
        assert issubclass(cls, strongroom.StrongroomError)
        assert getattr(strongroom, cls.__name__) is cls


@pytest.mark.parametrize("code", _native.codes())
def test_an_exception_says_what_and_what_to_do(code: str) -> None:
    error = _errors.make(code, "what", "do this", ["a cause"])
    assert str(error) == "what (do this)\n  because: a cause"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert _errors.describe(error) == (code, "what", "do this")


@pytest.mark.parametrize(
    ("builtin", "code"),
    [
        (FileNotFoundError, "NOT_FOUND"),
        (KeyError, "NOT_FOUND"),
        (FileExistsError, "ALREADY_EXISTS"),
        (ValueError, "INVALID"),
        (NotImplementedError, "UNSUPPORTED"),
        (PermissionError, "DENIED"),
        (ConnectionError, "UNAVAILABLE"),
        (OSError, "NO_SPACE"),
        (ValueError, "CORRUPT"),
        (LookupError, "BROKEN_CHAIN"),
        (RuntimeError, "INTERNAL"),
    ],
)
def test_it_is_the_builtin_that_fits(builtin: type[Exception], code: str) -> None:
    with pytest.raises(builtin, match="what"):
        raise _errors.make(code, "what", None, [])


def test_bad_input_is_refused_with_advice(repository: Repository, cluster: EmbeddedCluster, tmp_path: Path) -> None:
    with pytest.raises(strongroom.NotFoundError):
        Repository.open(tmp_path / "nothing")
    with pytest.raises(strongroom.AlreadyExistsError):
        Repository.init(tmp_path / "backups")
    with pytest.raises(strongroom.InvalidError, match="nothing://"):
        repository.backup("nothing://there")
    with pytest.raises(strongroom.NotFoundError):
        repository.backup(tmp_path / "mistyped.redb")
    with pytest.raises(ValueError, match="time zone"):
        repository.plan(at=datetime(2026, 1, 1))  # noqa: DTZ001, that is the point
    with pytest.raises(ValueError, match="zone or offset"):
        repository.plan(at="2026-01-01T00:00:00")
    with pytest.raises(ValueError, match="exclude each other"):
        repository.plan(at="2026-01-01T00:00:00Z", backup="00000000000000000000000000000001")
    with pytest.raises(ValueError, match="UUID"):
        repository.plan(backup="nonsense")
    with pytest.raises(ValueError, match="staging"):
        repository.restore(cluster, proof="stage")
    with pytest.raises(ValueError, match="5 apples"):
        repository.backup(cluster, limit_rate="5 apples")
    with pytest.raises(ValueError, match="64 bits"):
        cluster.put("app", 1, {"value": 2**63})
    with pytest.raises(ValueError, match="type set"):
        cluster.put("app", 1, {"value": {1, 2}})  # type: ignore[dict-item]
    with pytest.raises(KeyError):
        cluster.get("app", "nobody")
    with pytest.raises(FileNotFoundError):
        EmbeddedCluster.open(tmp_path / "nothing.redb")


def test_a_failed_part_has_error_and_report(repository: Repository, cluster: EmbeddedCluster) -> None:
    job = repository.start.backup(cluster, kind="incremental")
    error = job.error()
    assert error is not None
    report = error.report
    assert isinstance(report, strongroom.BackupReport)
    assert report.parts[0].error is not None
    assert report.parts[0].error.code == error.code
    with pytest.raises(type(error)):
        job.result()


def test_no_secret_is_shown(tmp_path: Path) -> None:
    url = "s3://bucket/prefix?region=x&access_key_id=AKIA&secret_access_key=hush&endpoint=http://127.0.0.1:1&retries=0"
    with pytest.raises(strongroom.UnavailableError) as caught:
        Repository.open(url)
    assert "hush" not in repr(caught.value) + str(caught.value)
    assert "hush" not in _native.redact(url)
