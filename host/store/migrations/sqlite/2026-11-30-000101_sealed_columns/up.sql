-- Every column that holds sealed values, so that a host which does not know one of them rotates no keys. A migration that adds such a column
-- adds its row here, and one that drops a column removes the row. `seal_keys.sealed_key` is not here: no data key seals it.
CREATE TABLE sealed_columns (
    table_name TEXT NOT NULL,
    column_name TEXT NOT NULL,
    PRIMARY KEY (table_name, column_name)
);
INSERT INTO sealed_columns (table_name, column_name) VALUES
    ('integrations', 'sealed_metadata'),
    ('identities', 'sealed_data'),
    ('organization_integrations', 'sealed_metadata'),
    ('organization_integrations', 'sealed_config'),
    ('grants', 'sealed_tokens'),
    ('revocations', 'sealed_given'),
    ('audit_keys', 'sealed_key'),
    ('configurations', 'sealed_fingerprint'),
    ('sessions', 'sealed_data'),
    ('setups', 'sealed_data');
