ALTER TABLE webhooks DROP COLUMN organization_id;
DROP TABLE events;
ALTER TABLE grants DROP COLUMN installed_at;
