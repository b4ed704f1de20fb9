"""Endorsements of measurements, as the institutions that rebuilt an enclave signed them: one of each for each."""

import logging

from sqlalchemy import Connection, func, insert, select, tuple_

from attestation.reference import verify_endorsement
from custodian.context import Context
from custodian.tables import endorsements as table
from protocol.documents.reference import MeasurementEndorsement
from protocol.dsse import Envelope, Verified
from protocol.errors import AttestationError, StorageError
from protocol.governance import require_span
from protocol.types import Digest

__all__ = ["get_endorsements", "load_endorsements", "put_endorsement"]

_log = logging.getLogger(__name__)


def put_endorsement(context: Context, envelope: Envelope) -> Verified[MeasurementEndorsement]:
    """Verify and store an endorsement; another of the same endorser that says the same changes nothing.

    Raises
    ------
    DocumentError
        The endorsement is malformed or wrongly signed.
    AttestationError
        ``ENDORSER``; ``ENDORSEMENT_DIFFERS`` where the endorser said of this measurement that other files or another
        profile give it.
    AccessDenied
        ``NOT_YET_VALID`` where it is dated in the future.
    StorageError
        ``ENDORSEMENTS_FULL`` where too many of this endorser are held.
    """
    found = verify_endorsement(envelope, context.settings.appraisal.reference_values)
    document = found.document
    with context.store.transaction() as connection:
        require_span(f"endorsement by {document.institution}", document.time, None, context.clock())
        of_endorser = (table.c.endorser == found.signer) & (table.c.institution == document.institution)
        stored = connection.execute(
            select(table.c.envelope).where(of_endorser, table.c.measurement == document.measurement)
        ).scalar()
        if stored is not None:
            known = verify_endorsement(Envelope.from_bytes(stored), context.settings.appraisal.reference_values)
            _require_same(known.document, document)
            return known
        held = connection.execute(select(func.count()).select_from(table).where(of_endorser)).scalar_one()
        if held >= context.settings.endorsements_per_endorser:
            raise StorageError(
                "ENDORSEMENTS_FULL",
                f"{held} endorsements of {document.institution} are held, and no more are taken. Ask the operator.",
            )
        connection.execute(
            insert(table).values(
                endorser=found.signer,
                institution=document.institution,
                measurement=document.measurement,
                envelope=envelope.to_bytes(),
            )
        )
    _log.info("endorsement held: measurement %s by %s", document.measurement, document.institution)
    return found


def get_endorsements(context: Context, measurement: Digest) -> tuple[Envelope, ...]:
    """Return the endorsements of a measurement by endorsers that the appraisal policy names."""
    with context.store.transaction() as connection:
        return tuple(found.envelope for found in load_endorsements(context, connection, measurement))


def load_endorsements(
    context: Context, connection: Connection, measurement: Digest
) -> tuple[Verified[MeasurementEndorsement], ...]:
    """Return the endorsements of a measurement that count, each verified again."""
    policy = context.settings.appraisal.reference_values
    named = [(endorser.key, endorser.institution) for endorser in policy.endorsers]
    rows = connection.execute(
        select(table.c.envelope)
        .where(table.c.measurement == measurement, tuple_(table.c.endorser, table.c.institution).in_(named))
        .order_by(table.c.endorser)
    ).scalars()
    return tuple(verify_endorsement(Envelope.from_bytes(row), policy) for row in rows)


def _require_same(known: MeasurementEndorsement, found: MeasurementEndorsement) -> None:
    if (known.profile, known.files) != (found.profile, found.files):
        raise AttestationError(
            "ENDORSEMENT_DIFFERS",
            f"{known.institution} endorsed this measurement for profile {known.profile} and files {known.files[:16]}; "
            f"found profile {found.profile} and files {found.files[:16]}. One of its builds is not what it thought.",
        )
