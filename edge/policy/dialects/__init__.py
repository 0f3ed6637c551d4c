"""URLs of other image servers, read as ours: one module a dialect, one table in each."""
