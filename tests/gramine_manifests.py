"""A good Gramine manifest and what one change each makes of it, for tests of lint."""

import copy
import tomllib
from pathlib import Path

from sealroom.profiles.lint import lint_manifest

PROJECT = Path(__file__).resolve().parents[1]
HASH = "5d" * 32
OTHER = "5e" * 32
GOOD = f"""
loader.entrypoint.uri = "file:tree/gramine/libsysdb.so"
loader.entrypoint.sha256 = "{HASH}"
loader.log_level = "error"
loader.argv = ["python3.11", "-I", "-m", "enclave", "clinical"]
loader.env.LD_LIBRARY_PATH = "/lib"
loader.env.OMP_NUM_THREADS = {{ value = "1" }}
libos.entrypoint = "/usr/bin/python3.11"

[sys]
disallow_subprocesses = true
enable_sigterm_injection = true
stack.size = "8M"

[fs]
root.type = "tmpfs"
mounts = [
  {{ path = "/lib", uri = "file:tree/lib" }},
  {{ path = "/usr", uri = "file:tree/usr" }},
  {{ path = "/dev/shm", type = "tmpfs" }},
]

[sgx]
debug = false
remote_attestation = "dcap"
file_check_policy = "strict"
use_exinfo = false
edmm_enable = false
enclave_size = "4G"
max_threads = 8
isvprodid = 0
isvsvn = 0
cpu_features.amx = "disabled"
trusted_files = [
  {{ uri = "file:tree/gramine/libsysdb.so", sha256 = "{HASH}" }},
  {{ uri = "file:tree/lib/libc.so.6", sha256 = "{HASH}" }},
  {{ uri = "file:tree/usr/bin/python3.11", sha256 = "{HASH}" }},
]
"""
ABSENT = object()


def changed(key, value):
    """Return the good manifest with one value put in, appended (a key that ends with +) or taken out."""
    manifest = copy.deepcopy(tomllib.loads(GOOD))
    *above, last = key.removesuffix("+").split(".")
    table = manifest
    for step in above:
        table = table.setdefault(step, {})
    if value is ABSENT:
        del table[last]
    elif key.endswith("+"):
        table[last] = [*table.get(last, []), value]
    else:
        table[last] = value
    return manifest


def names(manifest):
    return {finding.rule.name for finding in lint_manifest(manifest).findings}


def trusted(uri, sha256=HASH):
    return {"uri": uri, "sha256": sha256}


def mount(path, **keys):
    return {"path": path, "uri": "file:tree/x"} | keys


def encrypted(path="/data", **keys):
    return mount(path, type="encrypted", **keys)


