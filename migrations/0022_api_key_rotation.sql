-- The key before the latest rotation, which still works for a while.
ALTER TABLE api_keys ADD COLUMN
    previous_key_digest TEXT GENERATED ALWAYS AS (json_extract(data, '$.previous_key.digest')) VIRTUAL;
CREATE UNIQUE INDEX api_keys_previous_digest ON api_keys (previous_key_digest);
