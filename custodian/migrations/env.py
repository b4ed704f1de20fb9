"""How Alembic runs here: on the connection, and in the transaction, that the store opened."""

from alembic import context

from custodian.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
