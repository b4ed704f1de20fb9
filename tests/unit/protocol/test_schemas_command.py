import subprocess
import sys

from protocol.schemas import main, schema_files


def test_written_files_compare_equal_and_changed_ones_do_not(tmp_path, capsys):
    folder = tmp_path / "docs" / "schemas"
    assert main(["--folder", str(folder)]) == 1
    assert capsys.readouterr().err.count("run python -m protocol.schemas --write") == len(schema_files())
    assert main(["--write", "--folder", str(folder)]) == 0
    assert main(["--folder", str(folder)]) == 0
    (folder / "contract.json").write_text("{}", encoding="utf-8")
    (folder / "left-over.json").write_text("{}", encoding="utf-8")
    assert main(["--folder", str(folder)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["contract.json", "left-over.json"]


def test_it_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "protocol.schemas", "--write", "--folder", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == schema_files()
