"""Fuzz targets of attestation: real and simulated evidence, altered; only refusals may come out.

``make fuzz`` runs them for ``FUZZ_SECONDS`` (600); ``tests/fuzz`` runs a few thousand cases of each. A case is named by its
target and number, and can be played again::

    .venv/bin/python tests/fuzzing.py --target evidence --case 12345

A finding is any other exception than a refusal (crashes of native code included), a case that takes longer than
``SLOWEST`` seconds or more than ``MEMORY`` bytes, and evidence that is accepted though it says something else than the
original. Cases are mutations of whole inputs, of their decoded parts, and of parts that are signed anew afterwards, so
that what lies behind the signatures is reached.
"""

import argparse
import base64
import json
import random
import resource
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import attested
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from attestation.certificates import common_name, is_pck, load_certificate
from attestation.endorsements import collateral_from_json, read_endorsements
from attestation.pck import issuing_ca, read_pck
from attestation.quote import parse_quote, split_chain
from attestation.roots import INTEL_ROOT
from protocol.documents import Evidence
from protocol.errors import AttestationError, SealroomError
from protocol.types import decode_base64, encode_base64

SLOWEST = 2.0
"""Seconds of processor time that one case may take; the usual one takes some milliseconds."""
MEMORY = 2**31
REAL = Path(__file__).parent / "vectors" / "sgx-real-quote"
REAL_TIME = datetime(2025, 7, 4, 10, 28, 44, tzinfo=UTC)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BYTES = (0x00, 0x01, 0x02, 0x05, 0x30, 0x7F, 0x80, 0x81, 0x84, 0xA0, 0xFF)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TEXTS = (
    b"[" * 20_000, b'{"a":' * 5_000, b"9" * 5_000, b"1e999", b"-0", b"NaN", b"null", b"\\ud800", b"\xff", b"\0", b"\xe2\x80\xae",
    b'"9999-12-31T23:59:59Z"', b'"0001-01-01T00:00:00Z"', b'"2026-02-30T00:00:00Z"', b'"2026-11-24T12:00:60Z"', b"true", b"{}", b"[]",
)  # fmt: skip
CRLS, SIGNATURES = ("root_ca_crl", "pck_crl"), ("tcb_info_signature", "qe_identity_signature")
CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")
ITEMS = ("tcb_info", "qe_identity")


class Finding(Exception):  # noqa: N818 - what a fuzzer looks for
    """What must not happen."""


# Seeds


@cache
def simulated() -> Evidence:
    return attested.evidence()


@cache
def real() -> Evidence:
    collateral = collateral_from_json((REAL / "collateral.json").read_text("utf-8"))
    quote = encode_base64((REAL / "quote.bin").read_bytes())
    return Evidence(claims=attested.claims(), quote=quote, collateral=collateral)


@cache
def seeds(kind: str) -> list[bytes]:
    """Inputs of one kind, real and simulated."""
    found = []
    for made in (simulated(), real()):
        quote = decode_base64(made.quote)
        chain = parse_quote(quote).chain
        collateral = made.collateral
        found += {
            "quote": [quote],
            "certificate": [chain.leaf, chain.leaf, chain.intermediate, chain.root],
            "collateral": [collateral.model_dump_json().encode()],
        }[kind]
    return found


# Mutations


def mutate(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Change some bytes, up to a few times."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 1, 2, 4, 8, 32, 64, 300))
        match chance.randrange(9):
            case 0 if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at] + bytes([chance.choice(BYTES)]) + data[at + 1 :]
            case 2:
                data = data[:at] + chance.randbytes(size) + data[at:]
            case 3:
                data = data[:at] + data[at + size :]
            case 4:
                data = data[:at] + data[at : at + size] + data[at:]
            case 5:
                width = chance.choice((2, 4))
                number = chance.choice(NUMBERS) % 256**width
                data = data[:at] + number.to_bytes(width, chance.choice(("little", "big"))) + data[at + width :]
            case 6:
                source = chance.choice(others)
                start = chance.randrange(len(source))
                data = data[:at] + source[start : start + size] + data[at + size :]
            case 7 if chance.random() < 0.2:
                data = data[:at]
            case _:
                data = data[:at] + chance.choice(TEXTS) + data[at + chance.choice((0, 1, 4, 22)) :]
    return data


