"""One file's bytes → one `ImageRecord`. Nothing here knows of other files, tables or reports."""
