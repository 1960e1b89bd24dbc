ALTER TABLE setups DROP COLUMN organization_id;
