CREATE TABLE users (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    -- Sign-in state changes under concurrency, so it stands beside the document.
    failed_sign_ins INTEGER NOT NULL DEFAULT 0,
    locked_until TEXT,
    last_login TEXT,
    email TEXT GENERATED ALWAYS AS (json_extract(data, '$.email')) VIRTUAL,
    role TEXT GENERATED ALWAYS AS (json_extract(data, '$.role')) VIRTUAL,
    status TEXT GENERATED ALWAYS AS (json_extract(data, '$.status')) VIRTUAL,
    invitation_digest TEXT GENERATED ALWAYS AS (json_extract(data, '$.invitation.token_digest')) VIRTUAL
);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE UNIQUE INDEX users_invitation ON users (invitation_digest);
CREATE INDEX users_newest ON users (created_at, id);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    -- Counted with every authorised call.
    total_requests INTEGER NOT NULL DEFAULT 0,
    last_used_at TEXT,
    last_ip TEXT,
    user_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.user_id')) VIRTUAL,
    key_digest TEXT GENERATED ALWAYS AS (json_extract(data, '$.key_digest')) VIRTUAL,
    key_prefix TEXT GENERATED ALWAYS AS (json_extract(data, '$.key_prefix')) VIRTUAL,
    status TEXT GENERATED ALWAYS AS (json_extract(data, '$.status')) VIRTUAL
);
CREATE UNIQUE INDEX api_keys_digest ON api_keys (key_digest);
CREATE INDEX api_keys_prefix ON api_keys (key_prefix);
CREATE INDEX api_keys_owner ON api_keys (user_id, created_at, id);
