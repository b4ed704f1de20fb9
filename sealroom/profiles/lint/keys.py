"""Which keys Gramine 1.9 knows and which values they take, after its own ``graminelibos/manifest_check.py``."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from sealroom.profiles.lint.manifest import Manifest, shown
from sealroom.profiles.lint.rules import RULES, Finding

__all__ = ["check_keys", "check_texts", "keys_of"]

_SIZE: Final = re.compile(r"(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})[KMG]?")
_MASK: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _result(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _size(value: object) -> bool:
    return isinstance(value, str) and _SIZE.fullmatch(value) is not None


def _mask(value: object) -> bool:
    return isinstance(value, str) and _MASK.fullmatch(value) is not None


def _any(value: object) -> bool:
    del value
    return True


def _of(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


_FEATURE = _of("unspecified", "disabled", "required")
_HARDENING = _of("disabled", "required")
_MOUNT: Final = {"type": _text, "uri": _text, "key_name": _text, "enable_recovery": _flag}

KNOWN: Final[dict[str, Callable[[object], bool]]] = {
    **{f"fs.root.{key}": kind for key, kind in _MOUNT.items()},
    **{f"fs.mounts[].{key}": kind for key, kind in (_MOUNT | {"path": _text}).items()},
    "fs.start_dir": _text,
    "fs.insecure__keys.*": _text,
    "libos.entrypoint": _text,
    "libos.check_invalid_pointers": _flag,
    "libos.sync.enable": _flag,
    "loader.entrypoint.uri": _text,
    "loader.entrypoint.sha256": _text,
    "loader.argv[]": _text,
    "loader.argv_src_file": _text,
    "loader.env.*": _text,
    "loader.env.*.value": _text,
    "loader.env.*.passthrough": _flag,
    "loader.env_src_file": _text,
    "loader.gid": _number,
    "loader.uid": _number,
    "loader.insecure__use_cmdline_argv": _flag,
    "loader.insecure__use_host_env": _flag,
    "loader.insecure__disable_aslr": _flag,
    "loader.log_file": _text,
    "loader.log_level": _of("none", "error", "warning", "debug", "trace", "all"),
    "sgx.allowed_files[]": _text,
    "sgx.cpu_features.avx": _FEATURE,
    "sgx.cpu_features.avx512": _FEATURE,
    "sgx.cpu_features.amx": _FEATURE,
    "sgx.cpu_features.mpx": _HARDENING,
    "sgx.cpu_features.pkru": _HARDENING,
    "sgx.debug": _flag,
    "sgx.edmm_enable": _flag,
    "sgx.enable_stats": _flag,
    "sgx.enclave_size": _size,
    "sgx.file_check_policy": _of("strict", "allow_all_but_log"),
    "sgx.insecure__allow_memfaults_without_exinfo": _flag,
    "sgx.insecure__rpc_thread_num": _number,
    "sgx.isvprodid": _number,
    "sgx.isvsvn": _number,
    "sgx.max_threads": _number,
    "sgx.preheat_enclave": _flag,
    "sgx.profile.enable": _of("none", "main", "all"),
    "sgx.profile.mode": _of("aex", "ocall_inner", "ocall_outer"),
    "sgx.profile.with_stack": _flag,
    "sgx.profile.frequency": _number,
    "sgx.remote_attestation": _of("none", "dcap"),
    "sgx.seal_key.flags_mask": _mask,
    "sgx.seal_key.xfrm_mask": _mask,
    "sgx.seal_key.misc_mask": _mask,
    "sgx.trusted_files[]": _text,
    "sgx.trusted_files[].uri": _text,
    "sgx.trusted_files[].sha256": _text,
    "sgx.use_exinfo": _flag,
    "sgx.vtune_profile": _flag,
    "sys.allowed_ioctls[].request_code": _number,
    "sys.allowed_ioctls[].struct": _text,
    "sys.brk.max_size": _size,
    "sys.debug__mock_syscalls[].name": _text,
    "sys.debug__mock_syscalls[].return": _result,
    "sys.disallow_subprocesses": _flag,
    "sys.enable_extra_runtime_domain_names_conf": _flag,
    "sys.enable_sigterm_injection": _flag,
    "sys.experimental__enable_flock": _flag,
    "sys.fds.limit": _number,
    "sys.insecure__allow_eventfd": _flag,
    "sys.ioctl_structs": _any,
    "sys.stack.size": _size,
}
"""``[]`` stands for any item of a list, ``*`` for any name."""
NAMED: Final = {"loader.env", "fs.insecure__keys"}
"""Tables whose keys are names that the author chooses."""
OLD: Final = {
    "fs.experimental__enable_sysfs_topology",
    "fs.mount",
    "loader.debug_type",
    "loader.exec",
    "loader.execname",
    "loader.insecure_disable_aslr",
    "loader.pal_internal_mem_size",
    "loader.preload",
    "sgx.allow_file_creation",
    "sgx.nonpie_binary",
    "sgx.protected_files",
    "sgx.protected_files_key",
    "sgx.protected_mrenclave_files",
    "sgx.protected_mrsigner_files",
    "sgx.ra_client_linkable",
    "sgx.ra_client_spid",
    "sgx.require_amx",
    "sgx.require_avx",
    "sgx.require_avx512",
    "sgx.require_exinfo",
    "sgx.require_mpx",
    "sgx.require_pkru",
    "sgx.rpc_thread_num",
    "sgx.sigfile",
    "sgx.static_address",
    "sgx.thread_num",
    "sgx.trusted_children",
    "sgx.zero_heap_on_demand",
    "sys.allow_eventfd",
}
"""What older versions of Gramine knew."""
OLD_TABLES: Final = {"sgx.trusted_files", "sgx.allowed_files", "sgx.trusted_checksum"}
"""Lists of today that were tables; an older Gramine took ``sgx.trusted_files.NAME = URI``."""


def _above(key: str) -> Iterator[str]:
    """Yield the keys of the tables and lists that a known key stands in."""
    while key:
        key = key.removesuffix("[]") if key.endswith("[]") else key.rpartition(".")[0]
        yield key


TABLES: Final = {above for key in KNOWN for above in _above(key)}


def check_keys(manifest: Manifest) -> Iterator[Finding]:
    """Yield what stands under a key that is not known, or is no value for it."""
    yield from _check(manifest.content, "", "")


def _check(value: Any, key: str, where: str) -> Iterator[Finding]:  # noqa: ANN401 - any TOML value
    if isinstance(value, dict) and key in TABLES and f"{key}[]" not in TABLES | KNOWN.keys():
        for name, item in value.items():
            below = "*" if key in NAMED else name
            yield from _check(item, f"{key}.{below}" if key else below, f"{where}.{name}" if where else name)
    elif isinstance(value, list) and f"{key}[]" in TABLES | KNOWN.keys():
        for index, item in enumerate(value):
            yield from _check(item, f"{key}[]", f"{where}[{index}]")
    elif key in OLD or (key in OLD_TABLES and isinstance(value, dict)):
        yield Finding(RULES["OLD_KEY"], where, shown(value))
    elif key in KNOWN or key in TABLES:
        if key not in KNOWN or not KNOWN[key](value):
            yield Finding(RULES["VALUE"], where, shown(value))
    else:
        yield Finding(RULES["UNKNOWN_KEY"], where, shown(value))


def keys_of(value: Any, where: str = "") -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401 - any TOML value
    """Yield every key at any depth: its name, where it stands, its value; but not names that the author chooses."""
    if isinstance(value, dict):
        for name, item in value.items():
            place = f"{where}.{name}" if where else name
            if where not in NAMED:
                yield name, place, item
            yield from keys_of(item, place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from keys_of(item, f"{where}[{index}]")


def check_texts(manifest: Manifest) -> Iterator[Finding]:
    """Yield keys and texts that hold what does not show; lines and tabs may stand in texts."""
    yield from _unseen(manifest.content, "")


def _unseen(value: Any, where: str) -> Iterator[Finding]:  # noqa: ANN401 - any TOML value
    if isinstance(value, str):
        if not value.replace("\n", "").replace("\t", "").isprintable():
            yield Finding(RULES["TEXT"], where, shown(value))
    elif isinstance(value, dict):
        for name, item in value.items():
            place = f"{where}.{name}" if where else name
            if not name.isprintable():
                yield Finding(RULES["TEXT"], place, "a key")
            yield from _unseen(item, place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unseen(item, f"{where}[{index}]")
