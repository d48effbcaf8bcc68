-- A row that may never exist: a guarded write tries to insert `0` when the statement before it changed
-- nothing, and the check then fails the whole batch.
CREATE TABLE guards (
    holds INTEGER NOT NULL CONSTRAINT guard_failed CHECK (holds)
);
