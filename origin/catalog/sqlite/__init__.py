"""The catalog in SQLite, one module for each noun of the contract."""
