"""What a release leaves behind: what a withdrawal may name of the enclave, and its revocation lists."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from attestation.certificates import key_digest, load_certificate
from attestation.endorsements import Crl, read_crl
from attestation.pck import read_pck
from attestation.quote import parse_quote
from attestation.reference import Attested, ReferenceValues
from custodian.context import Context
from custodian.endorsements import load_endorsements
from custodian.tables import attested as table
from custodian.tables import crls
from custodian.withdrawals import load_withdrawals
from protocol.documents.attested import AttestationResult, Evidence
from protocol.errors import AccessDenied
from protocol.types import Digest, decode_base64

__all__ = ["attested_of", "keep_lists", "reference_values", "remember"]


def reference_values(context: Context, connection: Connection, measurement: Digest) -> ReferenceValues:
    """Return what is held at this moment: endorsements of a measurement, withdrawal lists, newest revocation lists.

    Raises
    ------
    AttestationError
        ``COLLATERAL_FORMAT`` where a revocation list was spoilt on disk; the appraisal verifies its signature.
    """
    policy = context.settings.appraisal.reference_values
    return ReferenceValues(
        endorsements=load_endorsements(context, connection, measurement),
        withdrawals=load_withdrawals(connection, policy.withdrawal_publishers),
        crls={row.issuer: read_crl("kept CRL", row.crl.hex()) for row in connection.execute(select(crls))},
    )


def remember(
    connection: Connection, run: str, evidence: Evidence, result: AttestationResult, kept: Mapping[Digest, Crl]
) -> None:
    """Record of accepted evidence what ``attested_of`` returns, and its revocation lists where they are newer.

    ``kept`` are the lists that it was appraised with, in the same transaction.
    """
    quote = parse_quote(decode_base64(evidence.quote))
    platform = read_pck(load_certificate(quote.chain.leaf))
    values = {
        "measurement": result.measurement,
        "ppid": platform.ppid.hex(),
        "fmspc": platform.fmspc.hex(),
        "advisories": json.dumps(result.advisories),
    }
    connection.execute(
        insert(table).values(run=run, **values).on_conflict_do_update(index_elements=["run"], set_=values)
    )
    keep_lists(connection, evidence, kept)


def keep_lists(connection: Connection, evidence: Evidence, kept: Mapping[Digest, Crl]) -> None:
    """Keep the revocation lists of evidence where they are newer than ``kept``; they must have been verified."""
    quote = parse_quote(decode_base64(evidence.quote))
    for issuer, crl in (
        (quote.chain.intermediate, evidence.collateral.pck_crl),
        (quote.chain.root, evidence.collateral.root_ca_crl),
    ):
        digest = key_digest(load_certificate(issuer))
        if _is_newer(read_crl("CRL", crl), kept.get(digest)):
            _keep(connection, digest, bytes.fromhex(crl))


def attested_of(connection: Connection, run: str) -> Attested:
    """Return what a withdrawal may name of the enclave of a run's latest release.

    Raises
    ------
    AccessDenied
        ``ATTESTED_UNKNOWN`` where the release is older than these records.
    """
    row = connection.execute(select(table).where(table.c.run == run)).one_or_none()
    if row is None:
        raise AccessDenied(
            "ATTESTED_UNKNOWN",
            "The keys of this run were released before its custodian was updated. Let its lease end: the next enclave "
            "attests anew and finishes the run without another charge.",
        )
    return Attested(row.measurement, row.ppid, row.fmspc, tuple(json.loads(row.advisories)))


def _is_newer(found: Crl, kept: Crl | None) -> bool:
    return kept is None or (found.issued, found.number or 0) > (kept.issued, kept.number or 0)


def _keep(connection: Connection, issuer: Digest, crl: bytes) -> None:
    values = {"crl": crl}
    connection.execute(
        insert(crls).values(issuer=issuer, **values).on_conflict_do_update(index_elements=["issuer"], set_=values)
    )
