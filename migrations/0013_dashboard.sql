-- Token usage, which is all that the dashboard reads: no document is opened, and it outlives the executions.

-- One narrow row for each completed execution, for the edges of a range that lie inside an hour. (An index on executions would
-- not do: the figures stand in the document, and SQLite opens the row for it.)
CREATE TABLE usage_events (
    completed_at TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (completed_at, execution_id)
) WITHOUT ROWID;

-- Their sums by UTC day (`2026-01-31`) and by month (`2026-01`). `hours` splits a sum by the hour of the day:
-- `{"09": [executions, input tokens, output tokens]}`, of a month the hours of all its days together. A row for each hour would
-- be the plain way, and a year of eighteen models 150,000 rows to sum up for a series by hour of the day.
CREATE TABLE usage_sums (
    unit TEXT NOT NULL CHECK (unit IN ('day', 'month')),
    period TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    executions INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    hours TEXT NOT NULL CHECK (json_valid(hours)),
    PRIMARY KEY (unit, period, provider, model)
) WITHOUT ROWID;

-- The hours as rows.
CREATE VIEW usage_hours AS
SELECT s.unit, s.period, h.key AS hour, s.provider, s.model, h.value ->> 0 AS executions, h.value ->> 1 AS input_tokens,
    h.value ->> 2 AS output_tokens
FROM usage_sums AS s CROSS JOIN json_each(s.hours) AS h;

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

CREATE TRIGGER usage_events_summed AFTER INSERT ON usage_events
BEGIN
    INSERT INTO usage_sums (unit, period, provider, model, executions, input_tokens, output_tokens, hours)
    SELECT unit, substr(NEW.completed_at, 1, length), NEW.provider, NEW.model, 1, NEW.input_tokens, NEW.output_tokens,
        json_object(substr(NEW.completed_at, 12, 2), json_array(1, NEW.input_tokens, NEW.output_tokens))
    FROM (SELECT 'day' AS unit, 10 AS length UNION ALL SELECT 'month', 7) WHERE true
    ON CONFLICT (unit, period, provider, model) DO UPDATE SET
        executions = executions + 1,
        input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        hours = json_set(hours, '$.' || substr(NEW.completed_at, 12, 2), json_array(
            1 + COALESCE(hours ->> ('$.' || substr(NEW.completed_at, 12, 2) || '[0]'), 0),
            NEW.input_tokens + COALESCE(hours ->> ('$.' || substr(NEW.completed_at, 12, 2) || '[1]'), 0),
            NEW.output_tokens + COALESCE(hours ->> ('$.' || substr(NEW.completed_at, 12, 2) || '[2]'), 0)
        ));
END;
