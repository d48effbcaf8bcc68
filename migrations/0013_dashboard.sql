-- One narrow row for each completed execution, for the edges of a range that lie inside an hour. Together with
-- `usage_hourly` it is all that the dashboard reads: no document is opened, and both outlive the executions. (An index on
-- generated columns would not do: SQLite opens the row all the same.)
CREATE TABLE usage_events (
    completed_at TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (completed_at, execution_id)
) WITHOUT ROWID;

INSERT INTO usage_events (completed_at, execution_id, provider, model, input_tokens, output_tokens)
SELECT completed_at, id, provider, model, COALESCE(json_extract(data, '$.input_tokens_used'), 0),
    COALESCE(json_extract(data, '$.output_tokens_used'), 0)
FROM executions WHERE status = 'completed';

-- Fires when `executions_usage` does.
CREATE TRIGGER executions_used AFTER UPDATE OF status ON executions
WHEN NEW.status = 'completed' AND OLD.status IS NOT 'completed'
BEGIN
    INSERT INTO usage_events (completed_at, execution_id, provider, model, input_tokens, output_tokens)
    VALUES (
        NEW.completed_at, NEW.id, NEW.provider, NEW.model,
        COALESCE(json_extract(NEW.data, '$.input_tokens_used'), 0),
        COALESCE(json_extract(NEW.data, '$.output_tokens_used'), 0)
    );
END;
