DROP INDEX sessions_of_user;
ALTER TABLE sessions DROP COLUMN user_id;
ALTER TABLE users DROP COLUMN session_generation;
ALTER TABLE users DROP COLUMN disabled_at;
