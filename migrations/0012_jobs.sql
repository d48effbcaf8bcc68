CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    -- What is to be done, how often it is tried, and in the end what came of it.
    data TEXT NOT NULL CHECK (json_valid(data)),
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    -- What changes while a job makes its way.
    status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'retrying', 'terminated')),
    -- Every started attempt counts.
    attempts INTEGER NOT NULL DEFAULT 0,
    scheduled_at TEXT NOT NULL,
    lease_until TEXT,
    next_retry_at TEXT,
    -- The latest start.
    started_at TEXT,
    completed_at TEXT,
    -- No generated column: a document may hold megabytes, and must not be opened to find its neighbours.
    type TEXT NOT NULL
);
-- Lists, for each order: all jobs, and those of one status or type; the other filter is compared in the index.
CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_status_created ON jobs (status, created_at, id, type);
CREATE INDEX jobs_type_created ON jobs (type, created_at, id, status);
CREATE INDEX jobs_updated ON jobs (updated_at, id);
CREATE INDEX jobs_status_updated ON jobs (status, updated_at, id, type);
CREATE INDEX jobs_type_updated ON jobs (type, updated_at, id, status);
CREATE INDEX jobs_scheduled ON jobs (scheduled_at, id);
CREATE INDEX jobs_status_scheduled ON jobs (status, scheduled_at, id, type);
CREATE INDEX jobs_type_scheduled ON jobs (type, scheduled_at, id, status);
CREATE INDEX jobs_started ON jobs (started_at, id);
CREATE INDEX jobs_status_started ON jobs (status, started_at, id, type);
CREATE INDEX jobs_type_started ON jobs (type, started_at, id, status);
CREATE INDEX jobs_completed ON jobs (completed_at, id);
CREATE INDEX jobs_status_completed ON jobs (status, completed_at, id, type);
CREATE INDEX jobs_type_completed ON jobs (type, completed_at, id, status);
-- What can start, in the order in which it is served, and what may have lost its worker.
CREATE INDEX jobs_waiting ON jobs (type, scheduled_at, id) WHERE status = 'pending';
CREATE INDEX jobs_due ON jobs (type, next_retry_at, id) WHERE status = 'retrying';
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE status = 'running';

-- How many jobs there are by everything a list can be filtered by, and by the day of creation (`2026-01-31`), so that
-- they can be held against the jobs day by day.
CREATE TABLE job_counts (
    type TEXT NOT NULL,
    period TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (type, period, status)
);

CREATE TRIGGER jobs_counted_in AFTER INSERT ON jobs
BEGIN
    INSERT INTO job_counts (type, period, status, n) VALUES (NEW.type, substr(NEW.created_at, 1, 10), NEW.status, 1)
    ON CONFLICT (type, period, status) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER jobs_counted_over AFTER UPDATE OF status ON jobs
WHEN OLD.status IS NOT NEW.status
BEGIN
    UPDATE job_counts SET n = n - 1
    WHERE type = OLD.type AND period = substr(OLD.created_at, 1, 10) AND status = OLD.status;
    INSERT INTO job_counts (type, period, status, n) VALUES (NEW.type, substr(NEW.created_at, 1, 10), NEW.status, 1)
    ON CONFLICT (type, period, status) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER jobs_counted_out AFTER DELETE ON jobs
BEGIN
    UPDATE job_counts SET n = n - 1
    WHERE type = OLD.type AND period = substr(OLD.created_at, 1, 10) AND status = OLD.status;
END;

-- However an execution ends, each destination that it names gets one delivery: the job is written in the very statement
-- that ends it, and what has ended does not end again. The id is a random UUID of version 4.
CREATE TRIGGER executions_announced AFTER UPDATE OF status ON executions
WHEN NEW.status IN ('completed', 'failed') AND OLD.status NOT IN ('completed', 'failed')
    AND json_type(NEW.data, '$.webhookDestinationIds') = 'array'
BEGIN
    INSERT INTO jobs (id, type, data, created_at, updated_at, scheduled_at)
    SELECT
        lower(
            hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
        ),
        'webhook-delivery',
        json_object(
            'type', 'webhook-delivery',
            'data', json_object(
                'webhookId', destination.value,
                'data', json_object(
                    'event', 'webhook.deployment.execution', 'executionId', NEW.id, 'status', NEW.status
                )
            ),
            'maxAttempts', 8, 'retryDelayMs', 5000, 'retryBackoffMultiplier', 5, 'maxRetryDelayMs', 300000
        ),
        NEW.updated_at, NEW.updated_at, NEW.updated_at
    FROM (SELECT DISTINCT value FROM json_each(NEW.data, '$.webhookDestinationIds')) AS destination;
END;
