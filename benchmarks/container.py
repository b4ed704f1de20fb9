"""Sealed container: megabytes per CPU-second beside stock ``crypt4gh`` and ``openssl speed``.

``python benchmarks/container.py`` prints ratios measured side by side and writes benchmarks/out/container.json.

Two things are kept apart. *Decrypting* is what crypt4gh and openssl do, too. *Opening* is decrypting after the SHA-256
of each part was compared with the manifest; crypt4gh has no such step, so it is also compared with crypt4gh plus a
SHA-256 of the same bytes. What SHA-256 alone costs on this machine is printed: it bounds what opening can reach.
"""

import hashlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from _report import Row, publish, row, versions
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.container import PartOpener, SealingWriter, generate_data_key, open_stock
from protocol.container.segments import open_segments
from protocol.documents.dataset import PART_SIZE, SEALED_SEGMENT, SEGMENT

MEGABYTE = 10**6
MIB = 2**20
SIZE = 64 * MIB
ROUNDS = 7
RUN = 8
"""Segments that stay in the cache, as the one block of ``openssl speed`` does."""


class Null(io.RawIOBase):
    """Takes bytes and forgets them, so that no disk is measured."""

    def write(self, data: Any) -> int:
        return len(data)


def rate(work: Callable[[], None], size: int) -> float:
    """Megabytes of plain bytes per CPU-second (user and system) of this process."""
    start = time.process_time()
    work()
    return size / MEGABYTE / (time.process_time() - start)


def openssl_rate(seconds: int = 1) -> float:
    """Megabytes per CPU-second of ``openssl speed``, 64 KiB at a time."""
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds), "-bytes", str(SEGMENT), "-evp", "chacha20-poly1305"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("+F:"))
    return float(line.split(":")[-1]) / MEGABYTE


def measure_rates() -> tuple[dict[str, float], list[Row]]:
    """Return medians of all rates, and the rows of the table."""
    from crypt4gh import lib as stock

    plain, data_key = os.urandom(SIZE), generate_data_key()
    body = io.BytesIO()
    writer = SealingWriter(body, data_key)
    writer.write(plain)
    sealed_file = writer.finish().sealed_file("benchmark")
    sealed = memoryview(body.getvalue())
    parts = [sealed[at : at + PART_SIZE] for at in range(0, len(sealed), PART_SIZE)]
    opener, cipher = PartOpener(data_key, sealed_file), ChaCha20Poly1305(data_key)
    segment = memoryview(bytearray(SEGMENT))
    run = memoryview(bytes(sealed[: RUN * SEALED_SEGMENT]))
    run_plain = memoryview(bytearray(RUN * SEGMENT))
    own = X25519PrivateKey.generate()
    keys = [(0, own.private_bytes_raw(), own.public_key().public_bytes_raw())]

    def stock_decrypt(sink: Any) -> None:
        output = stock.limited_output(process=sink.write)
        next(output)
        stock.body_decrypt(io.BytesIO(sealed), [data_key], output, 0)

    def decrypt() -> None:
        for at in range(0, len(sealed), SEALED_SEGMENT):
            open_segments(cipher, sealed[at : at + SEALED_SEGMENT], segment, where="")

    def decrypt_run() -> None:
        for _ in range(SIZE // SEGMENT // RUN):
            open_segments(cipher, run, run_plain, where="")

    def open_parts() -> None:
        for _ in opener.open_all(parts):
            pass

    def seal() -> None:
        sink = SealingWriter(Null(), data_key)
        sink.write(plain)
        sink.finish()

    def digests() -> None:
        for part in parts:
            hashlib.sha256(part)

    _require_same(plain, b"".join(bytes(view) for view in opener.open_all(parts)), "our opening")
    theirs = io.BytesIO()
    stock_decrypt(theirs)
    _require_same(plain, theirs.getvalue(), "crypt4gh's decrypting of our body")
    made = io.BytesIO()
    stock.encrypt(keys, io.BytesIO(plain), made)
    _require_same(plain, b"".join(open_stock(io.BytesIO(made.getvalue()), own)), "our opening of crypt4gh's file")
    decrypt()
    _require_same(plain[-SEGMENT:], bytes(segment), "our decrypting of segments")
    decrypt_run()
    _require_same(plain[: RUN * SEGMENT], bytes(run_plain), "our decrypting of a run of segments")

    works: dict[str, Callable[[], None]] = {
        "decrypt": decrypt,
        "decrypt in cache": decrypt_run,
        "open": open_parts,
        "seal": seal,
        "SHA-256": digests,
        "crypt4gh decrypt": lambda: stock_decrypt(Null()),
        "crypt4gh encrypt": lambda: stock.encrypt(keys, io.BytesIO(plain), Null()),
    }
    runs: dict[str, list[float]] = {name: [] for name in [*works, "openssl speed"]}
    for _ in range(ROUNDS):
        for name, work in works.items():
            runs[name].append(rate(work, SIZE))
        runs["openssl speed"].append(openssl_rate())
    # The same plain bytes, with a SHA-256 of the sealed ones: costs add up.
    for name in ("decrypt", "encrypt"):
        pairs = zip(runs[f"crypt4gh {name}"], runs["SHA-256"], strict=True)
        runs[f"crypt4gh {name} + SHA-256"] = [1 / (1 / first + 1 / second) for first, second in pairs]

    def compare(name: str, ours: str, peer: str, goal: float | None) -> Row:
        ratio = statistics.median(a / b for a, b in zip(runs[ours], runs[peer], strict=True))
        return row(name, ratio, peer, goal, "least")

    rows = [
        compare("decrypt segments, 64 MiB", "decrypt", "crypt4gh decrypt", 2.3),
        compare("decrypt segments that stay in the cache, 64 KiB blocks", "decrypt in cache", "openssl speed", 0.85),
        compare("decrypt segments, 64 MiB", "decrypt", "openssl speed", None),
        compare("open: SHA-256 of each part, then decrypt", "open", "crypt4gh decrypt", 2.3),
        compare("open: SHA-256 of each part, then decrypt", "open", "crypt4gh decrypt + SHA-256", None),
        compare("seal: encrypt and SHA-256 of each part", "seal", "crypt4gh encrypt", None),
        compare("seal: encrypt and SHA-256 of each part", "seal", "crypt4gh encrypt + SHA-256", None),
        compare("SHA-256 alone (bounds opening)", "SHA-256", "crypt4gh decrypt", None),
    ]
    return {name: statistics.median(values) for name, values in runs.items()}, rows


def _require_same(wanted: bytes, found: bytes, what: str) -> None:
    if wanted != found:
        raise SystemExit(f"{what} gave other bytes than were sealed: no ratios.")


def versions_measured() -> dict[str, str]:
    """Return what was measured, in which versions."""
    from cryptography.hazmat.backends.openssl import backend

    peer = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    library = backend.openssl_version_text().split()[1]
    return versions(("cryptography", "crypt4gh")) | {"openssl in cryptography": library, "openssl command": peer}


def main() -> int:
    """Measure, print, write. A goal that is missed is printed as such; it is no failure of the program."""
    if shutil.which("openssl") is None:
        raise SystemExit("The command openssl is wanted: install it to compare with it.")
    rates, rows = measure_rates()
    print(f"{'MB of plain bytes per CPU-second':<44} median of {ROUNDS}")
    for name, value in rates.items():
        print(f"  {name:<42} {value:8.0f}")
    publish("container", rows, versions_measured())
    bound = rates["SHA-256"] / rates["crypt4gh decrypt"]
    print(f"\nSHA-256 of the sealed bytes alone runs at {bound:.2f}x crypt4gh: opening stays below that.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
