-- A session ends with its user, and when the user's generation is not the session's any more. Of sessions from before the user is not known
-- here; their generation is 0.
ALTER TABLE users ADD COLUMN disabled_at BIGINT;
ALTER TABLE users ADD COLUMN session_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN user_id BIGINT REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX sessions_of_user ON sessions (user_id);
