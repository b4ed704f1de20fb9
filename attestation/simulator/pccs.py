"""The simulated platform as a PCCS: version 4 of Intel's API, its real paths, headers and words.

A host gets the simulated platform's collateral from here by the very client that it uses in production.
"""

from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from attestation.pck import PckPlatform
from protocol.documents import Collateral

__all__ = ["pccs_router"]

API: Final = "/sgx/certification/v4"
FMSPC: Final = 12
"""Hex digits."""
_Text = Annotated[str, Query(max_length=64)]


def pccs_router(platform: PckPlatform, collateral: Callable[[], Collateral]) -> APIRouter:
    """Serve the collateral of one platform of the Platform CA, as it stands at each request."""
    router = APIRouter(prefix=API)
    _add_signed_items(router, platform, collateral)
    _add_lists(router, collateral)
    return router


def _add_signed_items(router: APIRouter, platform: PckPlatform, collateral: Callable[[], Collateral]) -> None:
    @router.get("/tcb")
    def tcb(fmspc: _Text = "", update: _Text = "standard") -> Response:
        if len(fmspc) != FMSPC or update not in {"standard", "early"}:
            return _refusal(400)
        if fmspc.lower() != platform.fmspc.hex():
            return _refusal(404)
        now = collateral()
        return _signed(
            "tcbInfo", now.tcb_info, now.tcb_info_signature, {"TCB-Info-Issuer-Chain": now.tcb_info_issuer_chain}
        )

    @router.get("/qe/identity")
    def qe_identity(update: _Text = "standard") -> Response:
        if update not in {"standard", "early"}:
            return _refusal(400)
        now = collateral()
        return _signed(
            "enclaveIdentity",
            now.qe_identity,
            now.qe_identity_signature,
            {"SGX-Enclave-Identity-Issuer-Chain": now.qe_identity_issuer_chain},
        )


def _add_lists(router: APIRouter, collateral: Callable[[], Collateral]) -> None:
    @router.get("/pckcrl")
    def pck_crl(ca: _Text = "", encoding: _Text = "") -> Response:
        if ca.lower() not in {"platform", "processor"}:
            return _refusal(400)
        if ca.lower() != "platform":
            return _refusal(404)
        now = collateral()
        chain = {"SGX-PCK-CRL-Issuer-Chain": quote(now.pck_crl_issuer_chain, safe="")}
        if encoding.lower() == "der":
            return Response(bytes.fromhex(now.pck_crl), media_type="application/x-pem-file", headers=chain)
        return Response(now.pck_crl, media_type="text/html", headers=chain)

    @router.get("/rootcacrl")
    def root_crl() -> Response:
        return Response(collateral().root_ca_crl, media_type="text/html")


def _signed(name: str, text: str, signature: str, chain: dict[str, str]) -> Response:
    """Answer with signed JSON byte for byte, for its signature's sake."""
    body = f'{{"{name}":{text},"signature":"{signature}"}}'
    headers = {header: quote(pem, safe="") for header, pem in chain.items()}
    return Response(body, media_type="application/json", headers=headers)


def _refusal(status: int) -> Response:
    words = {400: "Invalid request parameters.", 404: "No cache data for this platform."}
    return Response(words[status], status, media_type="text/html")
