"""Remote attestation in the roles of RFC 9334: evidence goes in, an attestation result comes out, or an error.

``verifier.appraise`` judges evidence under an appraisal policy and pinned hardware roots, the same way for real and
simulated platforms. ``attesters`` is what an enclave uses to get a quote. ``simulator`` is the software platform, a
process of its own. Modules are imported by name: an enclave loads its attester and none of the rest.
"""

__all__ = ["attesters", "policy", "quote", "roots", "simulator", "verifier"]
