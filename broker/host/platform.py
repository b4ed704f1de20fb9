"""The platform under an enclave: SGX hardware with a source of collateral, or the simulated platform's process."""

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Protocol, Self

import httpx
from anyio import to_thread

from attestation.collateral.cache import FolderCache
from attestation.collateral.client import PccsClient
from attestation.collateral.source import CollateralSource, PccsSource
from broker.host.client import answer_object, bounded, problem_of
from broker.host.settings import HostSettings
from protocol.canonical import canonical_bytes
from protocol.documents.attested import Collateral
from protocol.errors import AttestationError, TransportError
from protocol.types import encode_base64

__all__ = ["HardwarePlatform", "Platform", "SimulatedPlatform", "make_platform"]

AWAY_SECONDS: Final = 60.0
"""How long a host takes no run after its source of collateral failed."""


class Platform(Protocol):
    """What vouches for enclaves on this machine, as far as the host has to do with it."""

    async def __aenter__(self) -> Self:
        """Open connections."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close them."""

    async def answers(self) -> bool:
        """Say whether the platform is there, so that no lease is spent on finding out that it is not."""

    async def ticket(self, profile: str) -> str | None:
        """Return what a simulated platform knows a new enclave of a profile by; hardware needs no ticket."""

    async def collateral(self, quote: bytes) -> bytes:
        """Return the endorsements for a quote as a canonical ``Collateral``."""


def make_platform(settings: HostSettings) -> Platform:
    """Return the platform that the settings name."""
    if settings.platform is not None:
        return SimulatedPlatform(settings.platform)
    client = PccsClient(str(settings.pccs), authority=settings.pccs_authority)
    return HardwarePlatform(PccsSource(client, FolderCache(settings.data / "collateral")))


class HardwarePlatform:
    """SGX hardware: the processor knows its enclaves, and quotes are endorsed by what a source of collateral gives."""

    def __init__(self, source: CollateralSource) -> None:
        self._source = source
        self._away_until = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    async def answers(self) -> bool:
        """Say whether the source of collateral is not known to have failed just now."""
        return time.monotonic() >= self._away_until

    async def ticket(self, profile: str) -> None:
        """Return no ticket: Gramine starts what was signed, and the processor measures it."""
        del profile

    async def collateral(self, quote: bytes) -> bytes:
        """Return the endorsements for a quote as a canonical ``Collateral``."""
        at = datetime.now(UTC).replace(microsecond=0)
        try:
            collateral = await to_thread.run_sync(self._source.collateral, quote, at)
        except (TransportError, AttestationError):  # also one that serves what is wrong or out of date
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise
        return canonical_bytes(collateral.model_dump(mode="json"))


class SimulatedPlatform:
    """The simulated platform's process."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=60.0, trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def answers(self) -> bool:
        """Say whether the platform is there, so that no lease is spent on finding out that it is not."""
        try:
            return (await self._http.get("/v1/health")).is_success
        except httpx.TransportError:
            return False

    async def ticket(self, profile: str) -> str:
        """Have the platform measure an enclave profile and return its ticket."""
        answer = await self._post("/v1/enclaves", {"profile": profile})
        ticket = answer_object(answer).get("ticket")
        if not isinstance(ticket, str):
            raise TransportError("ANSWER_SHAPE", "The platform answered without a ticket.")
        return ticket

    async def collateral(self, quote: bytes) -> bytes:
        """Return the endorsements for a quote as a canonical ``Collateral``."""
        answer = await self._post("/v1/collateral", {"quote": encode_base64(quote)})
        try:
            collateral = Collateral.model_validate_json(answer)
        except ValueError as error:
            raise TransportError(
                "ANSWER_SHAPE", "The platform answered with something that is no collateral."
            ) from error
        return canonical_bytes(collateral.model_dump(mode="json"))

    async def _post(self, path: str, fields: dict[str, str]) -> bytes:
        try:
            async with self._http.stream("POST", path, content=canonical_bytes(fields)) as response:
                answer = await bounded(response)
        except httpx.TransportError as error:
            message = f"The simulated platform does not answer ({type(error).__name__}). Is it running?"
            raise TransportError("PLATFORM_UNREACHABLE", message) from error
        if response.is_success:
            return answer
        raise problem_of(answer)
