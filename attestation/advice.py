"""What to do about a claim that is refused, and about a security advisory: the second half of every explanation.

Each code that an appraisal can give has its advice; texts are for the people who run a host or choose a policy.
"""

from typing import Final

from attestation.verdict import Check

__all__ = ["ADVICE", "STATUS_ADVICE", "advise", "explain_advisory"]

_ALTERED: Final = (
    "The bytes were altered, or cut: take the evidence from the host anew. If it stays, do not trust the host."
)
_TESTED: Final = "This is no production enclave: start the one that `sealroom profile build` makes, with debug off."
_REBUILD: Final = (
    "The host started an enclave with other settings than the policy asks for. Compare its Gramine manifest "
    "with the endorsed one (`sealroom profile lint`); change the policy only where you chose these settings."
)
_UPDATE: Final = (
    "Update BIOS and microcode of the host, restart it, and let it fetch its PCK certificate and collateral anew."
)
_OTHER_SESSION: Final = "The evidence is of another session. Nobody should give it to you: do not trust who did."
_REFRESH: Final = "The host has to fetch its collateral anew; look whether its PCCS is up and its clock is right."
_FORGED: Final = (
    "Intel did not make this collateral, or it was altered: let the host fetch it anew from a PCCS that you "
    "know. If it stays, do not trust the host."
)

ADVICE: Final[dict[str, str]] = {
    "QUOTE_LENGTH": _ALTERED,
    "QUOTE_RESERVED": _ALTERED,
    "QUOTE_VERSION": "Only quotes of version 3 (SGX, ECDSA) are read: let the host make one with DCAP.",
    "QUOTE_TEE": "Only SGX quotes are read, none of TDX: run the study on a host with SGX.",
    "QUOTE_KEY_TYPE": ("Only ECDSA on P-256 is read: let the host make its quote with Intel's DCAP quoting enclave."),
    "QUOTE_CERTIFICATION": (
        "The quote must carry its PCK certificates: set up the host's provider of PCK certificates."
    ),
    "QUOTE_CHAIN": (
        "The quote must carry leaf, CA and root as PEM: set up the host's provider of PCK certificates anew."
    ),
    "ROOT_UNKNOWN": (
        "Compare the root's digest with its owner, then `sealroom trust add-hardware-root`. Never pin a root "
        "because evidence came with it."
    ),
    "ROOT_EXPIRED": "Judge at a time when the root is valid (--at), or pin the vendor's new root.",
    "SIMULATED": (
        "No hardware stands behind this evidence. Run on SGX hardware; only for made-up or public data may the "
        "policy say simulation = true."
    ),
    "ROOT_UNLISTED": (
        "The root is none of hardware_roots in the policy. If you trust it, compare its digest with its owner and"
        " add it there."
    ),
    "PCK_CHAIN": (
        "The platform's certificates do not hold: let the host fetch its PCK certificate anew, and look at its clock."
    ),
    "QE_SIGNATURE": _ALTERED,
    "QE_BINDING": _ALTERED,
    "QUOTE_SIGNATURE": _ALTERED,
    "COLLATERAL_FORMAT": _FORGED,
    "CRL_ISSUER": (
        "The PCK revocation list is of another CA than the platform's: the host has to ask its PCCS for the list "
        "of its own CA, processor or platform."
    ),
    "CRL_SIGNATURE": _FORGED,
    "CRL_NUMBER": _FORGED,
    "CRL_ROLLBACK": (
        "A revocation list came with a lower number than the newest one seen: the host has to fetch its collateral "
        "anew. If it stays, somebody hides a revocation."
    ),
    "COLLATERAL_SIGNER": _FORGED,
    "COLLATERAL_SIGNATURE": _FORGED,
    "COLLATERAL_FUTURE": ("The collateral was issued after the time of judging: look at both clocks, or give --at."),
    "COLLATERAL_EXPIRED": f"{_REFRESH} For evidence of the past give --at with its time.",
    "COLLATERAL_AGE": f"{_REFRESH} How old each item may be stands in collateral_age_days of the policy.",
    "REVOKED": (
        "Intel took the certificate back, because its key is no longer safe. Do not use this platform again. Where a "
        "kept list says so and the evidence's own does not, the host brought an old list."
    ),
    "MEASUREMENT": (
        "The host ran other code than the contract names. It has to start the agreed build, or all owners agree "
        "on a new contract."
    ),
    "DEBUG": _TESTED,
    "ATTRIBUTES": _TESTED,
    "XFRM": _REBUILD,
    "MISCSELECT": _REBUILD,
    "ISV_PROD_ID": _REBUILD,
    "ISV_SVN": "The enclave is older than the policy accepts: the host has to start a newer build.",
    "CONFIG_ID": _REBUILD,
    "CONFIG_SVN": _REBUILD,
    "ISV_EXT_PROD_ID": _REBUILD,
    "ISV_FAMILY_ID": _REBUILD,
    "QE_VENDOR": "Another vendor's quoting enclave made the quote: install Intel's on the host.",
    "QUOTE_REFUSED": (
        "The verification library refuses it. Mend what else is refused first; if nothing is, let the host quote "
        "and fetch its collateral anew."
    ),
    "QE_IDENTITY": (
        "The quoting enclave is not one that Intel names: install Intel's current DCAP packages on the host."
    ),
    "OTHER_PLATFORM": "The TCB information is of another family of processors: the host has to fetch its own.",
    "TCB_STATUS": _UPDATE,
    "TCB_DATE": f"{_UPDATE} Its TCB level is older than minimum_tcb_date of the policy.",
    "ADVISORY": (
        "Read each advisory below. Update the host where that closes it; where it stays and you can live with it,"
        " add its name to advisories of the policy."
    ),
    "FMSPC": (
        "The policy accepts other families of processors. If this host is yours, compare its FMSPC with its "
        "operator and add it to fmspcs."
    ),
    "PPID": (
        "The policy accepts other platforms. If this host is yours, compare its PPID with its operator by another"
        " way than this evidence, and add it to ppids."
    ),
    "QE_STATUS": "Install Intel's current DCAP packages on the host: its quoting enclave is out of date.",
    "TCB_EVALUATION": (f"{_REFRESH} Its TCB information is from before the TCB recovery that the policy asks for."),
    "QE_EVALUATION": f"{_REFRESH} Its QE identity is from before the TCB recovery that the policy asks for.",
    "PLATFORM_FLAG": (
        "The platform has a feature that the policy forbids, or its certificate does not say: switch it off in "
        "the BIOS, use another host, or write any in the policy."
    ),
    "MEASUREMENT_UNPINNED": (
        "Rebuild the enclave, compare (`sealroom profile measure`), then add it to measurements of the policy."
    ),
    "MEASUREMENT_ENDORSED": (
        "Too few institutions rebuilt this enclave: ask the named endorsers to rebuild it and to sign."
    ),
    "WITHDRAWALS_MISSING": "Fetch the newest withdrawal list of this publisher and hand it over.",
    "WITHDRAWN": ("The publisher took it back, for the reason that is given. Do not use it; move to what replaces it."),
    "WITHDRAWALS_EXPIRED": "Fetch the newest withdrawal list; if there is none, ask its publisher why.",
    "REPORT_DATA": "The claims are not those that the enclave made: do not trust who gave you this evidence.",
    "OTHER_CONTRACT": _OTHER_SESSION,
    "OTHER_RUN": _OTHER_SESSION,
    "PROFILE": _OTHER_SESSION,
    "NONCE": ("The evidence is old, or was made for somebody else: the enclave has to attest anew with a fresh nonce."),
}
"""What to do about a claim that is refused, by the code of its refusal."""

