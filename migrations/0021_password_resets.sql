-- A link with which a person sets a new password. It stands beside the document, which lists and answers show, and ends
-- with everything that ends sessions.
ALTER TABLE users ADD COLUMN reset_digest TEXT;
ALTER TABLE users ADD COLUMN reset_expires_at TEXT;
ALTER TABLE users ADD COLUMN reset_session_version INTEGER;
CREATE UNIQUE INDEX users_reset ON users (reset_digest);
