"""Builds of profiles. One small profile is built for real, twice; Gramine's files are stand-ins where it is absent."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attestation.policy import manifests_folder
from attestation.profiles import lock
from attestation.profiles.packages import Pin
from protocol.errors import AttestationError, SealroomError, StorageError
from sealroom.cli.profile import app
from sealroom.profiles import build_profile, distributions, interpreter, measure
from sealroom.profiles.build import TREE_LOCK
from sealroom.profiles.bytecode import compile_tree
from sealroom.profiles.distributions import package_files
from sealroom.profiles.elf import is_elf, needed
from sealroom.profiles.files import Source, copy_all
from sealroom.profiles.libraries import Gramine, find_gramine, find_libraries
from sealroom.profiles.lint import lint_file
from sealroom.profiles.measure import SIGNER, measure_folder
from sealroom.profiles.tree import EXECUTABLE, LIBOS, MOUNTED

pytestmark = [
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11) or sys.platform != "linux", reason="enclaves run Python 3.11 on Linux"
    ),
    pytest.mark.xdist_group("profile-builds"),  # its session fixtures build
]
SMALL = """version = 1
name = "small"
folders = ["enclave"]
files = ["manifests/small/profile.toml", "requirements.lock"]
simulated = ["enclave/stand_in.py"]
[gramine]
enclave_size = "1G"
max_threads = 4
"""
RUNTIME = (
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
)


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """A project of one file that imports one package, with the real template and pins."""
    root = tmp_path_factory.mktemp("small")
    for folder in ("enclave", "manifests/small"):
        (root / folder).mkdir(parents=True)
    (root / "enclave/__init__.py").write_text("")
    (root / "enclave/__main__.py").write_text("import h11\nimport ssl\n\nprint(h11.__version__, ssl.OPENSSL_VERSION)\n")
    (root / "enclave/stand_in.py").write_text("")
    (root / "manifests/small/profile.toml").write_text(SMALL)
    real = manifests_folder()
    shutil.copyfile(real / "enclave.manifest.template", root / "manifests/enclave.manifest.template")
    shutil.copyfile(real.parent / "requirements.lock", root / "requirements.lock")
    assert lock.main(["--write", "--root", str(root)]) == 0
    (root / "enclave/written_later.py").write_text("")
    return root


@pytest.fixture(scope="session")
def gramine(tmp_path_factory):
    """The installed Gramine, or files in the places of its own."""
    found = find_gramine(None)
    if found is not None:
        return found
    return find_gramine(stand_in(tmp_path_factory.mktemp("gramine")))


def stand_in(prefix):
    place = prefix / "lib/x86_64-linux-gnu/gramine"
    (place / "runtime/glibc").mkdir(parents=True)
    (place / "libsysdb.so").write_bytes(b"library OS")
    for name in RUNTIME:
        (place / "runtime/glibc" / name).write_bytes(name.encode())
    return prefix


@pytest.fixture(scope="session")
def builds(sources, gramine, tmp_path_factory):
    """Two builds in two folders, one of sources that were copied elsewhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a/longer/path"
    shutil.copytree(sources, elsewhere)
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    return (
        build_profile(sources, "small", first, simulated=False, gramine=gramine),
        build_profile(elsewhere, "small", second, simulated=False, gramine=gramine),
    )


def refuse(kind, code, call, words=""):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, SealroomError)
    assert caught.value.code == code
    assert words in caught.value.detail


def test_two_builds_in_two_folders_are_the_same(builds):
    one, two = (build.folder for build in builds)
    assert one != two
    for name in (TREE_LOCK, "enclave.manifest"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert builds[0].files == builds[1].files > 300
    assert builds[0].complete


def test_the_lock_is_what_is_in_the_tree(builds):
    folder = builds[0].folder
    lines = (folder / TREE_LOCK).read_text().splitlines()
    stated = {line[66:]: line[:64] for line in lines}
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "tree").rglob("*")
        if path.is_file()
    }
    assert stated == found
    assert [line[66:] for line in lines] == sorted(stated)
    ran = subprocess.run(["sha256sum", "--check", "--quiet", TREE_LOCK], cwd=folder, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, b"")


