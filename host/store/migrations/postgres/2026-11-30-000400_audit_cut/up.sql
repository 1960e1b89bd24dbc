-- Which rows retention has removed from the beginning of the audit log: those up to `removed`, whose last had `hash`.
-- It goes on up to `target`, as the row `entry` of the log says. Signed under the key of the log that begins with the row
-- `key_since`.
CREATE TABLE audit_cut (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    removed BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    target BIGINT NOT NULL,
    entry BIGINT NOT NULL,
    kept_since BIGINT NOT NULL,
    date BIGINT NOT NULL,
    key_since BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    lease BIGINT,
    leased_until BIGINT
);
INSERT INTO audit_cut (id, removed, hash, target, entry, kept_since, date, key_since, mac)
VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 0, 0, 0, 0, '');
