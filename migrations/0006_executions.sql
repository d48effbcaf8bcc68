CREATE TABLE executions (
    -- In the order of recording. It breaks ties in lists, and is how indexes lead to a row.
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
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
    -- What lists filter by, as the document has it. No generated columns: SQLite opens the row to read one even when an
    -- index has its value, and rewrites every index on one when anything in the document changes.
    prompt_id TEXT,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    starred INTEGER NOT NULL DEFAULT 0,
    -- The last of them, because what stands behind a long document is reached through it.
    data TEXT NOT NULL CHECK (json_valid(data))
);
-- The waiting line of a provider, in the order in which it is served.
CREATE INDEX executions_waiting ON executions (provider, priority, created_at, id)
    WHERE status = 'pending' AND dispatched_at IS NULL;
-- The occupied places of a provider.
CREATE INDEX executions_occupying ON executions (provider, dispatched_at) WHERE dispatched_at IS NOT NULL;
CREATE INDEX executions_leases ON executions (lease_until) WHERE status = 'running';

-- Lists, for each order: all executions, and those of one status, provider or prompt, or the starred ones. What a list is
-- filtered by besides is compared in the index, which has it behind the order; rows are opened for one page only. Few fail and
-- few are starred, so those of one prompt or provider would be far between: such pairs have small indexes of their own, which
-- no execution touches that completes. `shared/core/src/executions/list.rs` says which index serves which filter.
CREATE INDEX executions_created ON executions (created_at, seq, starred);
CREATE INDEX executions_status_created ON executions (status, created_at, seq, provider, starred);
CREATE INDEX executions_provider_created ON executions (provider, created_at, seq, status, starred);
CREATE INDEX executions_prompt_created ON executions (prompt_id, created_at, seq, provider, status, starred);
CREATE INDEX executions_starred_created ON executions (starred, created_at, seq, status, provider, prompt_id) WHERE starred = 1;
CREATE INDEX executions_starred_prompt_created ON executions (starred, prompt_id, created_at, seq, status, provider) WHERE starred = 1;
CREATE INDEX executions_failed_provider_created ON executions (status, provider, created_at, seq, starred) WHERE status = 'failed';
CREATE INDEX executions_failed_prompt_created ON executions (status, prompt_id, created_at, seq, provider, starred) WHERE status = 'failed';
CREATE INDEX executions_updated ON executions (updated_at, seq, starred);
CREATE INDEX executions_status_updated ON executions (status, updated_at, seq, provider, starred);
CREATE INDEX executions_provider_updated ON executions (provider, updated_at, seq, status, starred);
CREATE INDEX executions_prompt_updated ON executions (prompt_id, updated_at, seq, provider, status, starred);
CREATE INDEX executions_starred_updated ON executions (starred, updated_at, seq, status, provider, prompt_id) WHERE starred = 1;
CREATE INDEX executions_starred_prompt_updated ON executions (starred, prompt_id, updated_at, seq, status, provider) WHERE starred = 1;
CREATE INDEX executions_failed_provider_updated ON executions (status, provider, updated_at, seq, starred) WHERE status = 'failed';
CREATE INDEX executions_failed_prompt_updated ON executions (status, prompt_id, updated_at, seq, provider, starred) WHERE status = 'failed';
CREATE INDEX executions_started ON executions (started_at, seq, starred);
CREATE INDEX executions_status_started ON executions (status, started_at, seq, provider, starred);
CREATE INDEX executions_provider_started ON executions (provider, started_at, seq, status, starred);
CREATE INDEX executions_prompt_started ON executions (prompt_id, started_at, seq, provider, status, starred);
CREATE INDEX executions_starred_started ON executions (starred, started_at, seq, status, provider, prompt_id) WHERE starred = 1;
CREATE INDEX executions_starred_prompt_started ON executions (starred, prompt_id, started_at, seq, status, provider) WHERE starred = 1;
CREATE INDEX executions_failed_provider_started ON executions (status, provider, started_at, seq, starred) WHERE status = 'failed';
CREATE INDEX executions_failed_prompt_started ON executions (status, prompt_id, started_at, seq, provider, starred) WHERE status = 'failed';
CREATE INDEX executions_completed ON executions (completed_at, seq, starred);
CREATE INDEX executions_status_completed ON executions (status, completed_at, seq, provider, starred);
CREATE INDEX executions_provider_completed ON executions (provider, completed_at, seq, status, starred);
CREATE INDEX executions_prompt_completed ON executions (prompt_id, completed_at, seq, provider, status, starred);
CREATE INDEX executions_starred_completed ON executions (starred, completed_at, seq, status, provider, prompt_id) WHERE starred = 1;
CREATE INDEX executions_starred_prompt_completed ON executions (starred, prompt_id, completed_at, seq, status, provider) WHERE starred = 1;
CREATE INDEX executions_failed_provider_completed ON executions (status, provider, completed_at, seq, starred) WHERE status = 'failed';
CREATE INDEX executions_failed_prompt_completed ON executions (status, prompt_id, completed_at, seq, provider, starred) WHERE status = 'failed';

