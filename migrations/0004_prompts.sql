CREATE TABLE prompts (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL,
    prompt TEXT GENERATED ALWAYS AS (json_extract(data, '$.prompt')) VIRTUAL
);
CREATE UNIQUE INDEX prompts_name ON prompts (name);
CREATE INDEX prompts_newest ON prompts (created_at, id);
CREATE INDEX prompts_changed ON prompts (updated_at, id);
