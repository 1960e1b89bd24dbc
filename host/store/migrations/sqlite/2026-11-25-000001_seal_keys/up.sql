-- The ring of data keys that secrets are sealed under. `id` stands in each sealed value; `sealed_key` is the key, wrapped under the secret
-- key. Exactly one is `current`; those that are `old` go once nothing is sealed under them. The first row stands for the key that is derived
-- from the secret key itself, under which everything was sealed before there was a ring.
CREATE TABLE seal_keys (
    id BLOB NOT NULL PRIMARY KEY,
    sealed_key BLOB NOT NULL,
    state TEXT NOT NULL,
    date_added BIGINT NOT NULL
);
CREATE UNIQUE INDEX one_current_seal_key ON seal_keys (state) WHERE state = 'current';
INSERT INTO seal_keys (id, sealed_key, state, date_added) VALUES (X'00000000', X'', 'current', 0);
