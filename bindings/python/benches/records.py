"""How many records a second Python iterates over: `python bindings/python/benches/records.py [RECORDS]`.

Prints one line for each way. Build the module for release before: `maturin build --release`.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import strongroom


def measure(what: str, records: int, work: Callable[[], int]) -> None:
    """Calls it three times, and prints the best."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        assert work() == records
        best = min(best, time.perf_counter() - began)
    print(f"{what}: {records / best:,.0f} records/s")


def main(records: int) -> None:
    """Backs up so many records with two bins each, looks into the backup, and iterates."""
    with tempfile.TemporaryDirectory() as folder:
        app = strongroom.EmbeddedCluster.open(Path(folder) / "app.redb", create=True)
        for start in range(0, records, 50_000):
            rows = [
                (key, {"age": key % 90, "name": f"user {key}"}) for key in range(start, min(start + 50_000, records))
            ]
            app.put_many("users", rows)
        repository = strongroom.Repository.init(Path(folder) / "backups")
        repository.backup(app)
        with repository.inspect() as state:
            measure("batches", records, lambda: sum(len(batch) for batch in state.batches("users")))
            measure("one after the other", records, lambda: sum(1 for _ in state.scan("users")))
            measure(
                "batches, one bin read",
                records,
                lambda: sum(one["age"] >= 0 for batch in state.batches("users") for one in batch),
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
