-- Whose a grant is: an organization's, 0 for the account's own, -1 for one from before this that no host has assigned yet. Not a foreign key:
-- the tokens of an organization that is deleted must still be revoked. SQLite changes a unique key only by building the table anew.
CREATE TABLE grants_apart (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id BIGINT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
    organization_id BIGINT NOT NULL DEFAULT -1,
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
    installed_at BIGINT NOT NULL DEFAULT 0,
    UNIQUE (integration_id, organization_id, name, subject)
);
INSERT INTO grants_apart (id, integration_id, name, subject, position, sealed_tokens, scopes, obtained_at, expires_at, due_at, is_single_use,
    status, reason, generation, installed_at)
SELECT id, integration_id, name, subject, position, sealed_tokens, scopes, obtained_at, expires_at, due_at, is_single_use,
    status, reason, generation, installed_at FROM grants;
CREATE TABLE refreshes_apart (
    grant_id BIGINT NOT NULL PRIMARY KEY REFERENCES grants_apart (id) ON DELETE CASCADE,
    lease BIGINT,
    leased_until BIGINT,
    sent_at BIGINT,
    failures INTEGER NOT NULL,
    retry_at BIGINT
);
INSERT INTO refreshes_apart SELECT grant_id, lease, leased_until, sent_at, failures, retry_at FROM refreshes;
DROP TABLE refreshes;
DROP TABLE grants;
ALTER TABLE grants_apart RENAME TO grants;
ALTER TABLE refreshes_apart RENAME TO refreshes;
CREATE INDEX grants_by_due ON grants (due_at);

-- The organizations whose own setups have brought a grant of the account: it is lent to these, and to no other.
CREATE TABLE grant_shares (
    grant_id BIGINT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    PRIMARY KEY (grant_id, organization_id)
);
CREATE INDEX grant_shares_of_organization ON grant_shares (organization_id);

-- What an organization's own setup has stored stands with its link. `config` is what an earlier host has stored in plain: it is `{}` once a
-- host has sealed it.
ALTER TABLE organization_integrations ADD COLUMN sealed_config BLOB;
ALTER TABLE organization_integrations ADD COLUMN sealed_metadata BLOB;
ALTER TABLE organization_integrations ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE organization_integrations ADD COLUMN installed_at BIGINT NOT NULL DEFAULT 0;
UPDATE organization_integrations SET
    status = (SELECT status FROM integrations AS i WHERE i.id = organization_integrations.integration_id),
    installed_at = (SELECT date_updated FROM integrations AS i WHERE i.id = organization_integrations.integration_id);

-- Metadata from before this, until a host has assigned them. An account has none of its own any more.
ALTER TABLE integrations ADD COLUMN former_metadata BLOB;
UPDATE integrations SET former_metadata = sealed_metadata;
ALTER TABLE integrations DROP COLUMN sealed_metadata;
ALTER TABLE integrations RENAME COLUMN former_metadata TO sealed_metadata;
ALTER TABLE integrations DROP COLUMN status;
