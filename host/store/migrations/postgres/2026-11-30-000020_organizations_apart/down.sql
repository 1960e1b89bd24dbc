-- What a host has assigned since stays sealed in its new place: an earlier host does not open it.
ALTER TABLE integrations ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
UPDATE integrations SET sealed_metadata = COALESCE(sealed_metadata, '\x');
ALTER TABLE integrations ALTER COLUMN sealed_metadata SET NOT NULL;
ALTER TABLE organization_integrations DROP COLUMN sealed_config;
ALTER TABLE organization_integrations DROP COLUMN sealed_metadata;
ALTER TABLE organization_integrations DROP COLUMN status;
ALTER TABLE organization_integrations DROP COLUMN installed_at;
DROP TABLE grant_shares;
DELETE FROM grants WHERE id NOT IN (SELECT MIN(id) FROM grants GROUP BY integration_id, name, subject);
ALTER TABLE grants DROP CONSTRAINT grants_integration_id_organization_id_name_subject_key;
ALTER TABLE grants ADD UNIQUE (integration_id, name, subject);
ALTER TABLE grants DROP COLUMN organization_id;
ALTER TABLE grants ADD COLUMN date_added BIGINT NOT NULL DEFAULT 0;
