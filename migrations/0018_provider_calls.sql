-- What an execution's provider call used, by what the tokens were spent on: no token is in two columns. The document
-- holds them with everything else that the vendor told about the call; executions before this migration have none.
ALTER TABLE executions ADD COLUMN tokens_input INTEGER
    GENERATED ALWAYS AS (json_extract(data, '$.provider_call.tokens.input')) VIRTUAL;
ALTER TABLE executions ADD COLUMN tokens_output INTEGER
    GENERATED ALWAYS AS (json_extract(data, '$.provider_call.tokens.output')) VIRTUAL;
ALTER TABLE executions ADD COLUMN tokens_cached_read INTEGER
    GENERATED ALWAYS AS (json_extract(data, '$.provider_call.tokens.cached_read')) VIRTUAL;
ALTER TABLE executions ADD COLUMN tokens_cache_write INTEGER
    GENERATED ALWAYS AS (json_extract(data, '$.provider_call.tokens.cache_write')) VIRTUAL;
ALTER TABLE executions ADD COLUMN tokens_reasoning INTEGER
    GENERATED ALWAYS AS (json_extract(data, '$.provider_call.tokens.reasoning')) VIRTUAL;
