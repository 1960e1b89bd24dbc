ALTER TABLE refreshes DROP COLUMN refused_since;
ALTER TABLE refreshes DROP COLUMN refusals;
ALTER TABLE refreshes DROP COLUMN refusal;
ALTER TABLE refreshes DROP COLUMN failing_since;
