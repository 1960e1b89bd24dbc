-- Whose a grant is: an organization's, 0 for the account's own, -1 for one from before this that no host has assigned yet. Not a foreign key:
-- the tokens of an organization that is deleted must still be revoked.
ALTER TABLE grants ADD COLUMN organization_id BIGINT NOT NULL DEFAULT -1;
ALTER TABLE grants DROP CONSTRAINT grants_integration_id_name_subject_key;
ALTER TABLE grants ADD UNIQUE (integration_id, organization_id, name, subject);
-- `installed_at` says it better.
ALTER TABLE grants DROP COLUMN date_added;

-- The organizations whose own setups have brought a grant of the account: it is lent to these, and to no other.
CREATE TABLE grant_shares (
    grant_id BIGINT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    PRIMARY KEY (grant_id, organization_id)
);
CREATE INDEX grant_shares_of_organization ON grant_shares (organization_id);

-- What an organization's own setup has stored stands with its link. `config` is what an earlier host has stored in plain: it is `{}` once a
-- host has sealed it.
ALTER TABLE organization_integrations ADD COLUMN sealed_config BYTEA;
ALTER TABLE organization_integrations ADD COLUMN sealed_metadata BYTEA;
ALTER TABLE organization_integrations ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE organization_integrations ADD COLUMN installed_at BIGINT NOT NULL DEFAULT 0;
UPDATE organization_integrations SET
    status = (SELECT status FROM integrations AS i WHERE i.id = organization_integrations.integration_id),
    installed_at = (SELECT date_updated FROM integrations AS i WHERE i.id = organization_integrations.integration_id);

-- Metadata from before this, until a host has assigned them. An account has none of its own any more.
ALTER TABLE integrations ALTER COLUMN sealed_metadata DROP NOT NULL;
ALTER TABLE integrations DROP COLUMN status;
