"""Fetch a result bundle from a broker, which is believed in nothing: the bundle is verified before it is used."""

import re
from datetime import datetime

from protocol.documents.receipt import MAX_BUNDLE
from protocol.errors import DocumentError
from sealroom.transport import Transport
from sealroom.trust import Trust
from sealroom.verification import VerifiedBundle, verify_bundle

__all__ = ["fetch_bundle"]

_RUN = re.compile(r"[0-9a-f]{32}")


def fetch_bundle(broker: Transport, run: str, trust: Trust, *, now: datetime) -> tuple[bytes, VerifiedBundle]:
    """Return the bytes of a run's bundle and the same bundle verified.

    Raises
    ------
    DocumentError
        ``RUN`` where that is no run id, ``OTHER_RUN`` where the broker served the valid bundle of another run.
    VerificationFailed
        Where the bundle does not verify under these pins.
    """
    if _RUN.fullmatch(run) is None:
        raise DocumentError("RUN", "A run id has 32 hex digits; `sealroom run list` shows them.")
    data = broker.get(f"/v1/runs/{run}/result", limit=MAX_BUNDLE)
    verified = verify_bundle(data, trust, now=now)
    if verified.run != run:
        raise DocumentError("OTHER_RUN", f"The broker served the result of run {verified.run} in place of {run}.")
    return data, verified
