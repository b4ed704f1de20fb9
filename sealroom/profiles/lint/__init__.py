"""Checking a Gramine manifest that an owner is given, whoever made it.

A measurement says that a manifest is the one that was measured, not that it is a good one. Nothing is taken as right
because it is absent: an empty manifest is refused.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from protocol.errors import AttestationError, DocumentError
from sealroom.datasets.findings import plain
from sealroom.files import read_bounded
from sealroom.profiles.lint.files import check_files
from sealroom.profiles.lint.keys import check_keys, check_texts
from sealroom.profiles.lint.manifest import Manifest, full, shown
from sealroom.profiles.lint.mounts import check_mounts
from sealroom.profiles.lint.options import check_options
from sealroom.profiles.lint.program import check_program
from sealroom.profiles.lint.rules import RULES, Finding, Rule
from sealroom.typed import parse_toml

__all__ = ["MAX_MANIFEST", "RULES", "Finding", "Linted", "ManifestRefused", "Rule", "lint_file", "lint_manifest"]

MAX_MANIFEST: Final = 8 * 2**20
"""Bytes: a manifest that trusts all of a system's libraries has three million."""
_TEMPLATE: Final = re.compile(r"\{\{|\{%|\{#")
_TRIPLE: Final = re.compile(r"\"\"\"|'''")
_CHECKS: Final = (check_options, check_program, check_files, check_mounts, check_keys, check_texts)


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in a manifest: facts that nobody else may judge, and findings, refused ones first."""

    facts: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> tuple[Finding, ...]:
        """The findings for which the manifest is refused."""
        return tuple(finding for finding in self.findings if finding.rule.severity == "refuse")

    def grouped(self) -> list[tuple[Rule, list[Finding]]]:
        """Return each rule that does not hold, with every place."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.rule.name, []).append(finding)
        return [(RULES[name], found) for name, found in groups.items()]

    def require_accepted(self) -> None:
        """Raise ``ManifestRefused`` if there is any finding for which the manifest is refused."""
        if self.refused:
            raise ManifestRefused(self)


class ManifestRefused(AttestationError):  # noqa: N818 - the word of the command's answer
    """A manifest has what no owner should accept."""

    def __init__(self, linted: Linted) -> None:
        names = list(dict.fromkeys(finding.rule.name for finding in linted.refused))
        super().__init__(
            "MANIFEST_REFUSED",
            f"Found {len(linted.refused)} places where the manifest is not what an owner can trust "
            f"({', '.join(names)}); wanted none. Release no key to an enclave that is made from it.",
        )
        self.linted = linted


def lint_file(path: Path) -> Linted:
    """Check a rendered manifest, signed or not.

    Raises
    ------
    DocumentError
        ``MANIFEST_TEMPLATE`` for a template; ``TOML``, ``TOML_DEPTH`` for what is no TOML.
    StorageError
        As ``read_bounded``.
    """
    data = read_bounded(path, MAX_MANIFEST)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError("TOML", f"{path}: {error}.") from error
    template = _TEMPLATE.search(text)
    if template is not None:
        line = text.count("\n", 0, template.start()) + 1
        raise DocumentError(
            "MANIFEST_TEMPLATE",
            f"{path}: line {line} holds {template[0]}: found a template, wanted a manifest. Check what it is rendered "
            "to, for that is what is measured: the file enclave.manifest or enclave.manifest.sgx of the build.",
        )
    digest = {"sha256 of this file": sha256(data).hexdigest()}
    # Gramine's parser, tomlc99, takes quotes after an escaped backslash for escaped ones, and reads on. No facts then.
    triples = tuple(
        Finding(RULES["TRIPLE_QUOTES"], f"line {number}", found[0])
        for number, line in enumerate(text.split("\n"), 1)
        if (found := _TRIPLE.search(line)) is not None
    )
    if triples:
        return Linted(digest, triples)
    linted = lint_manifest(parse_toml(text, path))
    return Linted(digest | linted.facts, linted.findings)


def lint_manifest(content: dict[str, Any]) -> Linted:
    """Check the content of a manifest."""
    manifest = Manifest(content)
    findings = [finding for check in _CHECKS for finding in check(manifest)]
    findings.sort(key=lambda finding: finding.rule.severity)  # stable: "refuse" before "warn"
    return Linted(_facts(manifest), tuple(findings))


def _facts(manifest: Manifest) -> dict[str, str]:
    """Return what is part of the identity, or what the reader has to compare with other words."""
    features = manifest.table("sgx.cpu_features")
    return {
        "program": full(manifest.get("libos.entrypoint")),
        "arguments": " ".join(full(word) for _, word in manifest.items("loader.argv")) or "nothing",
        **{
            f"variable {plain(name, len(name))}": _variable(value)
            for name, value in manifest.table("loader.env").items()
        },
        "library OS": full(manifest.get("loader.entrypoint.uri")),
        "its sha256": full(manifest.get("loader.entrypoint.sha256")),
        "ISV product id": str(_number(manifest, "sgx.isvprodid")),
        "ISV SVN": str(_number(manifest, "sgx.isvsvn")),
        "enclave size": shown(manifest.get("sgx.enclave_size")),
        "threads": str(_number(manifest, "sgx.max_threads")),
        "EDMM": "on" if manifest.get("sgx.edmm_enable") is True else "off",
        "processor features": ", ".join(f"{shown(name)} {shown(value)}" for name, value in list(features.items())[:10])
        or "Gramine's defaults",
        "trusted files": str(len(manifest.trusted)),
        "allowed files": str(len(manifest.items("sgx.allowed_files"))),
        "mounts": str(len(manifest.mounts)),
    }


def _variable(value: object) -> str:
    if isinstance(value, dict):
        return "whatever the host gives" if value.get("passthrough") is not None else full(value.get("value"))
    return full(value)


def _number(manifest: Manifest, key: str) -> int | str:
    value = manifest.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else shown(value)
