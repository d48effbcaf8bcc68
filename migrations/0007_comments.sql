CREATE TABLE comments (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    prompt_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.prompt_id')) VIRTUAL,
    execution_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.execution_id')) VIRTUAL,
    -- Absent in comments of an imported installation.
    author_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.author_id')) VIRTUAL
);
CREATE INDEX comments_of_prompt ON comments (prompt_id, created_at, id);
CREATE INDEX comments_of_execution ON comments (execution_id, created_at, id);

-- The list of users by role and by status, and the search for another admin.
CREATE INDEX users_role ON users (role, created_at, id);
CREATE INDEX users_status ON users (status, created_at, id);
