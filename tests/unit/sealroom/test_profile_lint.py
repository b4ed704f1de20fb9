"""Manifests of Gramine: one bad manifest for each rule, made from a good one by one change."""

import copy
import json
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attestation.profiles.trusted_files import load_profile
from protocol.errors import DocumentError, StorageError
from sealroom.cli import main
from sealroom.profiles.gramine_manifest import render_manifest
from sealroom.profiles.lint import MAX_MANIFEST, RULES, ManifestRefused, lint_file, lint_manifest
from sealroom.profiles.lint.paths import normal
from sealroom.profiles.tree import EXECUTABLE, LIBOS

PROJECT = Path(__file__).resolve().parents[3]
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


def test_the_good_manifest_has_no_finding():
    linted = lint_manifest(tomllib.loads(GOOD))
    assert linted.findings == ()
    assert linted.facts["ISV SVN"] == "0"
    assert linted.facts["trusted files"] == "3"
    assert linted.facts["program"] == '"/usr/bin/python3.11"'


@pytest.mark.parametrize(("key", "value", "wanted"), BAD, ids=range(len(BAD)))
def test_one_change_gives_just_these_findings(key, value, wanted):
    assert names(changed(key, value)) == set(wanted.split())


def test_a_key_that_the_manifest_shows_is_no_secret():
    manifest = changed("fs.insecure__keys", {"mine": "00" * 16})
    manifest["fs"]["mounts"].append(encrypted(key_name="mine"))
    assert names(manifest) == {"INSECURE_OPTION", "ENCRYPTED_ROLLBACK", "ENCRYPTED_KEY"}


def test_a_relative_program_starts_where_the_manifest_says():
    manifest = changed("fs.start_dir", "/usr/bin")
    manifest["libos"]["entrypoint"] = "python3.11"
    assert names(manifest) == set()
    manifest["fs"]["start_dir"] = "/usr"
    assert names(manifest) == {"LIBOS_ENTRYPOINT"}


def test_each_rule_has_a_manifest_and_a_text():
    tried = {name for _, _, wanted in BAD for name in wanted.split()}
    assert tried | {"TRIPLE_QUOTES"} == set(RULES)
    for rule in RULES.values():
        for text in (rule.wrong, rule.why, rule.do):
            assert text[0].isupper()
            assert text.endswith(".")
            assert len(text) < 160


def test_nothing_is_right_because_it_is_absent():
    refused = {finding.rule.name for finding in lint_manifest({}).refused}
    assert refused == {
        "SGX_DEBUG",
        "REMOTE_ATTESTATION",
        "SUBPROCESSES",
        "ARGV_MISSING",
        "LOADER_ENTRYPOINT",
        "LIBOS_ENTRYPOINT",
        "ROOT",
    }
    with pytest.raises(ManifestRefused) as caught:
        lint_manifest({}).require_accepted()
    assert (caught.value.code, caught.value.exit_code) == ("MANIFEST_REFUSED", 5)


def started(program, arguments, **variables):
    """Return the good manifest with another program, its arguments and variables."""
    manifest = tomllib.loads(GOOD)
    manifest["libos"]["entrypoint"] = f"/usr/bin/{program}"
    manifest["loader"]["argv"] = [program, *arguments.split()]
    manifest["loader"]["env"] |= variables
    manifest["sgx"]["trusted_files"].append(trusted(f"file:tree/usr/bin/{program}"))
    return manifest


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("python3", "-m enclave clinical"),
        ("python3", "-menclave"),
        ("python3", "-IBm enclave"),
        ("python3", "-BB -X utf8 -Wdefault -I run.py --long -x"),
        ("pypy3", "run.py /tmp/x"),
        ("bash", "run.sh x"),
        ("perl5.36", "run.pl"),
        ("node", "run.js --x=1"),
        ("Rscript", "run.R"),
        ("R", "--no-save --file=run.R"),
        ("analysis", "- -i -c /dev/stdin"),
        ("pythonista", "run.py"),
        ("environment", "x"),
    ],
)
def test_one_script_or_module_is_run(program, arguments):
    assert names(started(program, arguments)) <= {"TRUSTED_TWICE"}


