-- Who changed what, written in the write that makes the change. People are named by id only, and of documents there are
-- no texts: what is deleted elsewhere leaves nothing here that could be read.
CREATE TABLE audit_log (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    -- system, anonymous, user or api-key; of a key also its owner.
    actor TEXT NOT NULL,
    user_id TEXT,
    role TEXT,
    api_key_id TEXT,
    resource_type TEXT NOT NULL,
    -- Absent when the action concerns several resources.
    resource_id TEXT,
    -- The members that differ, as far as they are kept.
    before TEXT CHECK (before IS NULL OR json_valid(before)),
    after TEXT CHECK (after IS NULL OR json_valid(after)),
    address TEXT,
    request_id TEXT
);
CREATE INDEX audit_log_newest ON audit_log (at, id);
CREATE INDEX audit_log_of_user ON audit_log (user_id, at, id);
CREATE INDEX audit_log_of_action ON audit_log (action, at, id);
CREATE INDEX audit_log_of_type ON audit_log (resource_type, at, id);
CREATE INDEX audit_log_of_resource ON audit_log (resource_id, at, id);

-- What lies before this moment may be deleted. Retention moves it in the write that deletes.
CREATE TABLE audit_log_end (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    kept_from TEXT NOT NULL
);

CREATE TRIGGER audit_log_never_changes BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'rows of audit_log are never changed');
END;

CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log
WHEN OLD.at >= COALESCE((SELECT kept_from FROM audit_log_end), '')
BEGIN
    SELECT RAISE(ABORT, 'rows of audit_log are deleted by retention only');
END;

-- INSERT OR REPLACE would delete without that trigger.
CREATE TRIGGER audit_log_replaces_nothing BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: audit_log.id');
END;
