-- One row per group run; never changed or deleted afterwards.
CREATE TABLE execution_bundles (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    test_group_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.test_group_id')) VIRTUAL,
    prompt_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.prompt_id')) VIRTUAL
);
CREATE INDEX execution_bundles_of_group ON execution_bundles (test_group_id, created_at, id);
CREATE INDEX execution_bundles_of_prompt ON execution_bundles (prompt_id, created_at, id);
