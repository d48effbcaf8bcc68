CREATE TABLE deployments (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL,
    prompt_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.promptId')) VIRTUAL,
    provider TEXT GENERATED ALWAYS AS (json_extract(data, '$.provider')) VIRTUAL,
    model TEXT GENERATED ALWAYS AS (json_extract(data, '$.model')) VIRTUAL
);
CREATE UNIQUE INDEX deployments_name ON deployments (name);
-- A prompt cannot be deleted while a deployment uses it.
CREATE INDEX deployments_prompt ON deployments (prompt_id, name);
CREATE INDEX deployments_provider ON deployments (provider, id);
CREATE INDEX deployments_model ON deployments (model, id);
CREATE INDEX deployments_newest ON deployments (created_at, id);
CREATE INDEX deployments_changed ON deployments (updated_at, id);

CREATE TABLE deployment_embeddings (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL,
    model TEXT GENERATED ALWAYS AS (json_extract(data, '$.model')) VIRTUAL
);
CREATE UNIQUE INDEX deployment_embeddings_name ON deployment_embeddings (name);
CREATE INDEX deployment_embeddings_model ON deployment_embeddings (model, id);
CREATE INDEX deployment_embeddings_newest ON deployment_embeddings (created_at, id);
CREATE INDEX deployment_embeddings_changed ON deployment_embeddings (updated_at, id);
