"""Conditions of the platform: its TCB, its family and name, its quoting enclave."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from attestation.simulator.forge.condition import OLD_DATE, SHIPPED_STATUSES, ForgedCondition, choice, refused
from attestation.simulator.pki import CPU_SVN, FMSPC, PCE_SVN, Processor
from attestation.simulator.platform import Conditions, EnclaveShape, QeLevel, TcbLevel

__all__ = ["platforms", "quoting_enclave", "tcb"]

_OUT_OF_DATE: Final = TcbLevel("OutOfDate", ("INTEL-SA-00828",), OLD_DATE, bytes(16), 5)
_PLATFORM_ID: Final = bytes.fromhex("0bad") * 8


def tcb() -> Iterable[ForgedCondition]:
    """Yield statuses, levels, dates, advisories and evaluation numbers of the TCB."""
    yield choice(
        "tcb-sw-hardening-needed",
        "The platform's TCB status is SWHardeningNeeded.",
        "TCB_STATUS",
        {"platform.tcb_statuses": ["UpToDate"]},
        Conditions(tcb_status="SWHardeningNeeded"),
    )
    yield from _statuses()
    yield refused("tcb-revoked", "The TCB level is revoked.", "TCB_STATUS", Conditions(tcb_status="Revoked"))
    yield refused(
        "tcb-unknown",
        "The platform is below every level that Intel lists.",
        "TCB_STATUS",
        Conditions(processor=Processor(pce_svn=PCE_SVN - 1)),
    )
    yield choice(
        "tcb-date-old",
        "The platform is up to date as of early 2023.",
        "TCB_DATE",
        {"platform.minimum_tcb_date": "2025-01-01T00:00:00Z"},
        Conditions(tcb_date=OLD_DATE),
    )
    yield choice(
        "advisories",
        "Advisories are open for a platform that is up to date.",
        "ADVISORY",
        {"platform.advisories": ["INTEL-SA-00615"]},
        Conditions(advisories=("INTEL-SA-00615", "INTEL-SA-00828")),
    )
    for item, key, judged in (
        ("tcb", "minimum_tcb_evaluation", Conditions(tcb_evaluation=16)),
        ("qe", "minimum_qe_evaluation", Conditions(qe_evaluation=16)),
    ):
        yield refused(
            f"{item}-evaluation-low",
            f"The {item.upper()} is judged by the rules of an earlier TCB recovery.",
            f"{item.upper()}_EVALUATION",
            judged,
            accepted_by={f"platform.{key}": 16},
        )


def _statuses() -> Iterable[ForgedCondition]:
    for status, name in (
        ("ConfigurationNeeded", "configuration-needed"),
        ("ConfigurationAndSWHardeningNeeded", "configuration-and-sw-hardening-needed"),
        ("OutOfDate", "out-of-date"),
        ("OutOfDateConfigurationNeeded", "out-of-date-configuration-needed"),
    ):
        yield refused(
            f"tcb-{name}",
            f"The platform's TCB status is {status}.",
            "TCB_STATUS",
            Conditions(tcb_status=status),
            accepted_by={"platform.tcb_statuses": [*SHIPPED_STATUSES, status]},
        )
    for name, words, processor in (
        ("cpu-svn-low", "The microcode", Processor(cpu_svn=bytes([CPU_SVN[0] - 1, *CPU_SVN[1:]]))),
        ("pce-svn-low", "The provisioning enclave", Processor(pce_svn=PCE_SVN - 1)),
    ):
        yield refused(
            name,
            f"{words} is older than the newest level asks for.",
            "TCB_STATUS",
            Conditions(processor=processor, older_levels=(_OUT_OF_DATE,)),
            accepted_by={"platform.tcb_statuses": [*SHIPPED_STATUSES, "OutOfDate"]},
        )


def platforms() -> Iterable[ForgedCondition]:
    """Yield which platform it is, and how it is configured."""
    other = bytes.fromhex("5ea100000002")
    yield choice(
        "fmspc-not-listed",
        "The platform is of a family of processors that the policy does not list.",
        "FMSPC",
        {"platform.fmspcs": [FMSPC.hex()]},
        Conditions(processor=Processor(fmspc=other), fmspc=other),
    )
    yield choice(
        "ppid-not-listed",
        "The platform is none of those that the policy lists.",
        "PPID",
        {"platform.ppids": ["00" * 16]},
        Conditions(processor=Processor(ppid=_PLATFORM_ID)),
    )
    for flag, words, processor in (
        ("smt", "Hyper-threading is on.", Processor(smt=True)),
        ("dynamic_platform", "Processors can be added to the platform.", Processor(dynamic_platform=True)),
        ("cached_keys", "Intel keeps the platform's root keys.", Processor(cached_keys=True)),
    ):
        strict = {f"platform.{flag}": "off"}
        yield choice(flag.replace("_", "-"), words, "PLATFORM_FLAG", strict, Conditions(processor=processor))
    yield refused(
        "other-family", "The TCB information is for another family.", "OTHER_PLATFORM", Conditions(fmspc=other)
    )
    yield refused("other-pce", "The TCB information is for another PCE.", "OTHER_PLATFORM", Conditions(pce_id=b"\0\1"))


def quoting_enclave() -> Iterable[ForgedCondition]:
    """Yield quoting enclaves that are old, revoked or of others."""
    good = EnclaveShape(flags=0x15, isv_prod_id=1, isv_svn=8)
    older = Conditions(
        qe=replace(good, isv_svn=7), older_qe_levels=(QeLevel(5, "OutOfDate", ("INTEL-SA-00615",), OLD_DATE),)
    )
    yield refused("qe-out-of-date", "The quoting enclave is below its newest level.", "TCB_STATUS", older)
    yield refused(
        "qe-out-of-date-tolerated",
        "The quoting enclave is below its newest level, the policy takes platforms out of date.",
        "QE_STATUS",
        older,
        refused_by={"platform.tcb_statuses": [*SHIPPED_STATUSES, "OutOfDate"]},
    )
    for name, words, code, conditions in (
        ("configuration-needed", "needs configuration", "QE_STATUS", Conditions(qe_status="ConfigurationNeeded")),
        ("revoked", "is revoked", "TCB_STATUS", Conditions(qe_status="Revoked")),
        ("unknown", "is below every level", "QE_IDENTITY", Conditions(qe=replace(good, isv_svn=7))),
        ("debug", "is a debug enclave", "QE_IDENTITY", Conditions(qe=replace(good, flags=0x17))),
        ("other-signer", "has another signer", "QE_IDENTITY", Conditions(qe_signer_measurement=bytes(32))),
        ("other-product", "is another product", "QE_IDENTITY", Conditions(qe=replace(good, isv_prod_id=2))),
        ("other-miscselect", "has MISCSELECT bits set", "QE_IDENTITY", Conditions(qe=replace(good, miscselect=1))),
        ("other-attributes", "may use the launch key", "QE_IDENTITY", Conditions(qe=replace(good, flags=0x35))),
        ("other-vendor", "is not Intel's", "QE_VENDOR", Conditions(qe_vendor_id=bytes(16))),
    ):
        yield refused(f"qe-{name}", f"The quoting enclave {words}.", code, conditions)
