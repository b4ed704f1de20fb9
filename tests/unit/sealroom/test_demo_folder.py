import dataclasses

import pytest
import typer

from protocol.errors import StorageError
from sealroom.demo.command import MARK, _fresh, play_demo
from sealroom.demo.heart import CLINICAL
from sealroom.demo.script import steps
from sealroom.demo.studies import STUDIES


def test_a_new_folder_is_made_and_marked(tmp_path):
    folder = _fresh(tmp_path / "a" / "b")
    assert [path.name for path in folder.iterdir()] == [MARK]


def test_a_former_demo_is_emptied_and_links_are_not_followed(tmp_path):
    folder = _fresh(tmp_path / "demo")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    (folder / "a").mkdir()
    (folder / "a" / "file").write_text("old")
    (folder / "file").write_text("old")
    (folder / "link").symlink_to(outside)
    assert [path.name for path in _fresh(folder).iterdir()] == [MARK]
    assert (outside / "kept").read_text() == "mine"


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="FOLDER_IN_USE"):
        _fresh(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_emptying_that_was_interrupted_is_taken_up(tmp_path, monkeypatch):
    folder = _fresh(tmp_path / "demo")
    for name in ("a", "b", "c"):
        (folder / name).mkdir()

    def interrupted(_path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _fresh(folder)
    assert [path.name for path in _fresh(folder).iterdir()] == [MARK]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no readable file"),
        ("", "an empty file"),
        ("63.0,1.0\n", "other content in row 1"),
        ("63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,x\n", "other content in row 1"),
        ("63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,nan\n", "other content in row 1"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "no readable file"),
    ],
)
def test_files_that_are_not_the_archives_are_refused(tmp_path, content, found):
    if content is not None:
        (tmp_path / "processed.cleveland.data").write_text(content, "utf-8")
    with pytest.raises(StorageError, match=f"DATA_MISSING.*{found}.*wanted.*--data"):
        CLINICAL.require(tmp_path)


def test_data_that_is_missing_or_not_needed_is_said_before_anything_is_written(tmp_path):
    for study, data, code in (
        ("clinical", None, "DATA_MISSING: Found no --data"),
        ("survival", tmp_path, "DATA_SHIPPED"),
    ):
        with pytest.raises(StorageError, match=code):
            play_demo(study=study, data=data, out=tmp_path / "demo")
    assert list(tmp_path.iterdir()) == []


def test_every_kind_of_study_can_be_played():
    assert list(STUDIES) == ["survival", "clinical", "discovery", "genomics"]
    assert all(study.name == name for name, study in STUDIES.items())


def test_without_gramine_the_demo_says_so_and_ends_as_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(typer.Exit) as ended:
        play_demo(out=tmp_path / "demo", runtime="gramine-direct")
    assert ended.value.exit_code == 77
    assert "gramine-direct is not on the PATH" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_with_gramine_the_build_is_pinned_in_place_of_the_installed_files():
    played = dataclasses.replace(STUDIES["survival"], runtime="gramine-direct")
    lines = [line for step in steps(played) for line in step.lines]
    assert 'a trust add-measurement clinical --builds "$OPERATOR/enclaves"' in lines
    assert not any("--local" in line for line in lines)
