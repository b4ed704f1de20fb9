"""Intel's own verifier as a second opinion: ``intel_verifier.verify(quote, collateral, root, at)``.

sgx-dcap-quote-verify-python 0.0.3, which wraps Intel's quote verification library; for Python 3.11 on Linux only.
"""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.quote import parse_quote

oracle = pytest.importorskip(
    "sgx_dcap_quote_verify", reason="Intel's verifier is packaged for Python 3.11 on Linux only"
)


def pem(der):
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def crl(encoded):
    return x509.load_der_x509_crl(bytes.fromhex(encoded)).public_bytes(Encoding.PEM).decode()


def verify(quote, collateral, root, at):
    chain = parse_quote(quote).chain
    return oracle.verify(
        trusted_root_ca_certificate=pem(root.certificate_der),
        pck_certificate=pem(chain.leaf),
        pck_signing_chain=pem(chain.root) + pem(chain.intermediate),
        root_ca_crl=crl(collateral.root_ca_crl),
        intermediate_ca_crl=crl(collateral.pck_crl),
        tcb_info=f'{{"tcbInfo":{collateral.tcb_info},"signature":"{collateral.tcb_info_signature}"}}',
        tcb_signing_chain=collateral.tcb_info_issuer_chain,
        quote=quote,
        qe_identity=f'{{"enclaveIdentity":{collateral.qe_identity},"signature":"{collateral.qe_identity_signature}"}}',
        expiration_date=at,
    )