@pytest.mark.parametrize(
    ("program", "arguments", "found"),
    [
        ("python3", "", "no script and no module"),
        ("python3.11", "-I", "no script and no module"),
        ("python3.11d", "-I -X utf8", "no script and no module"),
        ("python3-dbg", "-X", "no script and no module"),
        ("python3", "-", '"-"'),
        ("python3", "-I -i -m enclave", '"-i"'),
        ("python3", "-Ii -m enclave", '"-Ii"'),
        ("python3", "-xi run.py", '"-xi"'),
        ("python3", "-Ic x", '"-Ic"'),
        ("python3", "-c x", '"-c"'),
        ("python3", "-cx", '"-cx"'),
        ("python3", "run.py -", '"-"'),
        ("python3", "run.py -i", '"-i"'),
        ("python3", "-I -m", '"-m "'),
        ("python3", "-m code", '"-m code"'),
        ("python3", "-mpdb run.py", '"-m pdb"'),
        ("python3", "-m idlelib.idle", '"-m idlelib.idle"'),
        ("python3", "--help", '"--help"'),
        ("python3", "-I /dev/stdin", '"/dev/stdin"'),
        ("python3", "/dev/./fd//0", '"/dev/./fd//0"'),
        ("python3", "../proc/self/fd/0", '"../proc/self/fd/0"'),
        ("python3", "dev/stdin", '"dev/stdin"'),
        ("python3", "-m enclave --file=/dev/x/../stdin", '"--file=/dev/x/../stdin"'),
        ("python3", "-m enclave -f/dev/tty", '"-f/dev/tty"'),
        ("python3", "-m enclave file:/proc/self/fd/0", '"file:/proc/self/fd/0"'),
        ("bash", "", "no script and no module"),
        ("sh", "-s x", '"-s"'),
        ("dash", "+x run.sh", '"+x"'),
        ("ksh93", "-o vi", '"-o"'),
        ("perl5.36.0", "-e x", '"-e"'),
        ("ruby3.1", "", "no script and no module"),
        ("node", "--require x", '"--require"'),
        ("d8", "", "no script and no module"),
        ("lua5.4", "-i", '"-i"'),
        ("R", "run.R", "no script and no module"),
        ("R", "--file=-", "no script and no module"),
        ("Rscript", "-e x", '"-e"'),
        ("busybox", "sh -s", '"busybox"'),
        ("env", "LD_PRELOAD=x analysis", '"env"'),
        ("ld-linux-x86-64.so.2", "/usr/bin/analysis", '"ld-linux-x86-64.so.2"'),
    ],
)
def test_a_program_from_the_host_is_refused(program, arguments, found):
    refused = lint_manifest(started(program, arguments)).refused
    assert [(finding.rule.name, finding.found) for finding in refused] == [("ARGV_INPUT", found)]


def test_an_interpreter_is_known_by_either_name():
    manifest = started("python3", "-s x")
    assert "ARGV_INPUT" not in names(manifest)
    manifest["loader"]["argv"][0] = "bash"  # bash -s reads its input
    assert "ARGV_INPUT" in names(manifest)
    manifest = started("analysis", "-s x")
    manifest["loader"]["argv"][0] = "/bin/sh"
    assert "ARGV_INPUT" in names(manifest)
    manifest = started("sh", "-s x")
    manifest["loader"]["argv"][0] = "analysis"
    assert "ARGV_INPUT" in names(manifest)


def test_a_relative_input_starts_where_the_manifest_says():
    manifest = started("python3", "stdin")
    assert "ARGV_INPUT" not in names(manifest)
    manifest["fs"]["start_dir"] = "/dev"
    assert "ARGV_INPUT" in names(manifest)


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_ORIGIN_PATH",
        "PYTHONSTARTUP=/x",
        "GCONV_PATH",
        "OPENSSL_CONF",
        "BASH_ENV",
        "BASH_FUNC_x%%",
        "ENV",
        "PS4",
        "PYTHONINSPECT",
        "PYTHONSTARTUP",
        "PYTHONBREAKPOINT",
        "PYTHONWARNINGS",
        "PERL5OPT",
        "PERL5LIB",
        "NODE_OPTIONS",
        "RUBYOPT",
        "LUA_INIT",
        "LUA_INIT_5_4",
        "R_PROFILE",
        "R_PROFILE_USER",
        "R_LIBS",
        "R_HOME",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "CLASSPATH",
        "PHPRC",
        "TCLLIBPATH",
        "JULIA_LOAD_PATH",
    ],
)
def test_variables_that_name_code_are_refused(name):
    assert names(started("analysis", "x", **{name: "1"})) == {"ENV_CODE"}


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"])
def test_the_places_of_python_matter_unless_it_is_isolated(name):
    for arguments, wanted in (("-m x", True), ("x -I", True), ("-I x", False), ("-BE x", False)):
        assert ("ENV_CODE" in names(started("python3", arguments, **{name: "/x"}))) == wanted
    assert names(started("analysis", "-I x", **{name: "/x"})) == {"ENV_CODE"}


def test_variables_that_name_no_code_are_let_in():
    variables = dict.fromkeys(
        ["LD_LIBRARY_PATH", "ENVIRONMENT", "MY_LD_PRELOAD", "PYTHONHASHSEED", "R_MAX", "PATH"], "1"
    )
    assert names(started("analysis", "x", **variables)) == set()


