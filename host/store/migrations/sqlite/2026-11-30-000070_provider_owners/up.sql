-- To which plugin a provider belongs: the one that has made its integrations. No other gets their tokens.
CREATE TABLE provider_owners (
    provider TEXT PRIMARY KEY NOT NULL,
    plugin TEXT NOT NULL,
    -- Id of the trusted key that signed the plugin; NULL if no signature was required.
    signer TEXT,
    date_added BIGINT NOT NULL
);

-- The plugin that proves identities of this type and instance; empty until it does so again.
ALTER TABLE identity_providers ADD COLUMN plugin TEXT NOT NULL DEFAULT '';
