"""Withdrawal lists, endorsements, newest revocation lists, and what withdrawals may name of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "withdrawals",
        sa.Column("publisher", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "endorsements",
        sa.Column("endorser", sa.String(64), primary_key=True),
        sa.Column("institution", sa.String(64), primary_key=True),
        sa.Column("measurement", sa.String(64), primary_key=True, index=True),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "crls",
        sa.Column("issuer", sa.String(64), primary_key=True),
        sa.Column("crl", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "attested",
        sa.Column("run", sa.String(32), sa.ForeignKey("runs.run"), primary_key=True),
        sa.Column("measurement", sa.String(64), nullable=False),
        sa.Column("ppid", sa.String(32), nullable=False),
        sa.Column("fmspc", sa.String(12), nullable=False),
        sa.Column("advisories", sa.Text, nullable=False),
    )
