-- How far maintenance has come with work that is spread over many rounds. Without a row it starts at the beginning.
CREATE TABLE maintenance_cursors (
    name TEXT PRIMARY KEY,
    position TEXT NOT NULL
);
