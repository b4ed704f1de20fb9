import pytest

from protocol.errors import StorageError
from sealroom.demo.command import MARK, _fresh


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
