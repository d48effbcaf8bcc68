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
CREATE INDEX jobs_newest ON jobs (created_at, id);
CREATE INDEX jobs_changed ON jobs (updated_at, id);
CREATE INDEX jobs_scheduled ON jobs (scheduled_at, id);
CREATE INDEX jobs_started ON jobs (started_at, id);
CREATE INDEX jobs_completed ON jobs (completed_at, id);
CREATE INDEX jobs_of_status ON jobs (status, created_at, id);
CREATE INDEX jobs_of_type ON jobs (type, created_at, id);
CREATE INDEX jobs_of_type_and_status ON jobs (type, status, created_at, id);
-- What can start, in the order in which it is served, and what may have lost its worker.
CREATE INDEX jobs_waiting ON jobs (type, scheduled_at, id) WHERE status = 'pending';
CREATE INDEX jobs_due ON jobs (type, next_retry_at, id) WHERE status = 'retrying';
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE status = 'running';

-- However an execution ends, each destination that it names gets one delivery: the job is written in the very statement
-- that ends it, and what has ended does not end again. The id is a random UUID of version 4.
CREATE TRIGGER executions_announced AFTER UPDATE ON executions
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
