"""What a release leaves behind: what a withdrawal may name of the enclave, and how new its revocation lists were."""

import hashlib
import json
from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from attestation.certificates import load_certificate
from attestation.endorsements import read_endorsements
from attestation.pck import read_pck
from attestation.quote import parse_quote
from attestation.reference import Attested, ReferenceValues
from custodian.context import Context
from custodian.endorsements import load_endorsements
from custodian.tables import attested as table
from custodian.tables import crl_numbers
from custodian.withdrawals import load_withdrawals
from protocol.documents.attested import AttestationResult, Evidence
from protocol.errors import AccessDenied
from protocol.types import Digest, decode_base64

__all__ = ["attested_of", "reference_values", "remember"]


def reference_values(context: Context, connection: Connection, measurement: Digest) -> ReferenceValues:
    """Return what is held at this moment: endorsements of a measurement, withdrawal lists, newest CRL numbers."""
    policy = context.settings.appraisal.reference_values
    return ReferenceValues(
        endorsements=load_endorsements(context, connection, measurement),
        withdrawals=load_withdrawals(connection, policy.withdrawal_publishers),
        crl_numbers={row.issuer: row.number for row in connection.execute(select(crl_numbers))},
    )


def remember(connection: Connection, run: str, evidence: Evidence, result: AttestationResult) -> None:
    """Record of accepted evidence what ``attested_of`` returns, and the numbers of its revocation lists.

    Numbers never get lower: evidence with a lower one than was seen is not accepted, in the same transaction.
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
    endorsements = read_endorsements(evidence.collateral)
    _remember_numbers(
        connection,
        {
            quote.chain.intermediate: endorsements.pck_crl.number,
            quote.chain.root: endorsements.root_ca_crl.number,
        },
    )


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


def _remember_numbers(connection: Connection, numbers: Mapping[bytes, int | None]) -> None:
    for issuer, number in numbers.items():
        values = {"number": number}
        connection.execute(
            insert(crl_numbers)
            .values(issuer=hashlib.sha256(issuer).hexdigest(), **values)
            .on_conflict_do_update(index_elements=["issuer"], set_=values)
        )