-- How many executions there are by everything a list can be filtered by; any total is the sum of few rows. Also by the
-- month of creation (`2026-01`), so that they can be held against the executions month by month.
CREATE TABLE execution_counts (
    prompt_id TEXT NOT NULL,
    period TEXT NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    starred INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (prompt_id, period, provider, status, starred)
);

CREATE TRIGGER executions_counted_in AFTER INSERT ON executions
BEGIN
    INSERT INTO execution_counts (prompt_id, period, provider, status, starred, n)
    VALUES (
        COALESCE(NEW.prompt_id, ''), substr(NEW.created_at, 1, 7), NEW.provider, NEW.status, NEW.starred, 1
    )
    ON CONFLICT (prompt_id, period, provider, status, starred) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER executions_counted_over AFTER UPDATE OF status, starred ON executions
WHEN OLD.status IS NOT NEW.status OR OLD.starred IS NOT NEW.starred
BEGIN
    UPDATE execution_counts SET n = n - 1
    WHERE prompt_id = COALESCE(OLD.prompt_id, '') AND period = substr(OLD.created_at, 1, 7)
        AND provider = OLD.provider AND status = OLD.status AND starred = OLD.starred;
    INSERT INTO execution_counts (prompt_id, period, provider, status, starred, n)
    VALUES (
        COALESCE(NEW.prompt_id, ''), substr(NEW.created_at, 1, 7), NEW.provider, NEW.status, NEW.starred, 1
    )
    ON CONFLICT (prompt_id, period, provider, status, starred) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER executions_counted_out AFTER DELETE ON executions
BEGIN
    UPDATE execution_counts SET n = n - 1
    WHERE prompt_id = COALESCE(OLD.prompt_id, '') AND period = substr(OLD.created_at, 1, 7)
        AND provider = OLD.provider AND status = OLD.status AND starred = OLD.starred;
END;

-- The same without the prompt: few rows, however many prompts there are. They follow what they sum up.
CREATE TABLE execution_totals (
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    starred INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (provider, status, starred)
);

CREATE TRIGGER execution_counts_added AFTER INSERT ON execution_counts
BEGIN
    INSERT INTO execution_totals (provider, status, starred, n) VALUES (NEW.provider, NEW.status, NEW.starred, NEW.n)
    ON CONFLICT (provider, status, starred) DO UPDATE SET n = n + excluded.n;
END;

CREATE TRIGGER execution_counts_changed AFTER UPDATE OF n ON execution_counts
BEGIN
    UPDATE execution_totals SET n = n + NEW.n - OLD.n
    WHERE provider = NEW.provider AND status = NEW.status AND starred = NEW.starred;
END;

CREATE TRIGGER execution_counts_removed AFTER DELETE ON execution_counts
BEGIN
    UPDATE execution_totals SET n = n - OLD.n
    WHERE provider = OLD.provider AND status = OLD.status AND starred = OLD.starred;
END;