def test_a_tmpfs_may_hold_the_mounts_of_trusted_files():
    manifest = tomllib.loads(GOOD)
    manifest["fs"]["mounts"] = [{"path": "/usr", "type": "tmpfs"}, mount("/usr/bin", uri="file:tree/usr/bin")]
    assert names(manifest) == set()
    manifest["fs"]["mounts"].reverse()
    assert names(manifest) == {"MOUNT_OVER_TRUSTED", "LIBOS_ENTRYPOINT"}


def test_the_folder_of_the_manifest_holds_its_trusted_files():
    manifest = changed("fs.mounts+", mount("/all", uri="file:."))
    assert names(manifest) == set()
    manifest["fs"]["mounts"].append({"path": "/all/x", "type": "tmpfs"})
    assert names(manifest) == {"MOUNT_OVER_TRUSTED"}


def test_arguments_and_variables_are_shown_in_full():
    manifest = started(
        "analysis", " ".join(f"{n:0200}" for n in range(30)), LONG="x" * 500, GIVEN={"passthrough": True}
    )
    facts = lint_manifest(manifest).facts
    assert facts["arguments"] == " ".join(f'"{word}"' for word in manifest["loader"]["argv"])
    assert facts["variable LONG"] == f'"{"x" * 500}"'
    assert facts["variable OMP_NUM_THREADS"] == '"1"'
    assert facts["variable GIVEN"] == "whatever the host gives"
    assert (facts["library OS"], facts["its sha256"]) == ('"file:tree/gramine/libsysdb.so"', f'"{HASH}"')


@pytest.mark.parametrize("sha256", ["abc", None])
def test_a_program_without_its_hash_is_no_trusted_file(sha256):
    manifest = tomllib.loads(GOOD)
    manifest["sgx"]["trusted_files"][2]["sha256"] = sha256
    assert names(manifest) >= {"TRUSTED_HASH", "LIBOS_ENTRYPOINT"}


def test_what_is_refused_comes_first():
    manifest = changed("fs.mounts+", encrypted(key_name="_sgx_mrsigner"))
    assert [finding.rule.severity for finding in lint_manifest(manifest).findings] == ["refuse", "warn"]


def test_each_allowed_file_is_named():
    found = lint_manifest(changed("sgx.allowed_files", ["file:a", "file:b"])).refused
    assert [(finding.where, finding.found) for finding in found] == [
        ("sgx.allowed_files[0]", '"file:a"'),
        ("sgx.allowed_files[1]", '"file:b"'),
    ]


VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.sampled_from(["file:tree/x", "/dev", "dcap"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted({key for key, _, _ in BAD if "\0" not in key} | {"sgx", "fs", "loader", "sys", "libos", "fs.mounts"})


@given(st.sampled_from(KEYS), VALUES)
@example("sgx.max_threads", 10**5000)
@example("sgx.seal_key.flags_mask", 10**5000)
@example("sgx.isvsvn", float("nan"))
def test_no_value_makes_it_fail(key, value):
    for manifest in ({"x": value}, changed(key, value) if isinstance(value, dict) or not key.endswith("+") else {}):
        linted = lint_manifest(manifest)
        assert all(finding.found.isprintable() for finding in linted.findings)
        assert all(text.isprintable() for text in linted.facts.values())
        assert len(linted.findings) >= len(linted.refused)
    assert lint_manifest({"x": value}).refused


@given(st.dictionaries(st.sampled_from(["sgx", "fs", "loader", "sys", "libos", "x"]), VALUES))
def test_arbitrary_manifests_are_refused(manifest):
    assert lint_manifest(manifest).refused


@given(st.lists(st.sampled_from(["dev", "attestation", ".", "..", "", "x"]), max_size=6))
def test_every_way_of_writing_the_attestation_folder_is_found(steps):
    path = "/" + "/".join(steps)
    place = normal(path)
    hides = place in {"/", "/dev"} or (place + "/").startswith("/dev/attestation/")
    assert ("MOUNT_ATTESTATION" in names(changed("fs.mounts+", mount(path)))) == hides


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a manifest and gives its path."""

    def write(text):
        path = tmp_path / "enclave.manifest"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("profile", ["clinical", "discovery", "genomics"])
def test_our_own_manifests_have_no_finding(written, profile):
    template = (PROJECT / "manifests/enclave.manifest.template").read_text("utf-8")
    lock = {f"tree/{path}": HASH for path in (LIBOS, EXECUTABLE, "lib/libc.so.6")}
    path = written(render_manifest(template, load_profile(PROJECT, profile), lock))
    linted = lint_file(path)
    assert linted.findings == ()
    assert f'"{profile}"' in linted.facts["arguments"]


@pytest.mark.parametrize(
    "text", ['loader.entrypoint = "{{ gramine.libos }}"', "{% for x in y %}\n{% endfor %}", "a = 1\n{# note #}"]
)
def test_a_template_must_be_rendered_first(written, text):
    with pytest.raises(DocumentError, match="rendered") as caught:
        lint_file(written(text))
    assert caught.value.code == "MANIFEST_TEMPLATE"


TWO_IN_ONE = GOOD.replace(
    "\n[sys]",
    r'''
loader.env.A = """a\\"""
loader.env.B = """
loader.insecure__use_cmdline_argv = true
# """

[sys]''',
    1,
)


def test_a_text_that_gramine_reads_otherwise_is_refused(written):
    assert lint_manifest(tomllib.loads(TWO_IN_ONE)).refused == ()  # as others read it
    linted = lint_file(written(TWO_IN_ONE))
    assert {finding.rule.name for finding in linted.refused} == {"TRIPLE_QUOTES"}
    first = TWO_IN_ONE[: TWO_IN_ONE.index('"""')].count("\n") + 1
    assert [finding.where for finding in linted.refused] == [f"line {first + at}" for at in (0, 1, 3)]
    assert list(linted.facts) == ["sha256 of this file"]


@pytest.mark.parametrize("text", ["'''", '# """', '"""', "x = ''''''"])
def test_three_quotes_are_refused_before_the_text_is_parsed(written, text):
    (finding,) = lint_file(written(f"{GOOD}{text}")).refused
    assert finding.rule.name == "TRIPLE_QUOTES"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\xff", "TOML"),
        ("sgx = [", "TOML"),
        ("a = 1\na = 2", "TOML"),
        ("a = " + "[" * 100_000, "TOML_DEPTH"),
        (".".join(["a"] * 1000) + " = 1", "TOML_DEPTH"),
    ],
)
def test_what_is_no_manifest_is_said(written, text, code):
    with pytest.raises(DocumentError) as caught:
        lint_file(written(text))
    assert caught.value.code == code


def test_files_larger_than_any_manifest_are_not_read(written):
    with pytest.raises(StorageError) as caught:
        lint_file(written(b"#" * (MAX_MANIFEST + 1)))
    assert caught.value.code == "FILE_SIZE"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["profile", "lint", *map(str, arguments)])
    return ended.value.code, *capsys.readouterr()


def test_the_command_accepts_the_good_one(capsys, written):
    status, out, err = run(capsys, written(GOOD))
    assert status in (0, None)
    assert "Nothing to refuse." in err
    assert "/usr/bin/python3.11" in out
    status, out, err = run(capsys, written(GOOD), "--json")
    assert (json.loads(out)["refused"], json.loads(out)["findings"]) == (False, [])


def test_the_command_counts_warnings(capsys, written):
    status, out, err = run(capsys, written(GOOD.replace("edmm_enable = false", "edmm_enable = true")))
    assert status in (0, None)
    assert "WARN EDMM: " in out
    assert "Think about 1 warning.\n" in err


def test_the_command_explains_what_it_refuses(capsys, written):
    many = "".join(f'"file:data/{n}", ' for n in range(30))
    path = written(GOOD.replace("debug = false", f"debug = true\nallowed_files = [{many}]"))
    status, out, err = run(capsys, path)
    assert status == 5
    for text in ("REFUSE SGX_DEBUG: ", RULES["SGX_DEBUG"].why, RULES["SGX_DEBUG"].do, "sgx.debug: found true"):
        assert text in out
    assert out.count("sgx.allowed_files[") == 20
    assert "and 10 more; --json lists all" in out
    assert err.startswith("MANIFEST_REFUSED: Found 31 places")
    status, out, _ = run(capsys, path, "--json")
    answer = json.loads(out)
    assert (status, answer["code"], answer["refused"]) == (5, "MANIFEST_REFUSED", True)
    assert [len(group["places"]) for group in answer["findings"]] == [1, 30]


def test_long_arguments_are_wrapped_not_cut(capsys, written, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    words = [f"{n:050}" for n in range(40)]
    path = written(GOOD.replace('"enclave", "clinical"', '"enclave", ' + ", ".join(f'"{word}"' for word in words)))
    _, out, _ = run(capsys, path)
    assert all(f'"{word}"' in out for word in words)
    assert all(len(line) <= 80 for line in out.splitlines())


def test_keys_of_a_manifest_do_not_steer_the_terminal(capsys, written):
    _, out, _ = run(capsys, written(GOOD + '["\\u001b[2J"]\nx = "\\u001b[1A"\n'))
    assert "\x1b" not in out