def test_the_manifest_trusts_the_lock_and_nothing_else(builds, sources):
    folder = builds[0].folder
    manifest = tomllib.loads((folder / "enclave.manifest").read_text())
    trusted = {entry["uri"]: entry["sha256"] for entry in manifest["sgx"]["trusted_files"]}
    lines = (folder / TREE_LOCK).read_text().splitlines()
    assert trusted == {f"file:{line[66:]}": line[:64] for line in lines}
    assert manifest["loader"]["argv"] == ["python3.11", "-I", "-m", "enclave", "small"]
    assert manifest["loader"]["entrypoint"] == {
        "uri": f"file:tree/{LIBOS}",
        "sha256": trusted[f"file:tree/{LIBOS}"],
    }
    assert manifest["sgx"]["enclave_size"] == "1G"
    assert manifest["sgx"]["max_threads"] == 4
    assert {(mount["path"], mount["uri"]) for mount in manifest["fs"]["mounts"]} == {
        (str(path), f"file:tree/{name}") for name, path in MOUNTED.items()
    }
    assert str(sources) not in (folder / "enclave.manifest").read_text()


def test_the_manifest_is_one_that_we_would_accept(builds):
    assert lint_file(builds[0].folder / "enclave.manifest").refused == ()


def test_our_files_are_those_of_the_lock_alone(builds):
    code = builds[0].folder / "tree/sealroom/code"
    found = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
    assert found == {
        "enclave/__init__.py",
        "enclave/__main__.py",
        "enclave/__pycache__/__init__.cpython-311.pyc",
        "enclave/__pycache__/__main__.cpython-311.pyc",
        "manifests/small/profile.toml",
        "requirements.lock",
    }


def test_the_tree_is_slim(builds):
    tree = builds[0].folder / "tree"
    names = [path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()]
    packages = {name.split("/")[4] for name in names if name.startswith("sealroom/lib/python3.11/site-packages/")}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"h11", "sealroom.pth"}
    for unwanted in ("/tests/", "/test/", "idlelib", "tkinter", "ensurepip", "/pip/", ".pyi", "_sqlite3", "RECORD"):
        assert not [name for name in names if unwanted in name]
    assert [name for name in names if name.endswith(".py") and "/code/" not in name] == []


def test_simulated_builds_hold_the_stand_in(sources, gramine, builds, tmp_path):
    made = build_profile(sources, "small", tmp_path, simulated=True, gramine=gramine)
    extra = {line[66:] for line in (made.folder / TREE_LOCK).read_text().splitlines()} - {
        line[66:] for line in (builds[0].folder / TREE_LOCK).read_text().splitlines()
    }
    assert extra == {
        "tree/sealroom/code/enclave/stand_in.py",
        "tree/sealroom/code/enclave/__pycache__/stand_in.cpython-311.pyc",
    }


