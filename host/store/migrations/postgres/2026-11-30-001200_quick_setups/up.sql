-- For which organization a setup is, so that one statement finds the setup and what its person may do there. It only says
-- where to look: the organization that counts stands in the sealed setup.
ALTER TABLE setups ADD COLUMN organization_id BIGINT;
