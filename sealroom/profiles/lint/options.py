"""Checks of single options: what the enclave is, what the host learns, what the program may do."""

from collections.abc import Iterator
from typing import Final

from sealroom.profiles.lint.keys import keys_of
from sealroom.profiles.lint.manifest import Manifest, shown
from sealroom.profiles.lint.rules import RULES, Finding

__all__ = ["check_options"]

_Switches = tuple[tuple[str, str, tuple[object, ...]], ...]
_WANTED: Final[_Switches] = (
    ("SGX_DEBUG", "sgx.debug", (False,)),
    ("REMOTE_ATTESTATION", "sgx.remote_attestation", ("dcap",)),
    ("SUBPROCESSES", "sys.disallow_subprocesses", (True,)),
)
"""Rule, key that must be there, its values."""
_DEFAULTS: Final[_Switches] = (
    ("FILE_CHECK_POLICY", "sgx.file_check_policy", ("strict",)),
    ("EXINFO", "sgx.use_exinfo", (False,)),
    ("LOG_LEVEL", "loader.log_level", ("error", "none")),
)
"""The default is right, and the first of the values, but ought to be written down."""
_SAFE_IF_ABSENT: Final[_Switches] = (
    ("PROFILING", "sgx.enable_stats", (False,)),
    ("PROFILING", "sgx.profile.enable", ("none",)),
    ("PROFILING", "sgx.vtune_profile", (False,)),
    ("INVALID_POINTERS", "libos.check_invalid_pointers", (True,)),
    ("HOST_NAMES", "sys.enable_extra_runtime_domain_names_conf", (False,)),
    ("EDMM", "sgx.edmm_enable", (False,)),
)
_MUST_BE_ABSENT: Final = (
    ("LOG_FILE", "loader.log_file"),
    ("ARGV_FILE", "loader.argv_src_file"),
    ("ENV_FILE", "loader.env_src_file"),
)
_OWN_MASKS: Final = {"flags_mask": 0xFFFFFFFFFFFFFFFF, "xfrm_mask": 0xFFFFFFFFFFF9FF1B, "misc_mask": 0xFFFFFFFF}
_INIT_AND_DEBUG: Final = 0x3
"""The bits of ATTRIBUTES that keep a key from enclaves that the host can read."""
_LEAST_THREADS: Final = 4


def check_options(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is wrong with single options."""
    yield from _switches(manifest)
    yield from _marked(manifest)
    yield from _seal_key(manifest)
    yield from _processor(manifest)


def _is(value: object, wanted: tuple[object, ...]) -> bool:
    # In Python 0 == False; in a manifest 0 is no truth value.
    return any(value == one and type(value) is type(one) for one in wanted)


def _switches(manifest: Manifest) -> Iterator[Finding]:
    for rule, key, wanted in _WANTED:
        if not _is(value := manifest.get(key), wanted):
            yield Finding(RULES[rule], key, shown(value))
    for _, key, wanted in _DEFAULTS:
        if manifest.get(key) is None:
            yield Finding(RULES["LEFT_TO_DEFAULT"], key, f"nothing; the default is {shown(wanted[0])}")
    for rule, key, wanted in (*_DEFAULTS, *_SAFE_IF_ABSENT):
        value = manifest.get(key)
        if value is not None and not _is(value, wanted):
            yield Finding(RULES[rule], key, shown(value))
    for rule, key in _MUST_BE_ABSENT:
        if (value := manifest.get(key)) is not None:
            yield Finding(RULES[rule], key, shown(value))
    for where, value in manifest.items("sys.allowed_ioctls"):
        yield Finding(RULES["IOCTL"], where, shown(value))


def _marked(manifest: Manifest) -> Iterator[Finding]:
    """Yield what Gramine itself marks by the start of its name, known or not, wherever it stands."""
    for name, where, value in keys_of(manifest.content):
        if name.startswith("insecure__"):
            yield Finding(RULES["INSECURE_OFF" if _is(value, (False, 0)) else "INSECURE_OPTION"], where, shown(value))
        elif name.startswith("debug__"):
            yield Finding(RULES["DEBUG_OPTION"], where, shown(value))
        elif name.startswith("experimental__") and not _is(value, (False,)):
            yield Finding(RULES["EXPERIMENTAL"], where, shown(value))


def _seal_key(manifest: Manifest) -> Iterator[Finding]:
    for name, value in manifest.table("sgx.seal_key").items():
        where = f"sgx.seal_key.{name}"
        try:
            mask = int(str(value), 16)
        except ValueError:
            continue  # a fault of its value
        if name == "flags_mask" and mask & _INIT_AND_DEBUG != _INIT_AND_DEBUG:
            yield Finding(RULES["SEAL_KEY"], where, shown(value))
        elif mask != _OWN_MASKS.get(name):
            yield Finding(RULES["SEAL_KEY_MASK"], where, shown(value))


def _processor(manifest: Manifest) -> Iterator[Finding]:
    # Gramine's defaults: AMX is on wherever the processor has it, the other two are off.
    features = {"amx": "unspecified", "mpx": "disabled", "pkru": "disabled"} | manifest.table("sgx.cpu_features")
    for name in ("amx", "mpx", "pkru"):
        if features[name] != "disabled":
            yield Finding(RULES["CPU_FEATURE"], f"sgx.cpu_features.{name}", shown(features[name]))
    threads = manifest.get("sgx.max_threads")
    if isinstance(threads, int) and not isinstance(threads, bool) and threads < _LEAST_THREADS:
        yield Finding(RULES["FEW_THREADS"], "sgx.max_threads", str(threads))
