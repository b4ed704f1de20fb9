"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "assertions",
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("jti", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("root", "member", "jti", name=op.f("pk_assertions")),
    )
    with op.batch_alter_table("assertions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assertions_expires"), ["expires"], unique=False)

    op.create_table(
        "institutions",
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_institutions")),
    )
    op.create_table(
        "recipes",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recipes")),
    )
    op.create_table(
        "contracts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["recipe"], ["recipes.name"], name=op.f("fk_contracts_recipe")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_contracts")),
    )
    op.create_table(
        "datasets",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("state IN ('uploading', 'complete')", name=op.f("ck_datasets_state")),
        sa.ForeignKeyConstraint(["owner"], ["institutions.root"], name=op.f("fk_datasets_owner")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_datasets")),
        sa.UniqueConstraint("lineage", "version", name=op.f("uq_datasets_lineage_version")),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["root"], ["institutions.root"], name=op.f("fk_tokens_root")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tokens")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_expires"), ["expires"], unique=False)

    op.create_table(
        "parts",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=64), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name=op.f("fk_parts_dataset")),
        sa.PrimaryKeyConstraint("dataset", "file", "part", name=op.f("pk_parts")),
    )
    op.create_table(
        "runs",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("keys_released", sa.Integer(), nullable=False),
        sa.Column("created", sa.String(length=20), nullable=False),
        sa.Column("result", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.String(length=1000), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'leased', 'finished', 'refused', 'failed')", name=op.f("ck_runs_state")
        ),
        sa.ForeignKeyConstraint(["contract"], ["contracts.name"], name=op.f("fk_runs_contract")),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_runs")),
        sa.UniqueConstraint("number", name=op.f("uq_runs_number")),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runs_contract"), ["contract"], unique=False)
        batch_op.create_index("ix_runs_waiting", ["state", "profile", "number"], unique=False)

    op.create_table(
        "votes",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('approval', 'revocation')", name=op.f("ck_votes_kind")),
        sa.ForeignKeyConstraint(["contract"], ["contracts.name"], name=op.f("fk_votes_contract")),
        sa.ForeignKeyConstraint(["institution"], ["institutions.root"], name=op.f("fk_votes_institution")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_votes")),
        sa.UniqueConstraint(
            "contract", "kind", "institution", "member", name=op.f("uq_votes_contract_kind_institution_member")
        ),
    )
    with op.batch_alter_table("votes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_votes_contract"), ["contract"], unique=False)


def downgrade() -> None:
    """Remove the first tables."""
    for table in ("votes", "runs", "parts", "tokens", "datasets", "contracts", "recipes", "institutions", "assertions"):
        op.drop_table(table)
