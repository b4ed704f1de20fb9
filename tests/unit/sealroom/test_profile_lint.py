"""Manifests of Gramine: one bad manifest for each rule, made from a good one by one change."""

import tomllib

import pytest
from gramine_manifests import BAD, GOOD, HASH, changed, encrypted, mount, names, trusted
from hypothesis import example, given
from hypothesis import strategies as st

from sealroom.profiles.lint import RULES, ManifestRefused, lint_manifest
from sealroom.profiles.lint.paths import normal


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
