"""The attester of a simulated platform: it asks the platform's process, over loopback only.

This module runs inside the enclave, so it imports little. Production profiles do not contain it.
"""

import ipaddress
import json
from typing import Any, Final

import httpx

from attestation.attesters import REPORT_DATA_SIZE
from protocol.errors import AttestationError, SealroomError, TransportError, from_problem
from protocol.types import decode_base64

__all__ = ["SimulatedAttester"]

_MAX_ANSWER: Final = 65_536
_MAX_QUOTE: Final = 16_384
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)


class SimulatedAttester:
    """Quotes for the enclave that ``ticket`` names, from the platform at ``url``.

    Raises ``TransportError`` with code ``PLATFORM_URL`` unless ``url`` is plain HTTP on a numeric loopback address.
    """

    def __init__(self, url: str, ticket: str) -> None:
        self._url = _loopback(url)
        self._ticket = ticket

    def quote(self, report_data: bytes) -> bytes:
        """Return a quote over exactly 64 bytes of report data.

        Raises
        ------
        AttestationError
            ``REPORT_DATA`` for another length; whatever the platform refused.
        TransportError
            ``PLATFORM_UNREACHABLE``, ``PLATFORM_ANSWER``.
        """
        if len(report_data) != REPORT_DATA_SIZE:
            raise AttestationError(
                "REPORT_DATA", f"Found {len(report_data)} bytes of report data, wanted {REPORT_DATA_SIZE}."
            )
        answer = self._post("/v1/quotes", {"ticket": self._ticket, "report_data": report_data.hex()})
        encoded = answer.get("quote") if isinstance(answer, dict) else None
        try:
            quote = decode_base64(encoded) if isinstance(encoded, str) else b""
        except ValueError:
            quote = b""
        if not 0 < len(quote) <= _MAX_QUOTE:
            raise TransportError("PLATFORM_ANSWER", "The simulated platform's answer holds no quote.")
        return quote

    def _post(self, path: str, body: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON value
        try:
            # No proxy from the environment: report data goes to the platform and nowhere else.
            with (
                httpx.Client(base_url=self._url, timeout=_TIMEOUT, trust_env=False) as client,
                client.stream("POST", path, json=body) as response,
            ):
                data = b""
                for chunk in response.iter_bytes(8_192):
                    data += chunk
                    if len(data) > _MAX_ANSWER:
                        raise TransportError(
                            "PLATFORM_ANSWER", f"The simulated platform sent more than {_MAX_ANSWER} bytes."
                        )
        except httpx.HTTPError as error:
            raise TransportError(
                "PLATFORM_UNREACHABLE",
                f"The simulated platform at {self._url} did not answer: {type(error).__name__}. Is it running?",
            ) from error
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise TransportError(
                "PLATFORM_ANSWER", "The simulated platform answered with something else than JSON."
            ) from error
        if response.is_success:
            return answer
        problem: SealroomError = from_problem(answer)
        raise problem


def _loopback(url: str) -> str:
    try:
        parts = httpx.URL(url)
        plain = parts.scheme == "http" and parts.path in {"", "/"} and not parts.query and not parts.userinfo
        if plain and ipaddress.ip_address(parts.host).is_loopback:
            return url
    except (ValueError, httpx.InvalidURL):
        pass
    raise TransportError("PLATFORM_URL", "A simulated platform is reached at http:// and a numeric loopback address.")
