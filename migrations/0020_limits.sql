-- Token buckets by what they limit and for whom, for instance the failed guesses from one network. A row whose moment has
-- passed means the same as no row.
CREATE TABLE limits (
    bucket TEXT PRIMARY KEY,
    -- When the bucket is full again, in nanoseconds since 1970.
    full_at INTEGER NOT NULL
);
CREATE INDEX limits_full ON limits (full_at);

-- The same for the requests of an API key, in the row that counts them.
ALTER TABLE api_keys ADD COLUMN full_at INTEGER NOT NULL DEFAULT 0;