STATUS_ADVICE: Final[dict[str, str]] = {
    "UpToDate": (
        "The platform is in order, but the policy, narrowed by each owner's terms, leaves this status out: add it."
    ),
    "SWHardeningNeeded": (
        "Firmware is up to date; the advisories below ask for hardening in software. Read them, then accept the "
        "status, and each advisory by name."
    ),
    "ConfigurationNeeded": "The BIOS has to be set as the advisories below ask; then quote anew.",
    "ConfigurationAndSWHardeningNeeded": (
        "The BIOS has to be set as the advisories below ask, and software hardened; then quote anew."
    ),
    "OutOfDate": _UPDATE,
    "OutOfDateConfigurationNeeded": f"{_UPDATE} Set the BIOS as the advisories below ask.",
    "not established": "Nothing is known of the platform: mend what else is refused first.",
}
"""What to do about a TCB status that the policy does not accept."""

_ADVISORIES: Final[dict[str, tuple[str, str]]] = {
    "INTEL-SA-00161": ("L1 terminal fault (Foreshadow)", ("Update microcode; switch simultaneous multithreading off.")),
    "INTEL-SA-00219": ("processor graphics and SGX memory", "Switch integrated graphics off in the BIOS."),
    "INTEL-SA-00289": ("voltage settings (Plundervolt)", "Update the BIOS and set its overclocking lock."),
    "INTEL-SA-00334": (
        "load value injection (LVI)",
        (
            "It stays listed on affected processors: software in the enclave has to be hardened. Accept it by name "
            "only if you judge that it is."
        ),
    ),
    "INTEL-SA-00615": (
        "stale data of memory-mapped I/O",
        (
            "It stays listed on affected processors: software in the enclave has to clear buffers. Accept it by name "
            "only if you judge that it does."
        ),
    ),
    "INTEL-SA-00828": ("gather data sampling (Downfall)", "Update microcode: it closes this one."),
    "INTEL-DOC-10000": (
        "general servicing of this processor has ended",
        ("Read what Intel still offers for it, and plan for a newer host."),
    ),
    "INTEL-DOC-10001": ("Intel no longer assesses this processor", "Move to another host."),
    "INTEL-DOC-10003": (
        "a component became newer for no reason of security",
        ("Update firmware at the next occasion."),
    ),
}
_UNKNOWN_ADVISORY: Final = (
    "",
    "Read it. Update the host where that closes it; else accept it by name only if you can.",
)


def advise(item: Check) -> str:
    """Say what to do about a claim that does not hold."""
    if item.code == "TCB_STATUS" and item.found in STATUS_ADVICE:
        return STATUS_ADVICE[item.found]
    return ADVICE[item.code]


def explain_advisory(name: str) -> tuple[str, str, str]:
    """Say what an advisory is about (empty where we do not know), what to do about it, and where to read it."""
    meaning, remedy = _ADVISORIES.get(name, _UNKNOWN_ADVISORY)
    if name.startswith("INTEL-SA-"):
        return meaning, remedy, f"https://www.intel.com/content/www/us/en/security-center/advisory/{name.lower()}.html"
    return meaning, remedy, f"https://api.portal.trustedservices.intel.com/documents/{name}"
