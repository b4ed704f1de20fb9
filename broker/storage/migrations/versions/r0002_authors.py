"""Who brought a recipe or a contract: what an institution's quota is counted by."""

import base64
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = {"recipes": "author", "contracts": "proposer"}


def upgrade() -> None:
    """Add the columns and fill them from the stored documents."""
    for table, column in _COLUMNS.items():
        op.add_column(table, sa.Column(column, sa.String(length=64), nullable=False, server_default=""))
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)
        rows = sa.table(table, sa.column("name"), sa.column("envelope"), sa.column(column))
        for name, envelope in op.get_bind().execute(sa.select(rows.c.name, rows.c.envelope)).all():
            payload = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
            op.execute(rows.update().where(rows.c.name == name).values({column: payload[column]}))


def downgrade() -> None:
    """Remove the columns."""
    for table, column in _COLUMNS.items():
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
        op.drop_column(table, column)