def pem(der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def sign(key: str, data: bytes) -> bytes:
    r, s = decode_dss_signature(attested.keys().keys[key].sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def altered_fields(chance: random.Random, fields: dict[str, str]) -> tuple[dict[str, str], bool]:
    """Change one field of collateral, or what it encodes; the second value says whether its signer signed anew."""
    name = chance.choice(list(fields))
    text, raw = fields[name], [value.encode() for value in fields.values()]
    if name in CRLS + SIGNATURES and chance.random() < 0.8:
        return {**fields, name: mutate(chance, bytes.fromhex(text), raw).hex()}, False
    if name in CHAINS and chance.random() < 0.8:
        ders = list(split_chain(text.encode()))
        at = chance.randrange(len(ders))
        ders[at] = mutate(chance, ders[at], ders)
        return {**fields, name: "".join(map(pem, ders))}, False
    changed = mutate(chance, text.encode(), raw).decode("utf-8", "replace")
    if name in ITEMS and chance.random() < 0.7:
        signature = sign("tcb_signing", changed.encode()).hex()
        return {**fields, name: changed, f"{name}_signature": signature}, True
    return {**fields, name: changed}, False


def altered_quote(chance: random.Random, quote: bytes) -> tuple[bytes, bool]:
    """Change a quote, sometimes what its quoting enclave or its platform then signs anew."""
    part = chance.random()
    if part < 0.15:
        body = mutate(chance, quote[:432], seeds("quote"))[:432].ljust(432, b"\0")
        return body + quote[432:436] + sign("attestation", body) + quote[500:], True
    if part < 0.3:
        qe = mutate(chance, quote[564:948], seeds("quote"))[:384].ljust(384, b"\0")
        return quote[:564] + qe + sign("pck", qe) + quote[1012:], True
    if part < 0.6:
        chain = list(split_chain(quote[1052:].removesuffix(b"\0")))
        at = chance.randrange(3)
        chain[at] = mutate(chance, chain[at], chain)
        text = "".join(map(pem, chain)).encode()
        inside = quote[436:1048] + len(text).to_bytes(4, "little") + text
        return quote[:432] + len(inside).to_bytes(4, "little") + inside, False
    return mutate(chance, quote, seeds("quote")), False


# Targets: each takes a source of chance, and raises nothing but a finding


def quote_target(chance: random.Random) -> None:
    """The parser of quotes."""
    data = mutate(chance, chance.choice(seeds("quote")), seeds("quote"))
    try:
        parse_quote(data)
    except AttestationError as refusal:
        if not refusal.code.startswith("QUOTE_"):
            raise Finding(f"a code of another family: {refusal.code}") from refusal


def certificate_target(chance: random.Random) -> None:
    """Certificates, and what Intel's extension says in them."""
    data = mutate(chance, chance.choice(seeds("certificate")), seeds("certificate"))
    try:
        certificate = load_certificate(data)
    except ValueError:
        return
    common_name(certificate)
    is_pck(certificate)
    for read in (read_pck, issuing_ca):
        try:
            read(certificate)
        except AttestationError:
            continue


def collateral_target(chance: random.Random) -> None:
    """Collateral from JSON to endorsements."""
    text = chance.choice(seeds("collateral"))
    if chance.random() < 0.8:
        text = json.dumps(altered_fields(chance, json.loads(text))[0]).encode()
    else:
        text = mutate(chance, text, seeds("collateral"))
    try:
        read_endorsements(collateral_from_json(text.decode("utf-8", "replace")))
    except AttestationError as refusal:
        if refusal.code != "COLLATERAL_FORMAT":
            raise Finding(f"another code: {refusal.code}") from refusal


def evidence_target(chance: random.Random) -> None:
    """Appraisal as a whole."""
    if chance.random() < 0.2:
        made, roots, at = real(), (INTEL_ROOT,), REAL_TIME
    else:
        made, roots, at = simulated(), (attested.platform().root,), attested.NOW
    resigned = False
    quote, fields = decode_base64(made.quote), made.collateral.model_dump(mode="json")
    if chance.random() < 0.5:
        quote, resigned = altered_quote(chance, quote)
    else:
        fields, resigned = altered_fields(chance, fields)
    try:
        collateral = collateral_from_json(json.dumps(fields))
        judged = made.model_copy(update={"quote": encode_base64(quote), "collateral": collateral})
        attested.appraise(judged, roots=roots, at=at)
    except SealroomError:
        return
    if not resigned and meaning(judged) != meaning(made):
        raise Finding("accepted, though it says something else than the original")


def meaning(evidence: Evidence) -> tuple[object, ...]:
    """What evidence says: without the spelling of hex, the end of a chain, and which of two twins a signature is."""

    def lower(signature: bytes) -> bytes:
        s = int.from_bytes(signature[32:], "big")
        return signature[:32] + min(s, ORDER - s).to_bytes(32, "big")

    quote, collateral = parse_quote(decode_base64(evidence.quote)), evidence.collateral
    said = asdict(quote) | {"signature": lower(quote.signature), "qe_signature": lower(quote.qe_signature)}
    return (
        said,
        *(lower(bytes.fromhex(getattr(collateral, name))) for name in SIGNATURES),
        *(bytes.fromhex(getattr(collateral, name)) for name in CRLS),
        *(split_chain(getattr(collateral, name).removesuffix("\n").encode() + b"\n") for name in CHAINS),
        *(getattr(collateral, name) for name in ITEMS),
    )


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "quote": quote_target,
    "certificate": certificate_target,
    "collateral": collateral_target,
    "evidence": evidence_target,
}


def play(target: str, case: int) -> None:
    """Play one case.

    Raises
    ------
    Finding
        With the exception that was met, or what else must not happen.
    """
    start = time.process_time()
    try:
        TARGETS[target](random.Random(f"{target} {case}"))
    except (Finding, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise Finding(f"{type(error).__name__}: {error}") from error
    if (spent := time.process_time() - start) > SLOWEST:
        raise Finding(f"it took {spent:.1f} seconds")


def run(target: str, seconds: float, first: int) -> int:
    """Play cases for some seconds, say how many a second, and return the number of findings."""
    start, case, findings = time.monotonic(), first, 0
    while time.monotonic() - start < seconds:
        try:
            play(target, case)
        except Finding as finding:
            findings += 1
            sys.stdout.write(f"{target} {case}: {finding}\n")
        case += 1
    done = case - first
    rate = done / (time.monotonic() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"{target}: {done} cases, {rate:.0f} a second, {findings} findings, at most {peak} MiB\n")
    sys.stdout.flush()
    return findings


def main() -> int:
    """Run all targets, or one, or play one case again."""
    parser = argparse.ArgumentParser(description="Fuzz attestation with altered evidence.")
    parser.add_argument("--target", choices=TARGETS, help="one target only")
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together (600)")
    parser.add_argument("--case", type=int, help="play this case again")
    parser.add_argument("--first", type=int, help="first case; by default another one each time")
    flags = parser.parse_args()
    warnings.simplefilter("ignore")  # of names and serial numbers that are odd; the tests have them as errors
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if flags.case is not None and flags.target:
        play(flags.target, flags.case)
        return 0
    first = time.time_ns() // 10**9 * 10**6 if flags.first is None else flags.first
    chosen = [flags.target] if flags.target else list(TARGETS)
    findings = sum(run(target, flags.seconds / len(chosen), first) for target in chosen)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
