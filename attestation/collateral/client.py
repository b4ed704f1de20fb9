"""A client of a PCCS, or of Intel's own PCS: version 4 of their API, paths and headers as Intel documents them.

Every request is bounded in size and in time from its first byte to its last. No redirect is followed, no proxy is
taken from the environment, and http is spoken to this machine only. What comes back is well formed or a coded error,
and is not vetted: that is for ``items``.
"""

import asyncio
import ipaddress
import json
import re
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from attestation.certificates import MALFORMED
from attestation.collateral.items import CollateralItem, ItemKind, PlatformCertificates
from attestation.roots import INTEL_ROOT
from protocol.errors import TransportError

__all__ = ["PCS_HOST", "Limits", "PccsClient"]

API: Final = "/sgx/certification/v4"
PCS_HOST: Final = "api.trustedservices.intel.com"
"""Intel's own service: it has no ``/rootcacrl``; the root's list lies where Intel's root certificate says."""
MAX_ANSWER: Final = 524_288
_ADDRESS: Final = re.compile(
    r"(?:https://[A-Za-z0-9.-]+|https://\[[0-9A-Fa-f:.]+\]|http://(?:127\.0\.0\.1|localhost|\[::1\]))"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)
_CHAIN_HEADERS: Final[dict[ItemKind, tuple[str, ...]]] = {
    # Version 4 dropped the prefix of the first; several caches kept it.
    "tcb-info": ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"),
    "qe-identity": ("SGX-Enclave-Identity-Issuer-Chain",),
    "pck-crl": ("SGX-PCK-CRL-Issuer-Chain",),
}
_UNKNOWN: Final = frozenset({404, 461})
"""Not known, in HTTP's and in PCCS's own words."""
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_REPEATED: Final = frozenset({"COLLATERAL_UNREACHABLE", "COLLATERAL_CUT", "COLLATERAL_BUSY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a source may take: seconds to connect, seconds for a whole request, tries, seconds before the second try.

    Each further wait is twice the one before. A request that takes too long is not repeated.
    """

    connect: float = 5.0
    request: float = 20.0
    tries: int = 3
    wait: float = 0.5


class PccsClient:
    """Fetches single items.

    Parameters
    ----------
    url
        Of a PCCS (``https://pccs.example:8081``) or of Intel's PCS, with or without ``/sgx/certification/v4``.
    root_crl
        URL of the root's CRL where the source has no ``/rootcacrl``; for Intel's PCS it is known.
    authority
        File with the certificate of the CA, or of the server itself, that https is checked against; the system's CAs
        where there is none.

    Raises
    ------
    TransportError
        ``COLLATERAL_ADDRESS`` for an address that is neither https nor http to this machine; ``COLLATERAL_AUTHORITY``
        for a file that holds no certificate.
    """

    def __init__(
        self,
        url: str,
        *,
        root_crl: str | None = None,
        authority: Path | None = None,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = _base(url)
        if root_crl is None and urlsplit(self._base).hostname == PCS_HOST:
            root_crl = _distribution_point()
        self._root_crl = f"{self._base}/rootcacrl" if root_crl is None else _checked(root_crl)
        self._tls = _tls(authority)
        self._limits = limits or Limits()
        self._sleep = sleep

    @property
    def url(self) -> str:
        """The address with the API's path."""
        return self._base

    def fetch(self, kind: ItemKind, platform: PlatformCertificates) -> CollateralItem:
        """Fetch one item for a platform.

        Raises
        ------
        TransportError
            ``COLLATERAL_UNREACHABLE``, ``COLLATERAL_SLOW``, ``COLLATERAL_CUT``, ``COLLATERAL_SIZE``;
            ``COLLATERAL_UNKNOWN`` where the source does not know the platform; ``COLLATERAL_BUSY`` and
            ``COLLATERAL_STATUS`` for other answers than 200; ``COLLATERAL_ANSWER`` for one that is not as the API says.
        """
        url = {
            "tcb-info": f"{self._base}/tcb?fmspc={platform.pck.fmspc.hex().upper()}&update=standard",
            "qe-identity": f"{self._base}/qe/identity?update=standard",
            "pck-crl": f"{self._base}/pckcrl?ca={platform.ca}&encoding=der",
            "root-crl": self._root_crl,
        }[kind]
        headers, body = self._get(url)
        try:
            return _item(kind, headers, body)
        except (*MALFORMED, RecursionError) as error:  # pydantic's ValidationError is a ValueError
            why = "a field of the wrong length or form" if isinstance(error, ValidationError) else str(error)
            raise TransportError("COLLATERAL_ANSWER", f"{url} did not answer as the API says: {why[:200]}.") from error

    def _get(self, url: str) -> tuple[httpx.Headers, bytes]:
        wait = self._limits.wait
        for _ in range(self._limits.tries - 1):
            try:
                return self._once(url)
            except TransportError as error:
                if error.code not in _REPEATED:
                    raise
            self._sleep(wait)
            wait *= 2
        return self._once(url)

    def _once(self, url: str) -> tuple[httpx.Headers, bytes]:
        # In a thread of its own, so that callers may have an event loop or not.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(self._ask(url))).result()

    async def _ask(self, url: str) -> tuple[httpx.Headers, bytes]:
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._limits.request),
                httpx.AsyncClient(
                    verify=self._tls,
                    trust_env=False,
                    follow_redirects=False,
                    timeout=httpx.Timeout(None, connect=self._limits.connect),
                    # Compressed bytes would have to be unpacked before their size is known.
                    headers={"Accept-Encoding": "identity"},
                ) as http,
                http.stream("GET", url) as answer,
            ):
                _require_success(url, answer.status_code)
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise TransportError("COLLATERAL_SIZE", f"{url} answered with more than {MAX_ANSWER} bytes.")
        except (TimeoutError, httpx.TimeoutException) as error:
            raise TransportError(
                "COLLATERAL_SLOW", f"{url} did not answer within {self._limits.request:g} seconds. Try again later."
            ) from error
        except httpx.ConnectError as error:
            raise TransportError(
                "COLLATERAL_UNREACHABLE",
                f"{url} cannot be reached: {error}. Is it running, and is its certificate one that you trust?",
            ) from error
        except httpx.HTTPError as error:
            raise TransportError(
                "COLLATERAL_CUT", f"{url} broke off, or does not speak HTTP ({type(error).__name__})."
            ) from error
        return answer.headers, bytes(body)


def _item(kind: ItemKind, headers: httpx.Headers, body: bytes) -> CollateralItem:
    if kind == "root-crl":
        return CollateralItem(kind=kind, body=_crl(body).hex())
    chain = _chain(headers, _CHAIN_HEADERS[kind])
    if kind == "pck-crl":
        return CollateralItem(kind=kind, body=_crl(body).hex(), issuer_chain=chain)
    text, signature = _signed(body, "tcbInfo" if kind == "tcb-info" else "enclaveIdentity")
    return CollateralItem(kind=kind, body=text, signature=signature, issuer_chain=chain)


def _signed(body: bytes, name: str) -> tuple[str, str]:
    """Take ``{"NAME": {...}, "signature": "..."}`` apart: the signature is over the JSON without white space."""
    found = json.loads(body, object_pairs_hook=_no_duplicates)
    if not isinstance(found, dict) or set(found) != {name, "signature"} or not isinstance(found["signature"], str):
        raise ValueError(f"wanted an object of {name} and signature")
    text = json.dumps(found[name], separators=(",", ":"), ensure_ascii=False)
    return text, found["signature"].lower()


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _chain(headers: httpx.Headers, names: tuple[str, ...]) -> str:
    for name in names:
        if name in headers:
            return unquote(headers[name], errors="strict")
    raise ValueError(f"the header {names[0]} is missing")


def _crl(body: bytes) -> bytes:
    """Return a list's DER; Intel gives PEM or DER as asked, caches give DER in hex."""
    if body.startswith(b"-----BEGIN X509 CRL-----"):
        return x509.load_pem_x509_crl(body).public_bytes(Encoding.DER)
    if body.startswith(b"\x30"):
        return body
    try:
        return bytes.fromhex(body.decode("ascii").strip())
    except ValueError:
        raise ValueError("wanted a revocation list in DER, hex or PEM") from None


def _require_success(url: str, status: int) -> None:
    if status in _UNKNOWN:
        raise TransportError(
            "COLLATERAL_UNKNOWN",
            f"{url} answered with status {status}: it knows no such platform. Register the platform there, or ask "
            "another source.",
        )
    if status in _AGAIN:
        raise TransportError("COLLATERAL_BUSY", f"{url} answered with status {status}. Try again later.")
    if status != httpx.codes.OK:
        raise TransportError(
            "COLLATERAL_STATUS", f"{url} answered with status {status}, wanted 200; no redirect is followed."
        )


def _checked(url: str) -> str:
    if _ADDRESS.fullmatch(url) is None or not _is_host(url):
        raise TransportError(
            "COLLATERAL_ADDRESS",
            "The address of a source of collateral begins with https://, or with http:// for this machine only, and "
            "has no user, query or fragment.",
        )
    return url


def _is_host(url: str) -> bool:
    """Whether an address in brackets is one of IPv6, and a port one that there is."""
    try:
        parts = urlsplit(url)
        if "[" in url:
            ipaddress.IPv6Address(parts.hostname or "")
        port = parts.port
    except ValueError:
        return False
    return port != 0


def _base(url: str) -> str:
    address = _checked(url).rstrip("/")
    if address.endswith(API):
        return address
    if "/sgx/certification/" in address:
        raise TransportError("COLLATERAL_ADDRESS", f"Only version 4 of the API is spoken: {API}.")
    return address + API


def _distribution_point() -> str:
    points = INTEL_ROOT.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return str((points[0].full_name or [])[0].value)


def _tls(authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:  # an SSLError is one
        raise TransportError("COLLATERAL_AUTHORITY", f"{authority} holds no certificate in PEM.") from error
