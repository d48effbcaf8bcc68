CREATE TABLE executions (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    -- What changes while an execution makes its way; `docs/architecture.md` tells the story.
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    priority INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    -- Set while the execution occupies one of its provider's places: from dispatch until it ends or waits again.
    dispatched_at TEXT,
    lease_until TEXT,
    next_attempt_at TEXT,
    last_error TEXT,
    started_at TEXT,
    completed_at TEXT,
    prompt_id TEXT GENERATED ALWAYS AS (json_extract(data, '$.prompt_id')) VIRTUAL,
    provider TEXT GENERATED ALWAYS AS (json_extract(data, '$.provider')) VIRTUAL,
    model TEXT GENERATED ALWAYS AS (json_extract(data, '$.model')) VIRTUAL,
    starred INTEGER GENERATED ALWAYS AS (COALESCE(json_extract(data, '$.starred'), 0)) VIRTUAL
);
-- The waiting line of a provider, in the order in which it is served.
CREATE INDEX executions_waiting ON executions (provider, priority, created_at, id)
    WHERE status = 'pending' AND dispatched_at IS NULL;
-- The occupied places of a provider.
CREATE INDEX executions_occupying ON executions (provider, dispatched_at) WHERE dispatched_at IS NOT NULL;
CREATE INDEX executions_leases ON executions (lease_until) WHERE status = 'running';
CREATE INDEX executions_created ON executions (created_at, id);
CREATE INDEX executions_updated ON executions (updated_at, id);
CREATE INDEX executions_started ON executions (started_at, id);
CREATE INDEX executions_completed ON executions (completed_at, id);
CREATE INDEX executions_status_created ON executions (status, created_at, id);
CREATE INDEX executions_provider_created ON executions (provider, created_at, id);
CREATE INDEX executions_prompt_created ON executions (prompt_id, created_at, id);
CREATE INDEX executions_starred_created ON executions (starred, created_at, id) WHERE starred = 1;

-- How many executions there are by everything a list can be filtered by; any total is the sum of few rows.
CREATE TABLE execution_counts (
    prompt_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    starred INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (prompt_id, provider, status, starred)
);

CREATE TRIGGER executions_counted_in AFTER INSERT ON executions
BEGIN
    INSERT INTO execution_counts (prompt_id, provider, status, starred, n)
    VALUES (COALESCE(NEW.prompt_id, ''), NEW.provider, NEW.status, NEW.starred, 1)
    ON CONFLICT (prompt_id, provider, status, starred) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER executions_counted_over AFTER UPDATE ON executions
WHEN OLD.status IS NOT NEW.status OR OLD.starred IS NOT NEW.starred
BEGIN
    UPDATE execution_counts SET n = n - 1
    WHERE prompt_id = COALESCE(OLD.prompt_id, '') AND provider = OLD.provider
        AND status = OLD.status AND starred = OLD.starred;
    INSERT INTO execution_counts (prompt_id, provider, status, starred, n)
    VALUES (COALESCE(NEW.prompt_id, ''), NEW.provider, NEW.status, NEW.starred, 1)
    ON CONFLICT (prompt_id, provider, status, starred) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER executions_counted_out AFTER DELETE ON executions
BEGIN
    UPDATE execution_counts SET n = n - 1
    WHERE prompt_id = COALESCE(OLD.prompt_id, '') AND provider = OLD.provider
        AND status = OLD.status AND starred = OLD.starred;
END;

-- Token usage of completed executions by UTC hour (`2026-01-31T09`), provider and model.
CREATE TABLE usage_hourly (
    hour TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    executions INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (hour, provider, model)
);

CREATE TRIGGER executions_usage AFTER UPDATE ON executions
WHEN NEW.status = 'completed' AND OLD.status IS NOT 'completed'
BEGIN
    INSERT INTO usage_hourly (hour, provider, model, executions, input_tokens, output_tokens)
    VALUES (
        substr(NEW.completed_at, 1, 13), NEW.provider, NEW.model, 1,
        COALESCE(json_extract(NEW.data, '$.input_tokens_used'), 0),
        COALESCE(json_extract(NEW.data, '$.output_tokens_used'), 0)
    )
    ON CONFLICT (hour, provider, model) DO UPDATE SET
        executions = executions + 1,
        input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens;
END;
