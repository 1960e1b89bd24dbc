-- What a host has assigned since stays sealed in its new place: an earlier host does not open it.
ALTER TABLE integrations ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE integrations ADD COLUMN former_metadata BLOB NOT NULL DEFAULT X'';
UPDATE integrations SET former_metadata = COALESCE(sealed_metadata, X'');
ALTER TABLE integrations DROP COLUMN sealed_metadata;
ALTER TABLE integrations RENAME COLUMN former_metadata TO sealed_metadata;
ALTER TABLE organization_integrations DROP COLUMN sealed_config;
ALTER TABLE organization_integrations DROP COLUMN sealed_metadata;
ALTER TABLE organization_integrations DROP COLUMN status;
ALTER TABLE organization_integrations DROP COLUMN installed_at;
DROP TABLE grant_shares;
DELETE FROM grants WHERE id NOT IN (SELECT MIN(id) FROM grants GROUP BY integration_id, name, subject);
CREATE TABLE grants_together (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id BIGINT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    sealed_tokens BLOB NOT NULL,
    scopes TEXT NOT NULL,
    obtained_at BIGINT NOT NULL,
    expires_at BIGINT,
    due_at BIGINT,
    is_single_use BOOLEAN,
    status TEXT NOT NULL,
    reason TEXT,
    generation BIGINT NOT NULL,
    date_added BIGINT NOT NULL,
    installed_at BIGINT NOT NULL DEFAULT 0,
    UNIQUE (integration_id, name, subject)
);
INSERT INTO grants_together SELECT id, integration_id, name, subject, position, sealed_tokens, scopes, obtained_at, expires_at, due_at,
    is_single_use, status, reason, generation, installed_at, installed_at FROM grants;
CREATE TABLE refreshes_together (
    grant_id BIGINT NOT NULL PRIMARY KEY REFERENCES grants_together (id) ON DELETE CASCADE,
    lease BIGINT,
    leased_until BIGINT,
    sent_at BIGINT,
    failures INTEGER NOT NULL,
    retry_at BIGINT
);
INSERT INTO refreshes_together SELECT grant_id, lease, leased_until, sent_at, failures, retry_at FROM refreshes;
DROP TABLE refreshes;
DROP TABLE grants;
ALTER TABLE grants_together RENAME TO grants;
ALTER TABLE refreshes_together RENAME TO refreshes;
CREATE INDEX grants_by_due ON grants (due_at);