def test_a_tree_runs_by_itself(builds, tmp_path):
    """With the machine's C library, nothing but the tree is imported: what it needs is in it."""
    tree = builds[0].folder / "tree"
    libraries = tmp_path / "lib"
    libraries.mkdir()
    for path in (tree / "lib").iterdir():
        if path.name not in (*RUNTIME, "libresolv.so.2", "libanl.so.1", "libmvec.so.1"):
            (libraries / path.name).symlink_to(path)
    program = (
        "import sys; sys.path.remove('');"
        f"sys.path += [{str(tree / 'sealroom/lib/python3.11/site-packages')!r}, {str(tree / 'sealroom/code')!r}];"
        "import enclave.__main__, asyncio, ctypes, lzma, bz2, zlib, hashlib, decimal;"
        f"out = [m for m in sys.modules.values() if not (getattr(m, '__file__', None) or {str(tree)!r}).startswith({str(tree)!r})];"
        "assert not out, out"
    )
    # The interpreter stands in a virtual environment whose home is a path of the enclave: here the tree is its home.
    runner = tmp_path / "python3.11"
    shutil.copy(tree / EXECUTABLE, runner)
    environment = {"PYTHONHOME": str(tree / "usr"), "LD_LIBRARY_PATH": str(libraries)}
    ran = subprocess.run([runner, "-S", "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "OpenSSL" in ran.stdout


def test_an_old_build_is_replaced_and_nothing_is_left_over(sources, gramine, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small/old").write_text("")
    made = build_profile(sources, "small", tmp_path, simulated=False, gramine=gramine)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    assert sorted(path.name for path in made.folder.iterdir()) == ["enclave.manifest", "tree", "tree.lock"]


def test_a_build_that_fails_leaves_the_old_one(sources, gramine, tmp_path):
    root = tmp_path / "sources"
    shutil.copytree(sources, root)
    (root / "enclave/__main__.py").write_text("import h11  # and something else\n")
    (tmp_path / "out/small").mkdir(parents=True)
    (tmp_path / "out/small/old").write_text("")
    refuse(
        StorageError,
        "TREE_FILE",
        lambda: build_profile(root, "small", tmp_path / "out", simulated=False, gramine=gramine),
        "small/trusted-files.lock",
    )
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["small", "old"]


def test_without_gramine_a_build_is_incomplete(sources, builds, tmp_path, monkeypatch):
    made = build_profile(sources, "small", tmp_path, simulated=False, gramine=None)
    assert not made.complete
    assert not (made.folder / "enclave.manifest").exists()
    missing = set((builds[0].folder / TREE_LOCK).read_text().splitlines()) - set(
        (made.folder / TREE_LOCK).read_text().splitlines()
    )
    assert {line[66:] for line in missing} >= {f"tree/{LIBOS}", "tree/lib/libc.so.6", "tree/lib/ld-linux-x86-64.so.2"}
    assert all(line[66:].startswith(("tree/lib/", "tree/gramine/")) for line in missing)
    measured = measure_folder(made.folder, sources)
    assert measured.mrenclave is None
    assert "incomplete" in measured.why


def test_another_python_builds_nothing(monkeypatch):
    monkeypatch.setattr(interpreter, "PYTHON", "3.99")
    refuse(StorageError, "PYTHON", interpreter.require_python, "3.99")


# Packages


def test_a_modified_package_is_not_built_in(tmp_path, monkeypatch):
    site = tmp_path / "site"
    copied = Path(next(iter(package_files([installed("h11")], ""))).origin).parents[1]
    shutil.copytree(copied / "h11", site / "h11")
    (record,) = copied.glob("h11-*.dist-info")
    shutil.copytree(record, site / record.name)
    monkeypatch.syspath_prepend(str(site))
    assert not next(iter(package_files([installed("h11")], ""))).origin.is_relative_to(site)  # sys.path does not count
    monkeypatch.setattr(distributions, "site_folders", lambda: [str(site)])
    copy_all(package_files([installed("h11")], "x"), tmp_path / "good")
    with (site / "h11/_util.py").open("a") as file:
        file.write("#")
    refuse(
        StorageError,
        "TREE_FILE",
        lambda: copy_all(package_files([installed("h11")], "x"), tmp_path / "bad"),
        "the wheel of h11",
    )
    text = (site / record.name / "RECORD").read_text()
    (site / record.name / "RECORD").write_text(text.replace("h11/_util.py,sha256=", "h11/_util.py,md5="))
    refuse(StorageError, "PACKAGE_RECORD", lambda: list(package_files([installed("h11")], "x")), "h11/_util.py")


@pytest.mark.parametrize(
    "path",
    [
        "h11/../../../../code/enclave/extra.py",
        "/tmp/extra.py",
        'h11/a".py',
        "h11/a\tb.py",
        "sitecustomize.py",
        "usercustomize/__init__.py",
        "h11.pth",
    ],
)
def test_a_record_that_names_what_must_not_be_in_a_tree(tmp_path, monkeypatch, path):
    folder = tmp_path / "h11-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: h11\nVersion: 1.0\n")
    quoted = path.replace('"', '""')
    (folder / "RECORD").write_text(f'"{quoted}",sha256={"A" * 43},1\n')
    monkeypatch.setattr(distributions, "site_folders", lambda: [str(tmp_path)])
    pins = [Pin("h11", "1.0", frozenset())]
    refuse(StorageError, "PACKAGE_RECORD", lambda: list(package_files(pins, "x")), "lists")


def test_a_lock_that_lists_the_stand_in_is_refused(sources, tmp_path):
    root = tmp_path / "sources"
    shutil.copytree(sources, root)
    locked = root / "manifests/small/trusted-files.lock"
    line = f"{hashlib.sha256(b'').hexdigest()}  enclave/stand_in.py\n"
    locked.write_text("".join(sorted([*locked.read_text().splitlines(True), line], key=lambda text: text[66:])))
    refuse(
        AttestationError,
        "TRUSTED_FILES",
        lambda: build_profile(root, "small", tmp_path / "out", simulated=False, gramine=None),
        "enclave/stand_in.py",
    )


def test_every_account_may_read_a_build(sources, tmp_path):
    before = os.umask(0o077)
    try:
        folder = build_profile(sources, "small", tmp_path, simulated=False, gramine=None).folder
    finally:
        os.umask(before)
    found = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}
    assert found == {(True, 0o755), (False, 0o644), (False, 0o755)}
    assert (folder / "tree" / EXECUTABLE).stat().st_mode & 0o777 == 0o755


def installed(name):
    from importlib.metadata import version

    return Pin(name, version(name), frozenset())


def test_packages_that_are_not_installed_as_pinned():
    refuse(StorageError, "PACKAGE_MISSING", lambda: list(package_files([Pin("h11", "0.0", frozenset())], "")), "0.0")
    absent = Pin("no-such-package", "1", frozenset())
    refuse(StorageError, "PACKAGE_MISSING", lambda: list(package_files([absent], "")), "not installed")


def test_two_files_cannot_be_one(tmp_path):
    (tmp_path / "a").write_text("")
    twice = [Source("x", tmp_path / "a"), Source("x", tmp_path / "a")]
    refuse(StorageError, "TREE_FILE", lambda: copy_all(twice, tmp_path / "tree"))
    refuse(StorageError, "TREE_FILE", lambda: copy_all([Source("y", tmp_path / "b")], tmp_path / "tree"), "cannot")


def test_a_source_that_does_not_compile(tmp_path):
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/bad.py").write_text("def\n")
    refuse(
        StorageError,
        "COMPILE",
        lambda: compile_tree(tmp_path, interpreter.base_executable(), mounted=MOUNTED, keep="sealroom/code"),
        "/usr/bad.py",
    )


# Shared objects


def test_needs_of_a_program_are_those_that_the_loader_sees():
    found = needed(interpreter.base_executable())
    assert "libc.so.6" in found
    seen = subprocess.run(
        ["ldd", str(interpreter.base_executable())], capture_output=True, text=True, check=True
    ).stdout
    assert all(name in seen for name in found)


def test_files_that_are_no_programs(tmp_path):
    for data in (b"", b"text", b"\x7fELF\x02\x01\x01" + b"\0" * 10, b"\x7fELF\x01\x01\x01" + b"\0" * 60):
        (tmp_path / "x.so").write_bytes(data)
        refuse(StorageError, "ELF", lambda: needed(tmp_path / "x.so"), "x.so")
    assert not is_elf(tmp_path / "x.so")


def test_every_cut_of_a_shared_object_is_an_answer_or_an_error(tmp_path):
    import _ssl

    whole = Path(_ssl.__file__).read_bytes()
    answers = set()
    for size in range(1, len(whole), max(1, len(whole) // 97)):
        (tmp_path / "cut.so").write_bytes(whole[:size])
        try:
            answers.add(needed(tmp_path / "cut.so"))
        except StorageError as error:
            assert error.code == "ELF"
    assert answers <= {(), needed(Path(_ssl.__file__))}


def test_a_library_that_is_nowhere(tmp_path):
    import _ssl

    shutil.copyfile(_ssl.__file__, tmp_path / "_ssl.so")
    refuse(StorageError, "LIBRARY_MISSING", lambda: find_libraries(tmp_path, [tmp_path]), "is in none of")


def test_gramine_is_found_by_its_folder_or_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_gramine(None) is None
    stand_in(tmp_path)
    wanted = tmp_path / "lib/x86_64-linux-gnu/gramine"
    assert find_gramine(tmp_path) == find_gramine(wanted) == Gramine(wanted / "libsysdb.so", wanted / "runtime/glibc")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/gramine-direct"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_gramine(None) == find_gramine(tmp_path)
    (wanted / "libsysdb.so").unlink()
    refuse(StorageError, "GRAMINE", lambda: find_gramine(None))


# Measurements


def test_an_altered_tree_is_not_measured(builds, sources, tmp_path):
    folder = tmp_path / "small"
    shutil.copytree(builds[0].folder, folder)
    (folder / "tree/sealroom/code/enclave/more.py").write_text("")
    refuse(StorageError, "BUILD", lambda: measure_folder(folder, sources), "enclave/more.py")
    (tmp_path / "empty/small").mkdir(parents=True)
    refuse(StorageError, "BUILD", lambda: measure_folder(tmp_path / "empty/small", sources), "no build")
    refuse(AttestationError, "PROFILE", lambda: measure_folder(tmp_path, sources))


def test_an_altered_manifest_is_not_measured(builds, sources, tmp_path):
    folder = tmp_path / "small"
    shutil.copytree(builds[0].folder, folder)
    files = measure_folder(folder, sources).files
    manifest = (folder / "enclave.manifest").read_text()
    (folder / "enclave.manifest").write_text(manifest.replace("debug = false", "debug = true"))
    refuse(StorageError, "BUILD", lambda: measure_folder(folder, sources), "enclave.manifest")
    assert measure.digest_build(folder) != files
    (folder / "enclave.manifest").write_text(manifest)
    assert measure_folder(folder, sources).files == files
    (folder / f"tree/{LIBOS}").unlink()
    lines = [line for line in (folder / TREE_LOCK).read_text().splitlines(True) if LIBOS not in line]
    (folder / TREE_LOCK).write_text("".join(lines))
    refuse(StorageError, "BUILD", lambda: measure_folder(folder, sources), "enclave.manifest")


def test_without_the_tools_there_is_no_mrenclave(builds, sources, monkeypatch):
    monkeypatch.setenv("PATH", "")
    measured = measure_folder(builds[0].folder, sources)
    assert measured.mrenclave is None
    assert SIGNER in measured.why
    shell = "(cat tree.lock; sha256sum enclave.manifest) | sha256sum"
    said = subprocess.run(
        ["/bin/sh", "-c", f"PATH=/usr/bin:/bin; {shell}"], cwd=builds[0].folder, capture_output=True, check=True
    )
    assert measured.files == said.stdout.decode().split()[0]


SIGNING = """#!{python}
import sys
place = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert b"BEGIN RSA PRIVATE KEY" in open(place["--key"], "rb").read()
assert open(place["--manifest"]).read()
open(place["--sigfile"], "wb").write(bytes(960) + bytes.fromhex("ab" * 32) + bytes({rest}))
"""


@pytest.fixture
def signer(tmp_path, monkeypatch):
    """A tool that is called as Gramine's and answers as it does."""

    def make(rest=1808 - 992):
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        (folder / SIGNER).write_text(SIGNING.format(python=sys.executable, rest=rest))
        (folder / SIGNER).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return make


def test_the_measurement_is_read_from_the_signature_structure(builds, sources, signer):
    signer()
    assert measure_folder(builds[0].folder, sources).mrenclave == "ab" * 32
    signer(rest=7)
    refuse(StorageError, "MEASURE", lambda: measure_folder(builds[0].folder, sources), SIGNER)


@pytest.mark.skipif(shutil.which(SIGNER) is None, reason=f"{SIGNER} is not on the PATH")
def test_two_builds_have_one_mrenclave(builds, sources):
    one, two = (measure_folder(build.folder, sources).mrenclave for build in builds)
    assert one == two
    assert one is not None


@pytest.mark.skipif(shutil.which("gramine-direct") is None, reason="gramine-direct is not on the PATH")
def test_a_build_runs_under_gramine(builds):
    command = ["gramine-direct", "enclave"]
    ran = subprocess.run(command, cwd=builds[0].folder, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "OpenSSL" in ran.stdout


# Commands


@pytest.fixture
def project(sources, monkeypatch):
    monkeypatch.setattr("attestation.policy.manifests_folder", lambda: sources / "manifests")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_the_command_compares_with_what_is_endorsed(builds, project, signer):
    signer()
    folder = str(builds[0].folder)
    answer = json.loads(run("measure", folder, "--endorsed", "ab" * 32, "--json").stdout)
    assert (answer["mrenclave"], answer["endorsed"]) == ("ab" * 32, True)
    refused = run("measure", folder, "--endorsed", "cd" * 32, "--json")
    assert refused.exit_code == 5
    assert json.loads(refused.stdout)["endorsed"] is False
    assert json.loads(run("measure", folder, "--json").stdout)["endorsed"] is None
    assert run("measure", folder, "--endorsed", "AB" * 32).exit_code == 2
    assert "ab" * 32 in run("measure", folder).stdout


def test_the_command_compares_with_pins(builds, project, signer, tmp_path):
    signer()
    pins = tmp_path / "trust.toml"
    pins.write_text(f'[[measurements]]\nprofile = "small"\nmeasurement = "{"ab" * 32}"\n')
    assert json.loads(run("measure", str(builds[0].folder), "--trust", str(pins), "--json").stdout)["endorsed"] is True
    pins.write_text(pins.read_text().replace("small", "other"))
    found = run("measure", str(builds[0].folder), "--trust", str(pins))
    assert isinstance(found.exception, AttestationError)
    assert found.exception.code == "MEASUREMENT_UNPINNED"


def test_without_the_tools_nothing_counts_as_endorsed(builds, project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    refused = run("measure", str(builds[0].folder), "--endorsed", "ab" * 32, "--json")
    answer = json.loads(refused.stdout)
    assert (refused.exit_code, answer["mrenclave"], answer["endorsed"]) == (5, None, None)
    assert SIGNER in answer["verdict"]
    assert run("measure", str(builds[0].folder)).exit_code == 0


def test_the_command_builds(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    made = json.loads(run("build", "small", "--out", str(tmp_path / "out"), "--json").stdout)
    assert made["complete"] is False
    assert made["files_digest"] == measure.digest_build(tmp_path / "out/small")
    said = run("build", "small", "--out", str(tmp_path / "out"), "--simulated")
    assert "INCOMPLETE" in said.output
    assert "SIMULATED" in said.output
