"""The `ztopo` command: one verb per file. Nothing heavy is imported before a verb needs it."""
