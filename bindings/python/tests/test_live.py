"""Live clusters from Python: the same calls as for embedded ones."""

from pathlib import Path

import aerospike
import pytest
from cassandra.auth import PlainTextAuthProvider  # type: ignore[import-untyped]
from cassandra.cluster import Cluster as CassandraDriver  # type: ignore[import-untyped]
from live_servers import CRATES, aerospike_fake, free_ports, served
from strongroom import OpenCluster, Repository


@pytest.mark.timeout(600)
def test_aerospike_there_and_back(tmp_path: Path) -> None:
    with served(aerospike_fake(), "2", "test", "bar") as nodes:
        hosts = [(host, int(port)) for host, port in (node.split(":") for node in nodes)]
        client = aerospike.client({"hosts": hosts}).connect()
        for number in range(200):
            client.put(("test", "users", number), {"age": number, "tags": ["a", {"b": number}]})
        url = f"aerospike://{nodes[0]}"
        repository = Repository.init(tmp_path / "backups")
        assert set(OpenCluster.open(url).describe().parts) == {"test", "bar"}
        first = repository.backup(url, part="test")
        for number in range(100):
            client.put(("test", "users", number), {"age": -1})
        repository.backup(url, part="test")
        with repository.inspect(backup=first.backups[0]) as state:
            assert sorted(int(record["age"]) for record in state.scan("test")) == list(range(200))

        report = repository.restore(url, rename={"test": "bar"})
        assert report.applied.written == 200
        rows = [bins["age"] for _, _, bins in client.query("bar", "users").results()]
        assert sorted(rows) == [-1] * 100 + list(range(100, 200))
        client.close()


@pytest.mark.timeout(600)
def test_cassandra_there_and_back(tmp_path: Path) -> None:
    ports = free_ports(3)
    with served(CRATES / "strongroom-cassandra/tests/servers/cassandra", *map(str, ports)):
        cql, _, jmx = ports
        for name, secret in (("cql", "cassandra"), ("jmx", "testsecret123")):
            (tmp_path / name).write_text(secret)
            (tmp_path / name).chmod(0o600)
        profiles = tmp_path / "strongroom.toml"
        profiles.write_text(
            f'[clusters.node.cassandra]\nhost = "127.0.0.1:{cql}"\n'
            f'login = {{ user = "cassandra", password = {{ file = "{tmp_path}/cql" }} }}\n'
            f'jmx = {{ port = {jmx}, login = {{ user = "backup", password = {{ file = "{tmp_path}/jmx" }} }} }}\n'
        )
        login = PlainTextAuthProvider("cassandra", "cassandra")
        with CassandraDriver(["127.0.0.1"], port=cql, auth_provider=login).connect() as session:
            session.default_timeout = 60
            session.execute(
                "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
            )
            session.execute("CREATE TABLE app.users (id int PRIMARY KEY, name text)")
            for number in range(50):
                session.execute("INSERT INTO app.users (id, name) VALUES (%s, %s)", (number, f"user {number}"))

            repository = Repository.init(tmp_path / "backups", profiles=profiles)
            with repository.start.backup("node", part="app") as job:
                report = job.result()
            assert len(report.backups) == 1
            session.execute("DELETE FROM app.users WHERE id = 1")
            session.execute("INSERT INTO app.users (id, name) VALUES (99, 'later')")
            restored = repository.restore("node", truncate=True)
            assert set(restored.parts) == {"app"}
            rows = {row.id: row.name for row in session.execute("SELECT id, name FROM app.users")}
            assert rows == {number: f"user {number}" for number in range(50)}
