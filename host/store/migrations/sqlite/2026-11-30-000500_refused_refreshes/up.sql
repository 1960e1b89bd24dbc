-- Since when a refresh fails, and the row of equal refusals: which they are, how many, and since when.
ALTER TABLE refreshes ADD COLUMN failing_since BIGINT;
ALTER TABLE refreshes ADD COLUMN refusal TEXT;
ALTER TABLE refreshes ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refreshes ADD COLUMN refused_since BIGINT;
