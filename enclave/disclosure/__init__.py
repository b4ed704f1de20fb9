"""The output gate: nothing leaves the enclave but typed outputs that passed it."""

from enclave.disclosure.gate import refusal_class, release, release_all

__all__ = ["refusal_class", "release", "release_all"]
