CREATE TABLE test_data_groups (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL,
    description TEXT GENERATED ALWAYS AS (json_extract(data, '$.description')) VIRTUAL,
    mode TEXT GENERATED ALWAYS AS (json_extract(data, '$.mode')) VIRTUAL
);
CREATE UNIQUE INDEX test_data_groups_name ON test_data_groups (name);
CREATE INDEX test_data_groups_newest ON test_data_groups (created_at, id);
CREATE INDEX test_data_groups_changed ON test_data_groups (updated_at, id);

CREATE TABLE test_data_items (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    group_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.group_id')) VIRTUAL,
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL,
    content TEXT GENERATED ALWAYS AS (json_extract(data, '$.content')) VIRTUAL,
    -- Place among the items of one request, which were created at the same moment.
    position INTEGER GENERATED ALWAYS AS (COALESCE(json_extract(data, '$.position'), 0)) VIRTUAL
);
CREATE INDEX test_data_items_newest ON test_data_items (group_id, created_at, position, id);
CREATE INDEX test_data_items_changed ON test_data_items (group_id, updated_at, position, id);
CREATE INDEX test_data_items_named ON test_data_items (group_id, name, id);
