-- When the queue was told about a job's present turn: in the future for a message that is delayed, NULL when nobody was
-- told yet or a worker has taken the job.
ALTER TABLE jobs ADD COLUMN announced_at TEXT;
-- The trace that the work belongs to, from the request that caused it (W3C Trace Context, 32 hex digits).
ALTER TABLE jobs ADD COLUMN trace_id TEXT;
ALTER TABLE executions ADD COLUMN trace_id TEXT;

-- What is due and unannounced, in the order in which it is served; what was announced and not taken.
DROP INDEX jobs_waiting;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (type, COALESCE(next_retry_at, scheduled_at), id)
    WHERE status IN ('pending', 'retrying') AND announced_at IS NULL;
CREATE INDEX jobs_announced ON jobs (announced_at) WHERE announced_at IS NOT NULL;
-- Few jobs run at once, and the lists of a status find them: the planner never chose this one.
DROP INDEX jobs_leases;

-- As before, and the deliveries belong to the trace of their execution.
DROP TRIGGER executions_announced;
CREATE TRIGGER executions_announced AFTER UPDATE OF status ON executions
WHEN NEW.status IN ('completed', 'failed') AND OLD.status NOT IN ('completed', 'failed')
    AND json_type(NEW.data, '$.webhookDestinationIds') = 'array'
BEGIN
    INSERT INTO jobs (id, type, data, created_at, updated_at, scheduled_at, trace_id)
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
        NEW.updated_at, NEW.updated_at, NEW.updated_at, NEW.trace_id
    FROM (SELECT DISTINCT value FROM json_each(NEW.data, '$.webhookDestinationIds')) AS destination;
END;
