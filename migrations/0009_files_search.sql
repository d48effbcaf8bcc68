-- What lists of files search, filter and sort by.
ALTER TABLE files ADD COLUMN original_name TEXT GENERATED ALWAYS AS (json_extract(data, '$.originalName')) VIRTUAL;
ALTER TABLE files ADD COLUMN mime_type TEXT GENERATED ALWAYS AS (json_extract(data, '$.mimeType')) VIRTUAL;
ALTER TABLE files ADD COLUMN size INTEGER GENERATED ALWAYS AS (json_extract(data, '$.size')) VIRTUAL;
ALTER TABLE files ADD COLUMN description TEXT GENERATED ALWAYS AS (json_extract(data, '$.description')) VIRTUAL;
CREATE INDEX files_named ON files (name, id);
CREATE INDEX files_originally_named ON files (original_name, id);
CREATE INDEX files_sized ON files (size, id);
CREATE INDEX files_changed ON files (updated_at, id);
CREATE INDEX files_typed ON files (mime_type, created_at, id);
