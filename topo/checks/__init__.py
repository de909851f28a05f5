"""One check per file, named after its code and its question."""
