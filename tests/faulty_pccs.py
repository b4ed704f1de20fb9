"""A PCCS on a real socket that does what a test says: real paths and headers, or any fault.

::

    with FaultyPccs(platform.collateral(at)) as pccs:
        pccs.collateral = other                       # what it gives from now on
        pccs.faults["tcb"] = (503, {}, b"")           # one path's answer: tcb, identity, pckcrl, rootcacrl
        pccs.faults["tcb"] = "cut"                    # or "drip", "endless", "silent", "no http"
        pccs.asked                                    # the paths that were asked for
"""

import contextlib
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import quote, urlsplit

CHAINS = {
    "tcb": "TCB-Info-Issuer-Chain",
    "identity": "SGX-Enclave-Identity-Issuer-Chain",
    "pckcrl": "SGX-PCK-CRL-Issuer-Chain",
}


def replies(found) -> dict[str, tuple[int, dict[str, str], bytes]]:
    """The answers of a good PCCS."""
    signed = '{{"{}":{},"signature":"{}"}}'.format
    return {
        "tcb": (
            200,
            {CHAINS["tcb"]: quote(found.tcb_info_issuer_chain)},
            signed("tcbInfo", found.tcb_info, found.tcb_info_signature).encode(),
        ),
        "identity": (
            200,
            {CHAINS["identity"]: quote(found.qe_identity_issuer_chain)},
            signed("enclaveIdentity", found.qe_identity, found.qe_identity_signature).encode(),
        ),
        "pckcrl": (200, {CHAINS["pckcrl"]: quote(found.pck_crl_issuer_chain)}, bytes.fromhex(found.pck_crl)),
        "rootcacrl": (200, {}, found.root_ca_crl.encode()),
    }


class FaultyPccs:
    """The server; it ends with the block."""

    def __init__(self, collateral, *, tls: ssl.SSLContext | None = None) -> None:
        self.collateral = collateral
        self.faults: dict[str, Any] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                name = urlsplit(self.path).path.rsplit("/", 1)[1]
                answer = outer.faults.get(name) or replies(outer.collateral)[name]
                with contextlib.suppress(OSError):
                    if isinstance(answer, str):
                        outer.misbehave(answer, self)
                    else:
                        outer.reply(answer, self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.server.server_port}"

    def reply(self, answer, handler) -> None:
        status, headers, body = answer() if callable(answer) else answer
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def misbehave(self, fault: str, handler) -> None:
        if fault == "cut":
            handler.send_response(200)
            handler.send_header("Content-Length", "100")
            handler.end_headers()
            handler.wfile.write(b"{")
        elif fault == "endless":
            handler.send_response(200)
            handler.end_headers()
            while not self.over.is_set():
                handler.wfile.write(b" " * 65_536)
        elif fault == "drip":  # a byte of a header now and then: each read by itself is in time
            handler.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
            while not self.over.is_set():
                handler.wfile.write(b"x")
                time.sleep(0.02)
        elif fault == "silent":
            self.over.wait(30)
        else:
            handler.wfile.write(b"220 mail.example ready\r\n")

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
