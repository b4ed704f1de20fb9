"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "institutions",
        sa.Column("root", sa.String(64), primary_key=True),
        sa.Column("serial", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
    )
    op.create_table(
        "capsules",
        sa.Column("manifest", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("capsule", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.String(20), nullable=False),
    )
    op.create_table(
        "nonces",
        sa.Column("nonce", sa.String(64), primary_key=True),
        sa.Column("run", sa.String(32), nullable=False, index=True),
        sa.Column("contract", sa.String(64), nullable=False),
        sa.Column("expires", sa.String(20), nullable=False, index=True),
        sa.Column("used", sa.String(20), nullable=True),
    )
    op.create_table(
        "runs",
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("contract", sa.String(64), nullable=False, index=True),
        sa.Column("max_runs", sa.Integer, nullable=False),
        sa.Column("charged", sa.String(20), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("claims", sa.String(64), nullable=False),
        sa.Column("signing", sa.String(64), nullable=False),
        sa.Column("expires", sa.String(20), nullable=False),
        sa.Column("outputs", sa.String(64), nullable=True),
        sa.Column("count_at_commit", sa.Integer, nullable=True),
    )
    op.create_table(
        "releases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("run", sa.String(32), sa.ForeignKey("runs.run"), nullable=False, index=True),
        sa.Column("dataset", sa.String(64), sa.ForeignKey("capsules.manifest"), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "commits",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("run", sa.String(32), sa.ForeignKey("runs.run"), nullable=False),
        sa.Column("claims", sa.String(64), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("run", "claims"),
    )
    op.create_table(
        "revocations",
        sa.Column("contract", sa.String(64), primary_key=True),
        sa.Column("institution", sa.String(64), primary_key=True),
        sa.Column("member", sa.String(64), primary_key=True),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.String(20), nullable=False),
    )
