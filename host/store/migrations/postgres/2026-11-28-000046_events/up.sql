-- When a set-up brought a grant: what a service says to have happened before does not concern it. A refresh does not change it.
ALTER TABLE grants ADD COLUMN installed_at BIGINT NOT NULL DEFAULT 0;
UPDATE grants SET installed_at = obtained_at;

-- What services have told already, each delivery by the hash of its id, so that one that comes twice acts once.
CREATE TABLE events (
    provider TEXT NOT NULL,
    id_hash BYTEA NOT NULL,
    -- Milliseconds since 1970 UTC, like every time here.
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (provider, id_hash)
);
CREATE INDEX events_by_expiry ON events (expires_at);

-- Whose set-up a webhook comes from: it goes when that organization does. Of those from before it is known where there is one only.
ALTER TABLE webhooks ADD COLUMN organization_id BIGINT REFERENCES organizations (id) ON DELETE CASCADE;
UPDATE webhooks SET organization_id = (
    SELECT MIN(organization_id) FROM organization_integrations AS links WHERE links.integration_id = webhooks.integration_id
) WHERE (
    SELECT COUNT(*) FROM organization_integrations AS links WHERE links.integration_id = webhooks.integration_id
) = 1;
