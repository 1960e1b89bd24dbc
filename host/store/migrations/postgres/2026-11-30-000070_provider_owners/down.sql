ALTER TABLE identity_providers DROP COLUMN plugin;
DROP TABLE provider_owners;
