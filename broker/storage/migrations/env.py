"""Run by Alembic: migrate over the connection that ``Database.migrate`` opened."""

from alembic import context

from broker.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
