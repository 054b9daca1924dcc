"""Live clusters for the tests: a real Cassandra node, and the test cluster of Aerospike. One that cannot be started fails the test."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CRATES = Path(__file__).parents[3] / "crates"


@contextmanager
def served(*command: str | Path) -> Iterator[list[str]]:
    """Runs a server until the end of the block, and gives the lines that it printed before ``ready``."""
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        try:
            lines = []
            for line in server.stdout:
                if line.strip() == "ready":
                    break
                lines.append(line.strip())
            else:
                raise RuntimeError(f"{command[0]} did not start: {lines}")
            yield lines
        finally:
            server.stdin.close()
            server.stdout.close()


def aerospike_fake() -> Path:
    """The program of the test cluster, built if need be."""
    cargo = ["cargo", "build", "--quiet", "--locked", "--bin", "aerospike-fake"]
    subprocess.run(cargo, cwd=CRATES, check=True)
    told = subprocess.run(
        ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"],
        cwd=CRATES,
        check=True,
        capture_output=True,
    )
    return Path(json.loads(told.stdout)["target_directory"]) / "debug" / "aerospike-fake"


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, all at once, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
