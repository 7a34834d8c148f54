"""A northbound DB in memory, for tests in which the real one is not the point. It compares as etcd does."""

import json

from networking_trunkpath.store import BATCH, WRITER_KEY, Snapshot


class MemoryStore:
    """Records, counters and reports, as attributes."""

    def __init__(self):
        self.records = {}
        self.counters = {}
        self.reports = {}
        self.commits = 0
        self.failure = None
        self._written = {}

    def place(self, key):
        return repr(key)

    def read(self, keys, counters):
        self._answer()
        assert len(keys) <= BATCH
        return Snapshot(
            values={key: self.records.get(key) for key in keys},
            counters={table: self.counters.get(table) for table in counters},
            marks={place: self._written.get(place) for place in [WRITER_KEY, *counters, *keys]},
        )

    def commit(self, snapshot, changes, counters):
        self._answer()
        places = [WRITER_KEY, *counters, *changes]
        if any(self._written.get(place) != snapshot.marks[place] for place in places):
            return False
        self.commits += 1
        self._written |= dict.fromkeys(places, self.commits)
        self.counters |= {table: str(last).encode() for table, last in counters.items()}
        self.records |= {key: text and text.encode() for key, text in changes.items()}
        self.records = {key: value for key, value in self.records.items() if value is not None}
        return True

    def table(self, table):
        self._answer()
        yield from [(key, value) for key, value in self.records.items() if key.table == table]

    def ports_up(self, ports):
        self._answer()
        return {port: self.reports[port] for port in ports if port in self.reports}

    def close(self):
        pass

    def held(self, table):
        """What the records of a table say, by id."""
        return {key.id: json.loads(value) for key, value in self.records.items() if key.table == table}

    def _answer(self):
        if self.failure:
            raise self.failure
