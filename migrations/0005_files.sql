CREATE TABLE files (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL
);
CREATE INDEX files_newest ON files (created_at, id);

-- Content stands apart, so that no list ever touches it.
CREATE TABLE file_contents (
    file_id TEXT PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    base64 TEXT NOT NULL
);
