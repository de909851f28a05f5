"""The grammar of the ztopo language, as data files."""
