-- The embedded northbound DB. Triggers keep the log, so a change by any program is seen by every watch.

CREATE TABLE record (
    tbl  TEXT NOT NULL,
    id   TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (tbl, id)
) STRICT, WITHOUT ROWID;

-- What the checks of a transaction ask for. They also refuse a text that is not JSON.
CREATE INDEX record_unique_key ON record (tbl, json ->> '$.unique_key');
CREATE INDEX record_parent ON record (tbl, json ->> '$.parent', json ->> '$.segmentation_id');
CREATE INDEX record_port ON record (tbl, json ->> '$.port');

-- The newest changes. AUTOINCREMENT: a revision is never used twice, also after the log was emptied.
CREATE TABLE change (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    txn      INTEGER NOT NULL, -- the same for all changes of one transaction
    tbl      TEXT NOT NULL,
    id       TEXT NOT NULL,
    json     TEXT              -- NULL: deleted
) STRICT;

CREATE TABLE counter (
    tbl      TEXT PRIMARY KEY,
    last_key INTEGER NOT NULL  -- the highest unique key that was ever used
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO setting VALUES ('txn', 0), ('changes_kept', 100000);

CREATE TRIGGER record_made AFTER INSERT ON record BEGIN
    INSERT INTO change (txn, tbl, id, json)
    SELECT value, NEW.tbl, NEW.id, NEW.json FROM setting WHERE name = 'txn';
END;
CREATE TRIGGER record_changed AFTER UPDATE ON record BEGIN
    INSERT INTO change (txn, tbl, id, json)
    SELECT value, NEW.tbl, NEW.id, NEW.json FROM setting WHERE name = 'txn';
END;
CREATE TRIGGER record_deleted AFTER DELETE ON record BEGIN
    INSERT INTO change (txn, tbl, id)
    SELECT value, OLD.tbl, OLD.id FROM setting WHERE name = 'txn';
END;
