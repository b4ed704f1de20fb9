"""The public API of each package, listed: a change here is a change for users."""

import importlib
import importlib.util

import pytest

API = {
    "protocol": [
        "canonical", "catalogue", "commitment", "container", "documents", "dsse", "errors", "governance", "hpke",
        "keyfile", "layout", "padding", "presets", "types",
    ],
    "attestation": ["attesters", "policy", "quote", "roots", "simulator", "verifier"],
    "custodian": ["Custodian", "CustodianSettings"],
    "enclave": [],
    "broker": [],
    "sealroom": ["Client", "Result", "Trust", "load_trust"],
}  # fmt: skip


@pytest.mark.parametrize("package", API)
def test_public_names_are_the_listed_ones_and_can_be_imported(package):
    module = importlib.import_module(package)
    assert module.__all__ == API[package]
    for name in module.__all__:
        found = importlib.util.find_spec(f"{package}.{name}") if name.islower() and name != "load_trust" else None
        assert found or getattr(module, name)