MRENCLAVE = {"key_name": "_sgx_mrenclave"}
ROOT = {"type": "encrypted", "uri": "file:data"} | MRENCLAVE
BAD = [
    ("sgx.debug", True, "SGX_DEBUG"),
    ("sgx.debug", ABSENT, "SGX_DEBUG"),
    ("sgx.debug", 0, "SGX_DEBUG VALUE"),
    ("sgx.debug", "false", "SGX_DEBUG VALUE"),
    ("sgx.remote_attestation", "none", "REMOTE_ATTESTATION"),
    ("sgx.remote_attestation", ABSENT, "REMOTE_ATTESTATION"),
    ("sgx.remote_attestation", "epid", "REMOTE_ATTESTATION VALUE"),
    ("loader.insecure__use_cmdline_argv", True, "INSECURE_OPTION"),
    ("loader.insecure__use_host_env", True, "INSECURE_OPTION"),
    ("loader.insecure__disable_aslr", True, "INSECURE_OPTION"),
    ("sgx.insecure__allow_memfaults_without_exinfo", True, "INSECURE_OPTION"),
    ("sgx.insecure__rpc_thread_num", 2, "INSECURE_OPTION"),
    ("sys.insecure__allow_eventfd", True, "INSECURE_OPTION"),
    ("fs.insecure__keys", {"mine": "00" * 16}, "INSECURE_OPTION"),
    ("fs.insecure__new", 1, "INSECURE_OPTION UNKNOWN_KEY"),
    ("deep.er.insecure__x", "on", "INSECURE_OPTION UNKNOWN_KEY"),
    ("fs.mounts+", mount("/x", insecure__x=True), "INSECURE_OPTION UNKNOWN_KEY"),
    ("loader.insecure__use_host_env", False, "INSECURE_OFF"),
    ("sgx.insecure__rpc_thread_num", 0, "INSECURE_OFF"),
    ("sys.debug__mock_syscalls", [{"name": "getrandom", "return": 0}], "DEBUG_OPTION"),
    ("sys.experimental__enable_flock", True, "EXPERIMENTAL"),
    ("sgx.enable_stats", True, "PROFILING"),
    ("sgx.profile.enable", "main", "PROFILING"),
    ("sgx.vtune_profile", True, "PROFILING"),
    ("sgx.use_exinfo", True, "EXINFO"),
    ("sgx.use_exinfo", [True], "EXINFO VALUE"),
    ("sgx.seal_key.flags_mask", "0xfffffffffffffffd", "SEAL_KEY"),
    ("sgx.seal_key.flags_mask", "0xfffffffffffffffe", "SEAL_KEY"),
    ("sgx.seal_key.flags_mask", "0x3", "SEAL_KEY_MASK"),
    ("sgx.seal_key.misc_mask", "0x0", "SEAL_KEY_MASK"),
    ("sgx.seal_key.xfrm_mask", "many", "VALUE"),
    ("sgx.edmm_enable", True, "EDMM"),
    ("sgx.max_threads", 2, "FEW_THREADS"),
    ("sgx.max_threads", -2, "FEW_THREADS VALUE"),
    ("sgx.cpu_features.amx", ABSENT, "CPU_FEATURE"),
    ("sgx.cpu_features.mpx", "required", "CPU_FEATURE"),
    ("sgx.cpu_features.pkru", "unspecified", "CPU_FEATURE VALUE"),
    ("sgx.cpu_features.avx", "on", "VALUE"),
    ("loader.log_level", "debug", "LOG_LEVEL"),
    ("loader.log_level", "warning", "LOG_LEVEL"),
    ("loader.log_level", ABSENT, "LEFT_TO_DEFAULT"),
    ("sgx.file_check_policy", ABSENT, "LEFT_TO_DEFAULT"),
    ("loader.log_file", "log.txt", "LOG_FILE"),
    ("loader.argv", ABSENT, "ARGV_MISSING"),
    ("loader.argv", [], "ARGV_MISSING"),
    ("loader.argv", "python3.11", "ARGV_MISSING VALUE"),
    ("loader.argv", ["python3.11"], "ARGV_INPUT"),
    ("loader.argv", ["python3.11", ""], "ARGV_INPUT"),
    ("loader.argv_src_file", "file:tree/argv", "ARGV_FILE"),
    ("loader.env_src_file", "file:tree/env", "ENV_FILE"),
    ("loader.env.PATH", {"passthrough": True}, "ENV_PASSTHROUGH"),
    ("loader.env.PATH", 1, "VALUE"),
    ("loader.env.LD_PRELOAD", "/tmp/x.so", "ENV_CODE"),
    ("loader.env.LD_AUDIT", {"value": "/tmp/x.so"}, "ENV_CODE"),
    ("loader.env.BASH_ENV", {"passthrough": True}, "ENV_CODE ENV_PASSTHROUGH"),
    ("sys.allowed_ioctls", [{"request_code": 1}], "IOCTL"),
    ("sys.disallow_subprocesses", False, "SUBPROCESSES"),
    ("sys.disallow_subprocesses", ABSENT, "SUBPROCESSES"),
    ("sys.enable_extra_runtime_domain_names_conf", True, "HOST_NAMES"),
    ("libos.check_invalid_pointers", False, "INVALID_POINTERS"),
    ("sgx.file_check_policy", "allow_all_but_log", "FILE_CHECK_POLICY"),
    ("sgx.allowed_files", ["file:data/out.csv"], "ALLOWED_FILE"),
    ("sgx.allowed_files", ["dev:tty"], "ALLOWED_FILE"),
    ("sgx.allowed_files", ["file:/"], "ALLOWED_CODE"),
    ("sgx.allowed_files", ["file:./"], "ALLOWED_CODE"),
    ("sgx.allowed_files", ["file:tree"], "ALLOWED_CODE"),
    ("sgx.allowed_files", ["file:tree//usr/./bin/python3.11"], "ALLOWED_CODE"),
    ("sgx.allowed_files", ["file:data/x.py"], "ALLOWED_CODE"),
    ("sgx.allowed_files", ["file:/usr/lib/libz.so.1"], "ALLOWED_CODE"),
    ("sgx.allowed_files", {"x": "file:data"}, "OLD_KEY"),
    ("sgx.trusted_files+", {"uri": "file:tree/y"}, "TRUSTED_HASH"),
    ("sgx.trusted_files+", "file:tree/y", "TRUSTED_HASH"),
    ("sgx.trusted_files+", trusted("file:tree/y", "abc"), "TRUSTED_HASH"),
    ("sgx.trusted_files+", trusted("file:tree/lib/../lib/libc.so.6", OTHER), "TRUSTED_CONFLICT"),
    ("sgx.trusted_files+", trusted("file:tree/lib/libc.so.6"), "TRUSTED_TWICE"),
    ("sgx.trusted_files+", trusted("file:tree/lib/libc.so.6", HASH.upper()), "TRUSTED_TWICE"),
    ("sgx.trusted_files+", {"uri": "file:tree/data/"}, "TRUSTED_FOLDER"),
    ("sgx.trusted_files+", "file:.", "TRUSTED_FOLDER"),
    ("sgx.trusted_files+", "file:/usr/lib/", "TRUSTED_LIBRARIES TRUSTED_ELSEWHERE"),
    ("sgx.trusted_files+", "file:/lib/x86_64-linux-gnu/", "TRUSTED_LIBRARIES TRUSTED_ELSEWHERE"),
    ("sgx.trusted_files+", "file:/", "TRUSTED_LIBRARIES TRUSTED_ELSEWHERE"),
    ("sgx.trusted_files+", "file:venv/lib/python3.11/site-packages/", "TRUSTED_LIBRARIES"),
    ("sgx.trusted_files+", trusted("file:tree/*.so"), "TRUSTED_WILDCARD"),
    ("sgx.trusted_files+", trusted("file:/etc/hosts"), "TRUSTED_ELSEWHERE"),
    ("sgx.trusted_files+", trusted("file:../x"), "TRUSTED_ELSEWHERE"),
    ("sgx.trusted_files+", trusted("dev:tty"), "TRUSTED_URI"),
    ("sgx.trusted_files+", trusted("tree/x"), "TRUSTED_URI"),
    ("sgx.trusted_files+", trusted("file:"), "TRUSTED_URI"),
    ("sgx.trusted_files", [trusted(f"file:tree/{n}") for n in range(10_001)], "TRUSTED_MANY LIBOS_ENTRYPOINT"),
    ("sgx.trusted_files", {"x": "file:tree/x"}, "OLD_KEY LIBOS_ENTRYPOINT"),
    ("loader.entrypoint", ABSENT, "LOADER_ENTRYPOINT"),
    ("loader.entrypoint", "file:tree/gramine/libsysdb.so", "LOADER_ENTRYPOINT VALUE"),
    ("loader.entrypoint", {"uri": "file:tree/gramine/other.so"}, "LOADER_ENTRYPOINT"),
    ("loader.entrypoint", {"uri": "file:tree/gramine/libsysdb.so"}, ""),
    ("loader.entrypoint.sha256", OTHER, "TRUSTED_CONFLICT"),
    ("loader.entrypoint.sha256", HASH.upper(), ""),
    ("loader.entrypoint.uri", "file:tree/x/../gramine/libsysdb.so", ""),
    ("loader.entrypoint", {"uri": "file:tree/lib/../lib/libc.so.6", "sha256": OTHER}, "TRUSTED_CONFLICT"),
    ("libos.sync.enable", True, ""),
    ("libos.entrypoint", ABSENT, "LIBOS_ENTRYPOINT"),
    ("libos.entrypoint", "/usr/bin/python3.12", "LIBOS_ENTRYPOINT"),
    ("libos.entrypoint", "/dev/shm/python3.11", "LIBOS_ENTRYPOINT"),
    ("libos.entrypoint", "/opt/python3.11", "LIBOS_ENTRYPOINT"),
    ("fs.mounts+", {"path": "/usr/bin", "uri": "file:tree/other"}, "LIBOS_ENTRYPOINT"),
    ("fs.mounts+", {"path": "/usr/bin", "type": "tmpfs"}, "LIBOS_ENTRYPOINT MOUNT_OVER_TRUSTED"),
    (
        "fs.mounts+",
        encrypted("/usr/bin", uri="file:tree/usr/bin", **MRENCLAVE),
        "LIBOS_ENTRYPOINT MOUNT_OVER_TRUSTED ENCRYPTED_ROLLBACK",
    ),
    ("fs.mounts+", encrypted("/lib", **MRENCLAVE), "MOUNT_OVER_TRUSTED MOUNT_TWICE ENCRYPTED_ROLLBACK"),
    ("fs.mounts+", encrypted("/usr/share/x", **MRENCLAVE), "MOUNT_OVER_TRUSTED ENCRYPTED_ROLLBACK"),
    ("fs.mounts+", {"path": "/lib/x", "type": "tmpfs"}, "MOUNT_OVER_TRUSTED"),
    ("fs.mounts+", {"path": "/libx", "type": "tmpfs"}, ""),
    ("fs.root", ABSENT, "ROOT"),
    ("fs.root", {"type": "chroot", "uri": "file:tree"}, "ROOT"),
    ("fs.mounts+", mount("/dev/attestation"), "MOUNT_ATTESTATION MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/dev/attestation", type="tmpfs"), "MOUNT_ATTESTATION MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/dev/attestation/"), "MOUNT_ATTESTATION MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/dev/attestation/quote"), "MOUNT_ATTESTATION MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/dev"), "MOUNT_ATTESTATION MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/dev//attestation"), "MOUNT_ATTESTATION MOUNT_SYSTEM MOUNT_PATH"),
    ("fs.mounts+", mount("//dev/attestation"), "MOUNT_ATTESTATION MOUNT_SYSTEM MOUNT_PATH"),
    ("fs.mounts+", mount("/dev/./attestation"), "MOUNT_ATTESTATION MOUNT_SYSTEM MOUNT_PATH"),
    ("fs.mounts+", mount("/dev/attestation/.."), "MOUNT_ATTESTATION MOUNT_SYSTEM MOUNT_PATH"),
    ("fs.mounts+", mount("/x/../dev/attestation"), "MOUNT_ATTESTATION MOUNT_SYSTEM MOUNT_PATH"),
    ("fs.mounts+", mount("/../../dev"), "MOUNT_ATTESTATION MOUNT_SYSTEM MOUNT_PATH"),
    ("fs.mounts+", mount("/"), "MOUNT_ATTESTATION MOUNT_ROOT LIBOS_ENTRYPOINT"),
    (
        "fs.mounts+",
        mount("/./", type="tmpfs"),
        "MOUNT_ATTESTATION MOUNT_ROOT MOUNT_PATH LIBOS_ENTRYPOINT MOUNT_OVER_TRUSTED",
    ),
    ("fs.mounts+", mount("/dev/attestation\0x"), "MOUNT_SYSTEM TEXT"),
    ("fs.mounts+", mount("/x", uri="file:/"), "MOUNT_ROOT"),
    ("fs.mounts+", mount("/x", uri="file:/x/.."), "MOUNT_ROOT"),
    ("fs.mounts+", mount("/dev/urandom"), "MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/dev/shm/x"), "MOUNT_SYSTEM"),
    ("fs.mounts", [mount("/usr", uri="file:tree/usr"), mount("/dev/shm")], "MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/proc/self"), "MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/sys"), "MOUNT_SYSTEM"),
    ("fs.mounts+", mount("/x", uri="file:/proc"), "MOUNT_HOST_SYSTEM"),
    ("fs.mounts+", mount("/x", uri="file://dev/shm"), "MOUNT_HOST_SYSTEM"),
    ("fs.mounts+", mount("/x", uri="dev:tty"), "MOUNT_HOST_SYSTEM"),
    ("fs.mounts+", mount("/x", type="untrusted_shm", uri="dev:/dev/shm"), "MOUNT_SHARED"),
    ("fs.mounts+", mount("/x", type="pseudo", uri="dev"), "MOUNT_TYPE"),
    ("fs.mounts+", mount("/x", uri="file:.."), "MOUNT_ELSEWHERE"),
    ("fs.mounts+", mount("/x", uri="file:../../dev"), "MOUNT_ELSEWHERE"),
    ("fs.mounts+", mount("/x", uri="file:tree/./../..//dev"), "MOUNT_ELSEWHERE"),
    ("fs.mounts+", mount("/x", uri="file:..x"), ""),
    ("fs.mounts+", encrypted(uri="file:../x", **MRENCLAVE), "MOUNT_ELSEWHERE ENCRYPTED_ROLLBACK"),
    ("fs.root", ROOT | {"uri": "file:../x"}, "MOUNT_ELSEWHERE ENCRYPTED_ROLLBACK"),
    ("fs.root", ROOT | {"uri": "file:/var/x"}, "MOUNT_ELSEWHERE ENCRYPTED_ROLLBACK"),
    ("fs.root", ROOT | {"uri": "file:/proc/self/root"}, "MOUNT_ELSEWHERE MOUNT_HOST_SYSTEM ENCRYPTED_ROLLBACK"),
    ("fs.root", ROOT | {"uri": "dev:tty"}, "MOUNT_HOST_SYSTEM ENCRYPTED_ROLLBACK"),
    ("fs.root", {"type": "encrypted", "key_name": "_sgx_mrenclave"}, "MOUNT_URI ENCRYPTED_ROLLBACK"),
    ("fs.root", ROOT, "ENCRYPTED_ROLLBACK"),
    ("fs.mounts+", mount("x"), "MOUNT_PATH"),
    ("fs.mounts+", {"uri": "file:tree/x"}, "MOUNT_PATH"),
    ("fs.mounts+", mount("/" + "x" * 4096), "MOUNT_PATH"),
    ("fs.mounts+", mount("/lib/../x"), "MOUNT_PATH"),
    ("fs.mounts+", {"path": "/x"}, "MOUNT_URI"),
    ("fs.mounts+", mount("/x", uri="tree/x"), "MOUNT_URI"),
    ("fs.mounts+", mount("/lib/"), "MOUNT_TWICE"),
    ("fs.mounts+", "/x", "VALUE"),
    ("fs.mounts+", encrypted(**MRENCLAVE), "ENCRYPTED_ROLLBACK"),
    ("fs.mounts+", encrypted(key_name="_sgx_mrsigner"), "ENCRYPTED_ROLLBACK ENCRYPTED_SIGNER"),
    ("fs.mounts+", encrypted(key_name="_sgx_other"), "ENCRYPTED_ROLLBACK ENCRYPTED_KEY"),
    ("fs.mounts+", encrypted(key_name=1), "ENCRYPTED_ROLLBACK ENCRYPTED_KEY VALUE"),
    ("fs.mounts+", encrypted(), "ENCRYPTED_ROLLBACK ENCRYPTED_UNNAMED"),
    ("fs.mounts+", encrypted(key_name=""), "ENCRYPTED_ROLLBACK ENCRYPTED_UNNAMED"),
    ("fs.mounts+", encrypted(key_name="mine"), "ENCRYPTED_ROLLBACK ENCRYPTED_UNNAMED"),
    ("fs.root", encrypted(key_name="_sgx_mrsigner"), "ENCRYPTED_ROLLBACK ENCRYPTED_SIGNER UNKNOWN_KEY"),
    ("fs.mount.x", mount("/x"), "OLD_KEY"),
    ("sgx.nonpie_binary", True, "OLD_KEY"),
    ("sgx.require_avx", True, "OLD_KEY"),
    ("sgx.require_exinfo", True, "OLD_KEY"),
    ("loader.preload", "file:tree/x", "OLD_KEY"),
    ("sys.allow_eventfd", True, "OLD_KEY"),
    ("sgx.enclave_size", "4GiB", "VALUE"),
    ("sgx.isvsvn", True, "VALUE"),
    ("sgx.Debug", True, "UNKNOWN_KEY"),
    ("SGX.debug", True, "UNKNOWN_KEY"),
    ("sys.ioctl_structs.x", [[{"size": 8}]], ""),
    ("loader.env.insecure__x", "1", ""),
    ("loader.env.TEXT", "a\x1b[2J", "TEXT"),
    ("loader.env.LINES", "a\n\tb", ""),
    ("loader.env.a\0b", "1", "TEXT"),
    ("fs.start_dir", "/usr/bin", ""),
]
