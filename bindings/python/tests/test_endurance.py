"""Many jobs leave nothing behind, and a piece larger than memory should be takes little of it.

`STRONGROOM_JOBS` and `STRONGROOM_PIECE_MIB` make it shorter or longer.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

JOBS = int(os.environ.get("STRONGROOM_JOBS", "10000"))
PIECE_MIB = int(os.environ.get("STRONGROOM_PIECE_MIB", "2048"))
#: A quarter of the piece. It is about 100 MiB as a rule; 313 MiB were seen once on a loaded machine, why is not known.
LIMIT_MIB = PIECE_MIB // 4


def run(program: str, *arguments: int) -> str:
    """Runs it in a process of its own, and gives what it printed."""
    command = [sys.executable, str(Path(__file__).parent / "endurance" / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(3600)
def test_many_jobs_leave_nothing_behind() -> None:
    assert "jobs left" in run("many_jobs.py", JOBS)


@pytest.mark.timeout(3600)
def test_a_large_piece_takes_bounded_memory() -> None:
    assert "MiB at most" in run("large_piece.py", PIECE_MIB << 20, LIMIT_MIB)
