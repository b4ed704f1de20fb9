"""Intel's own verifier (sgx-dcap-quote-verify-python 0.0.3, which wraps its QVL) as a second opinion.

The package exists for Python 3.11 on Linux only.
"""

import attested
import intel_verifier
import pytest
from attested import DAY, NOW

from attestation.roots import INTEL_ROOT
from attestation.simulator.platform import Conditions, EnclaveShape, Platform
from protocol.types import decode_base64


def verdict(conditions=None, root=None, at=NOW):
    platform = attested.platform(conditions)
    quote = platform.quote(attested.MEASUREMENT, bytes(range(64)))
    return intel_verifier.verify(quote, platform.collateral(NOW), root or platform.root, at)


def test_intels_verifier_accepts_the_simulators_good_quote_under_its_own_root():
    found = verdict(at=NOW + DAY)
    assert found.ok
    assert found.quote_status.name == "STATUS_OK"
    assert found.enclave_report.mr_enclave.hex() == attested.MEASUREMENT
    assert found.enclave_report.report_data == bytes(range(64))


def test_nothing_of_the_simulator_verifies_under_intels_root():
    found = verdict(root=INTEL_ROOT)
    assert not found.ok
    assert found.pck_certificate_status.name == "STATUS_SGX_PCK_CERT_CHAIN_UNTRUSTED"
    with attested.refused("ROOT_UNKNOWN"):
        attested.appraise(roots=(INTEL_ROOT,))
    good = attested.evidence()
    with pytest.raises(ValueError, match="Verification failed"):
        attested.library(decode_base64(good.quote), good.collateral, root=INTEL_ROOT)


def test_nothing_of_one_installation_verifies_under_another():
    assert not verdict(root=Platform(attested.other_keys()).root).ok


@pytest.mark.parametrize(
    ("conditions", "ours"),
    [
        (Conditions(tcb_status="OutOfDate"), "TCB_STATUS"),
        (Conditions(tcb_status="ConfigurationNeeded"), "TCB_STATUS"),
        (Conditions(tcb_status="Revoked"), "TCB_STATUS"),
        (Conditions(qe_status="OutOfDate"), "TCB_STATUS"),
        (Conditions(revoked=True), "REVOKED"),
        (Conditions(revoked_by_root=("intermediate",)), "REVOKED"),
        (Conditions(fmspc=bytes(6)), "OTHER_PLATFORM"),
        (Conditions(pce_id=b"\0\1"), "OTHER_PLATFORM"),
        (Conditions(qe=EnclaveShape(flags=0x17, isv_prod_id=1, isv_svn=8)), "QE_IDENTITY"),
        (Conditions(qe=EnclaveShape(flags=0x15, isv_prod_id=2, isv_svn=8)), "QE_IDENTITY"),
        (Conditions(qe=EnclaveShape(flags=0x15, isv_prod_id=1, isv_svn=7)), "QE_IDENTITY"),
        (Conditions(crl_numbers=False), "CRL_NUMBER"),
        (Conditions(crl_shift=-40 * DAY), "COLLATERAL_EXPIRED"),
        (Conditions(tcb_signer="pck"), "COLLATERAL_FORMAT"),
    ],
)
def test_both_refuse_the_same_forgeries(conditions, ours):
    assert not verdict(conditions).ok
    with attested.refused(ours):
        attested.appraise(conditions)


def test_both_refuse_expired_collateral():
    assert not verdict(at=NOW + 40 * DAY).ok
    with attested.refused("COLLATERAL_EXPIRED"):
        attested.appraise(at=NOW + 40 * DAY)
