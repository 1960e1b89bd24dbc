-- Entries of the audit log that are committed and not chained yet: one insert in the transaction of a change, and nothing that all hosts wait
-- for. A host takes them out and appends them to audit_log. `host` is a random number of the process that wrote the row, `number` counts its
-- rows; they go out in the order of the primary key. `mark` is keyed, under the key of the log that begins with the row `key_since`, and
-- covers all other columns.
CREATE TABLE audit_queue (
    host BIGINT NOT NULL,
    number BIGINT NOT NULL,
    date BIGINT NOT NULL,
    key_since BIGINT NOT NULL,
    entry TEXT NOT NULL,
    mark BYTEA NOT NULL,
    PRIMARY KEY (date, host, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);

-- Where a row came from, if it was in the queue. The hash of the row covers it, so that nobody can put the same entry into the queue again.
ALTER TABLE audit_log ADD COLUMN host BIGINT;
ALTER TABLE audit_log ADD COLUMN number BIGINT;
CREATE UNIQUE INDEX audit_log_of_queue ON audit_log (host, number) WHERE host IS NOT NULL;
