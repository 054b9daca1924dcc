"""python_client.py HOST:PORT...: the official Python client writes and reads against the fake.

Prints "python client: N checks passed" and ends with 0, or says what differs and ends with 1.
"""

import sys

import aerospike
from aerospike import exception
from aerospike_helpers.batch import records as batch_records
from aerospike_helpers.operations import operations

checks = 0


def check(what: str, found: object, expected: object) -> None:
    global checks
    if found != expected:
        print(f"{what}: found {found!r}, expected {expected!r}")
        sys.exit(1)
    checks += 1


hosts = [(address.split(":")[0], int(address.split(":")[1])) for address in sys.argv[1:]]
client = aerospike.client({"hosts": hosts}).connect()
check("connected", client.is_connected(), True)

bins = {"i": -5, "f": 1.5, "s": "schön", "b": b"\x00\xff", "l": [1, "a", [2.5]], "m": {"a": 1, "b": [1, 2]}, "t": True}
keys = [("test", "py", n) for n in range(200)] + [("test", "py", f"key{n}") for n in range(200)]
for number, key in enumerate(keys):
    client.put(key, {**bins, "n": number}, policy={"key": aerospike.POLICY_KEY_SEND})
for number, key in enumerate(keys):
    _, meta, record = client.get(key)
    check(f"record {key}", record, {**bins, "n": number})
    check(f"generation of {key}", meta["gen"], 1)

# The client works out digests and asks the partitions' masters: a scan over all nodes must find each record once.
found = {}
client.query("test", "py").foreach(lambda row: found.__setitem__(bytes(row[0][3]), row[2]["n"]))
check("records in a query of the set", sorted(found.values()), list(range(len(keys))))
check("records in a query of another set", len(client.query("test", "nothing").results()), 0)

try:
    client.get(("test", "py", "nobody"))
    check("a missing record", "was found", "was not found")
except exception.RecordNotFound:
    checks += 1

try:
    client.put(keys[0], {"x": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE})
    check("a record twice", "was written", "was refused")
except exception.RecordExistsError:
    checks += 1

batch = batch_records.BatchRecords(
    [batch_records.Write(("test", "batch", n), [operations.write("n", n)]) for n in range(100)]
)
client.batch_write(batch)
check("results of a batch", {record.result for record in batch.batch_records}, {0})
check("records of a batch", len(client.query("test", "batch").results()), 100)

client.put(("test", "ttl", 1), {"x": 1}, meta={"ttl": 1000})
_, meta = client.exists(("test", "ttl", 1))
check("a time to live", 990 <= meta["ttl"] <= 1000, True)
client.remove(("test", "ttl", 1))
check("a removed record", client.exists(("test", "ttl", 1))[1], None)

client.truncate("test", "batch", 0)
check("records of a truncated set", len(client.query("test", "batch").results()), 0)
print(f"python client: {checks} checks passed")
