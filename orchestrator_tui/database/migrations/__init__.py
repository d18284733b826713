"""Alembic's scripts: how a database gets from each schema to the next."""
