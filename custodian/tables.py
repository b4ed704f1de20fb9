"""The custodian's tables. Keys at rest are capsules only: data keys sealed to the custodian's own X-Wing key."""

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

__all__ = [
    "attested",
    "capsules",
    "commits",
    "crls",
    "endorsements",
    "institutions",
    "metadata",
    "nonces",
    "releases",
    "revocations",
    "runs",
    "withdrawals",
]

metadata = MetaData()

institutions = Table(
    "institutions",
    metadata,
    Column("root", String(64), primary_key=True),
    Column("serial", Integer, nullable=False),
    Column("name", String(64), nullable=False),
)
"""The newest document seen of each institution: serials may not go back."""

capsules = Table(
    "capsules",
    metadata,
    Column("manifest", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("capsule", LargeBinary, nullable=False),
    Column("time", String(20), nullable=False),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("run", String(32), nullable=False, index=True),
    Column("contract", String(64), nullable=False),
    Column("expires", String(20), nullable=False, index=True),
    Column("used", String(20), nullable=True),
)

runs = Table(
    "runs",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("contract", String(64), nullable=False, index=True),
    Column("max_runs", Integer, nullable=False),
    Column("charged", String(20), nullable=False),
    # The latest release: who alone may commit, until when.
    Column("fence", Integer, nullable=False),
    Column("claims", String(64), nullable=False),
    Column("signing", String(64), nullable=False),
    Column("expires", String(20), nullable=False),
    # Set by the first commit, never changed.
    Column("outputs", String(64), nullable=True),
    Column("count_at_commit", Integer, nullable=True),
)
"""A row is a charge: one run of a contract, whatever the number of enclaves that tried it."""

releases = Table(
    "releases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("run", String(32), ForeignKey("runs.run"), nullable=False, index=True),
    Column("dataset", String(64), ForeignKey("capsules.manifest"), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

commits = Table(
    "commits",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("run", String(32), ForeignKey("runs.run"), nullable=False),
    Column("claims", String(64), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    UniqueConstraint("run", "claims"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("contract", String(64), primary_key=True),
    Column("institution", String(64), primary_key=True),
    Column("member", String(64), primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("time", String(20), nullable=False),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("publisher", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)
"""The newest withdrawal list of each publisher: numbers may not go back."""

endorsements = Table(
    "endorsements",
    metadata,
    Column("endorser", String(64), primary_key=True),
    Column("institution", String(64), primary_key=True),
    Column("measurement", String(64), primary_key=True, index=True),
    Column("envelope", LargeBinary, nullable=False),
)

crls = Table(
    "crls",
    metadata,
    Column("issuer", String(64), primary_key=True),
    Column("crl", LargeBinary, nullable=False),
)
"""The newest revocation list of each issuer, by the SHA-256 of its key, in evidence that was accepted; in DER."""

attested = Table(
    "attested",
    metadata,
    Column("run", String(32), ForeignKey("runs.run"), primary_key=True),
    Column("measurement", String(64), nullable=False),
    Column("ppid", String(32), nullable=False),
    Column("fmspc", String(12), nullable=False),
    Column("advisories", Text, nullable=False),  # a JSON list
)
"""What a withdrawal may name of the enclave of a run's latest release."""
