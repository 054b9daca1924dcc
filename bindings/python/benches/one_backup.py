"""Backs up once, and prints the nanoseconds on the wall and of processor time that this took: `one_backup.py FILE REPOSITORY`.

Started by the bench `overhead`, beside the same backup from Rust.
"""

import sys
import time

import strongroom


def main(file: str, folder: str) -> None:
    """Opens both, and measures the backup alone."""
    cluster = strongroom.OpenCluster.open(f"embedded:{file}")
    repository = strongroom.Repository.init(folder)
    wall, processor = time.perf_counter_ns(), time.process_time_ns()
    repository.backup(cluster)
    print(time.perf_counter_ns() - wall, time.process_time_ns() - processor)


if __name__ == "__main__":
    main(*sys.argv[1:])
