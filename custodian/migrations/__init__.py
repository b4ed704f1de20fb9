"""Alembic migrations of the custodian's database, run at start."""
