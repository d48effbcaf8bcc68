CREATE TABLE settings (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    type TEXT GENERATED ALWAYS AS (json_extract(data, '$.type')) VIRTUAL,
    identifier TEXT GENERATED ALWAYS AS (json_extract(data, '$.identifier')) VIRTUAL,
    -- Only webhook destinations have a name.
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL,
    active INTEGER GENERATED ALWAYS AS (json_extract(data, '$.active')) VIRTUAL
);
CREATE UNIQUE INDEX settings_identifier ON settings (type, identifier);
CREATE UNIQUE INDEX settings_name ON settings (type, name);
CREATE INDEX settings_newest ON settings (created_at, id);
CREATE INDEX settings_newest_of_type ON settings (type, created_at, id);

-- How many executions of a provider run at once; a provider without a row has its default.
CREATE TABLE provider_limits (
    provider TEXT PRIMARY KEY,
    max_running INTEGER NOT NULL CHECK (max_running >= 0)
);

-- What vendors answered when asked for their models, shared by all function instances.
CREATE TABLE model_lists (
    provider TEXT PRIMARY KEY,
    fetched_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    models TEXT NOT NULL CHECK (json_valid(models)),
    error TEXT
);
