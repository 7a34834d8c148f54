"""A northbound DB in memory that compares versions as etcd does."""

import json

from networking_trunkpath.store import MAX_TRANSACTION_RECORDS, WRITER_KEY, Snapshot, StoreTooLarge


class MemoryStore:
    """Implements Store; tests read and modify its records, counters and reports directly."""

    def __init__(self):
        # The records that Neutron writes, and by id those of table chassis, which the hosts write.
        self.records = {}
        self.chassis = {}
        self.counters = {}
        self.reports = {}
        self.host_reports = {}
        self.commits = 0
        self.failure = None
        # Records in a transaction above which it is too large.
        self.max_records = MAX_TRANSACTION_RECORDS
        self._versions = {}

    def encode_key(self, key):
        return repr(key)

    def read(self, keys, counters):
        self._raise_failure()
        assert len(keys) <= MAX_TRANSACTION_RECORDS
        return Snapshot(
            values={
                key: (self.chassis.get(key.id) if key.table == "chassis" else self.records.get(key)) for key in keys
            },
            counters={table: self.counters.get(table) for table in counters},
            versions={name: self._versions.get(name) for name in [WRITER_KEY, *counters, *keys]},
        )

    def commit(self, snapshot, changes, counters):
        self._raise_failure()
        if len(changes) > self.max_records:
            raise StoreTooLarge(f"{len(changes)} records")
        names = [WRITER_KEY, *counters, *changes]
        if any(self._versions.get(name) != snapshot.versions[name] for name in names):
            return False
        self.commits += 1
        self._versions |= dict.fromkeys(names, self.commits)
        self.counters |= {table: str(last).encode() for table, last in counters.items()}
        self.records |= {key: text and text.encode() for key, text in changes.items()}
        self.records = {key: value for key, value in self.records.items() if value is not None}
        return True

    def read_table(self, table):
        self._raise_failure()
        yield from [(key, value) for key, value in self.records.items() if key.table == table]

    def read_port_reports(self, ports):
        self._raise_failure()
        return {port: self.reports[port] for port in ports if port in self.reports}

    def read_host_reports(self):
        self._raise_failure()
        return self.host_reports

    def close(self):
        pass

    def records_by_id(self, table):
        return {key.id: json.loads(value) for key, value in self.records.items() if key.table == table}

    def _value(self, key):
        return self.chassis.get(key.id) if key.table == "chassis" else self.records.get(key)

    def _raise_failure(self):
        if self.failure:
            raise self.failure
