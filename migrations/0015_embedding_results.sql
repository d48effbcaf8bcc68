-- The vectors that an embedding job computed, some hundred per row: a server refuses values and answers of ten megabytes,
-- and a thousand vectors are more. All parts of a job are written in the write that ends it, and deleted together.
CREATE TABLE embedding_results (
    job_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    -- Size of `vectors`, so that it is known before any of them is read.
    bytes INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    -- JSON list of vectors.
    vectors TEXT NOT NULL CHECK (json_valid(vectors)),
    PRIMARY KEY (job_id, part)
);
CREATE INDEX embedding_results_expiring ON embedding_results (expires_at, job_id) WHERE part = 0;

CREATE TRIGGER jobs_embeddings_deleted AFTER DELETE ON jobs
WHEN OLD.type = 'generate-embedding'
BEGIN
    DELETE FROM embedding_results WHERE job_id = OLD.id;
END;

-- However an embedding job ends, each destination that it names gets one delivery, as with executions (see the trigger
-- `executions_announced`). The vectors are not copied: the delivery reads them when it is sent.
CREATE TRIGGER embeddings_announced AFTER UPDATE ON jobs
WHEN NEW.type = 'generate-embedding'
    AND NEW.status IN ('completed', 'failed', 'terminated') AND OLD.status NOT IN ('completed', 'failed', 'terminated')
    AND json_type(NEW.data, '$.data.webhookDestinationIds') = 'array'
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
                'data', json(CASE NEW.status
                    WHEN 'completed' THEN json_object(
                        'event', 'webhook.deployment.embedding', 'status', 'success', 'jobId', NEW.id
                    )
                    ELSE json_object(
                        'event', 'webhook.deployment.embedding', 'status', 'error', 'jobId', NEW.id,
                        'error', COALESCE(
                            json_extract(NEW.data, '$.terminationReason'), json_extract(NEW.data, '$.error'),
                            'the job ' || NEW.status
                        )
                    )
                END)
            ),
            'maxAttempts', 8, 'retryDelayMs', 5000, 'retryBackoffMultiplier', 5, 'maxRetryDelayMs', 300000
        ),
        NEW.updated_at, NEW.updated_at, NEW.updated_at, NEW.trace_id
    FROM (SELECT DISTINCT value FROM json_each(NEW.data, '$.data.webhookDestinationIds')) AS destination;
END;
