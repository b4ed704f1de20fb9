"""The tables. Signed documents are kept as the bytes that came; columns beside them are for finding them."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

__all__ = [
    "assertions",
    "contracts",
    "datasets",
    "institutions",
    "metadata",
    "parts",
    "recipes",
    "runs",
    "tokens",
    "votes",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

institutions = Table(
    "institutions",
    metadata,
    Column("root", String(64), primary_key=True),
    Column("serial", Integer, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

assertions = Table(
    "assertions",
    metadata,
    Column("root", String(64), primary_key=True),
    Column("member", String(64), primary_key=True),
    Column("jti", String(64), primary_key=True),
    Column("expires", Float, nullable=False, index=True),
)
"""Client assertions that were used; ``jti`` is kept as its SHA-256, ``expires`` in seconds since 1970."""

tokens = Table(
    "tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("root", String(64), ForeignKey("institutions.root"), nullable=False),
    Column("member", String(64), nullable=False),
    Column("expires", Float, nullable=False, index=True),
)
"""Bearer tokens by their SHA-256; the token itself is known to its holder alone."""

datasets = Table(
    "datasets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(64), ForeignKey("institutions.root"), nullable=False),
    Column("lineage", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    UniqueConstraint("lineage", "version"),
    CheckConstraint("state IN ('uploading', 'complete')", name="state"),
)

parts = Table(
    "parts",
    metadata,
    Column("dataset", String(64), ForeignKey("datasets.name"), primary_key=True),
    Column("file", String(64), primary_key=True),
    Column("part", Integer, primary_key=True),
)
"""Parts that are durably stored: a row is written after its object is on the disk."""

recipes = Table(
    "recipes",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("author", String(64), nullable=False, server_default="", index=True),
)

contracts = Table(
    "contracts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("recipe", String(64), ForeignKey("recipes.name"), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("proposer", String(64), nullable=False, server_default="", index=True),
)

votes = Table(
    "votes",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("contract", String(64), ForeignKey("contracts.name"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("institution", String(64), ForeignKey("institutions.root"), nullable=False),
    Column("member", String(64), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    UniqueConstraint("contract", "kind", "institution", "member"),
    CheckConstraint("kind IN ('approval', 'revocation')", name="kind"),
)

runs = Table(
    "runs",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("contract", String(64), ForeignKey("contracts.name"), nullable=False, index=True),
    Column("profile", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Float),
    Column("keys_released", Integer, nullable=False),
    Column("created", String(20), nullable=False),
    Column("result", String(64)),
    Column("code", String(64)),
    Column("detail", String(1000)),
    CheckConstraint("state IN ('waiting', 'leased', 'finished', 'refused', 'failed')", name="state"),
    Index("ix_runs_waiting", "state", "profile", "number"),
)
"""``number`` orders runs as they came; ``fence`` counts leases; ``lease_until`` in seconds since 1970."""
