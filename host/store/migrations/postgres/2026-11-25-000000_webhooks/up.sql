-- A webhook belongs to a set-up, by session and provider, until it belongs to an integration. The key itself is nowhere.
CREATE TABLE webhooks (
    key_hash BYTEA NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    session_key BYTEA,
    expires_at BIGINT,
    integration_id BIGINT REFERENCES integrations (id) ON DELETE CASCADE
);
CREATE INDEX webhooks_by_setup ON webhooks (session_key, provider);
CREATE INDEX webhooks_by_integration ON webhooks (integration_id);
CREATE INDEX webhooks_by_expiry ON webhooks (expires_at);
