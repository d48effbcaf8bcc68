-- How many executions of a provider run at once is a setting like others: what an admin changed so far moves there.
INSERT INTO settings (id, data, created_at, updated_at)
SELECT
    lower(
        hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
    ),
    json_object(
        'type', 'provider-limits', 'identifier', provider, 'provider', provider, 'max_running', min(max_running, 1000)
    ),
    strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
FROM provider_limits
WHERE provider IN ('ollama', 'openai', 'anthropic', 'gemini', 'deepseek', 'deepinfra');
DROP TABLE provider_limits;

-- The place of a group run's execution among those of other prompts: turn by turn, each prompt gets one in. Executions
-- that people wait for have turn 0 and a priority of their own.
ALTER TABLE executions ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
DROP INDEX executions_waiting;
-- The waiting line of a provider, in the order in which it is served.
CREATE INDEX executions_waiting ON executions (provider, priority, turn, created_at, id)
    WHERE status = 'pending' AND dispatched_at IS NULL;
-- The end of a prompt's own line at a provider.
CREATE INDEX executions_waiting_of_prompt ON executions (provider, priority, prompt_id, turn)
    WHERE status = 'pending' AND dispatched_at IS NULL;
