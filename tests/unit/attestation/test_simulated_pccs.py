"""The simulated platform's PCCS, by the client that production uses."""

import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import attested
import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from attestation.certificates import load_certificate
from attestation.collateral.cache import MemoryCache
from attestation.collateral.client import PccsClient
from attestation.collateral.source import PccsSource
from attestation.pck import read_pck
from attestation.simulator import Settings
from attestation.simulator.app import create_app
from attestation.simulator.pccs import pccs_router
from attestation.simulator.pki import load_or_create_keys
from attestation.simulator.platform import Platform
from protocol.errors import TransportError

PATH = "/sgx/certification/v4"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture(scope="module")
def url(state):
    app = create_app(Settings(state=state, files=Path(__file__).resolve().parents[3]))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


def test_its_collateral_by_the_client_of_production(url, state):
    now = datetime.now(UTC).replace(microsecond=0)
    platform = Platform(load_or_create_keys(state / "platform", now))
    made = attested.claims()
    quote = platform.quote(attested.MEASUREMENT, made.report_data)
    collateral = PccsSource(PccsClient(url), MemoryCache()).collateral(quote, datetime.now(UTC))
    evidence = attested.evidence().model_copy(
        update={"quote": attested.encode_base64(quote), "collateral": collateral, "claims": made}
    )
    assert attested.appraise(evidence, roots=(platform.root,), at=datetime.now(UTC)).simulated
    with pytest.raises(TransportError) as caught:
        other = attested.platform(attested.Conditions()).quote(attested.MEASUREMENT, bytes(64))
        PccsSource(PccsClient(f"{url}/nowhere"), MemoryCache()).collateral(other, now)
    assert caught.value.code == "COLLATERAL_UNKNOWN"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tcb?fmspc=5ea100000001&update=early", 200),
        ("/tcb?fmspc=5ea100000002", 404),
        ("/tcb?fmspc=5ea1", 400),
        ("/tcb", 400),
        ("/tcb?fmspc=5ea100000001&update=never", 400),
        ("/qe/identity", 200),
        ("/qe/identity?update=never", 400),
        ("/pckcrl?ca=PLATFORM", 200),
        ("/pckcrl?ca=processor", 404),
        ("/pckcrl?ca=root", 400),
        ("/pckcrl", 400),
        ("/rootcacrl", 200),
        ("/pckcert", 404),
    ],
)
def test_answers_and_refusals_have_pccs_status(url, path, status):
    answer = httpx.get(f"{url}{PATH}{path}", trust_env=False)
    assert answer.status_code == status
    if status == 400:
        assert answer.text == "Invalid request parameters."


def test_lists_are_in_hex_but_where_der_is_asked_for():
    """As Intel's cache gives them, byte for byte what the platform signed."""
    good = attested.platform().collateral(attested.NOW)
    app = FastAPI()
    app.include_router(pccs_router(read_pck(load_certificate(attested.platform().leaf)), lambda: good))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        with httpx.Client(trust_env=False) as http:
            answers = {
                path: http.get(base + path)
                for path in ("/pckcrl?ca=platform", "/pckcrl?ca=platform&encoding=DER", "/rootcacrl", "/qe/identity")
            }
        server.should_exit = True
        thread.join(20)
    hexed, der, root, identity = answers.values()
    assert (hexed.text, der.content, root.text) == (good.pck_crl, bytes.fromhex(good.pck_crl), good.root_ca_crl)
    assert httpx.QueryParams(f"chain={der.headers['SGX-PCK-CRL-Issuer-Chain']}")["chain"] == good.pck_crl_issuer_chain
    assert good.qe_identity.encode() in identity.content
