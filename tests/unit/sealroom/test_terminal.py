"""What a person at a terminal is asked; a real pseudo-terminal."""

import os
import pty
import select
import sys
import time

import factories

from attestation.policy import manifests_folder
from sealroom.trust import load_trust


class Terminal:
    """``sealroom ARGUMENTS`` with a controlling terminal."""

    def __init__(self, *arguments: object, home: object) -> None:
        pid, self.descriptor = pty.fork()
        if pid == 0:
            os.environ["SEALROOM_HOME"] = str(home)
            os.environ.pop("SEALROOM_PASSPHRASE_FILE", None)
            os.execv(sys.executable, [sys.executable, "-m", "sealroom", *map(str, arguments)])
        self.pid = pid
        self.shown = ""

    def expect(self, words: str) -> None:
        end = time.monotonic() + 60
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            self._read()

    def type(self, text: str) -> None:
        # A passphrase prompt throws away what was typed before it turned the echo off.
        time.sleep(0.2)
        os.write(self.descriptor, (text + "\n").encode())

    def end(self) -> int:
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], 60)
        assert ready, self.shown
        try:
            data = os.read(self.descriptor, 4096)
        except OSError:  # the other side closed
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


def test_a_new_passphrase_is_asked_for_twice_and_never_shown(tmp_path):
    home = tmp_path / "home"
    making = ("institution", "init", "--short", "a", "--name", "A")
    terminal = Terminal(*making, home=home)
    terminal.expect("Passphrase:")
    terminal.type("correct horse battery")
    terminal.expect("The same again:")
    terminal.type("incorrect horse battery")
    assert terminal.end() == 6
    assert "differ" in terminal.shown
    assert not home.exists()
    terminal = Terminal(*making, home=home)
    terminal.expect("Passphrase:")
    terminal.type("correct horse battery")
    terminal.expect("The same again:")
    terminal.type("correct horse battery")
    assert terminal.end() == 0
    assert "horse" not in terminal.shown
    assert (home / "keys" / "root.key").is_file()


def test_an_answer_that_never_comes_is_a_problem_object(tmp_path):
    terminal = Terminal("institution", "init", "--short", "a", "--name", "A", "--json", home=tmp_path / "home")
    terminal.expect("Passphrase:")
    terminal.type("\x04")
    assert terminal.end() == 1
    assert '"code": "ABORTED"' in terminal.shown


def test_a_pin_is_asked_for(tmp_path):
    partner = tmp_path / "partner.json"
    partner.write_bytes(factories.make_study(owners=1).parties[0].institution.envelope.to_bytes())
    for answer, code in (("n", 6), ("", 6), ("yes", 0)):
        terminal = Terminal("trust", "add-institution", partner, home=tmp_path / "home")
        terminal.expect("[y/N]")
        terminal.type(answer)
        assert terminal.end() == code
        assert (tmp_path / "home" / "trust.toml").exists() == (code == 0)


def test_a_bar_is_shown_on_a_terminal(tmp_path):
    from partner_desk import Desk

    desk = Desk(tmp_path)
    terminal = Terminal("dataset", "check", desk.write_csv(), desk.schema(), home=tmp_path)
    assert terminal.end() == 0
    assert "Checking" in terminal.shown
    assert "4 rows match" in terminal.shown


def test_a_policy_that_accepts_more_is_asked_about(tmp_path):
    strict, loose = (manifests_folder() / name for name in ("appraisal.toml", "appraisal.simulated.toml"))
    assert Terminal("trust", "set-policy", strict, home=tmp_path).end() == 0
    for answer, code, simulation in (("n", 6, False), ("y", 0, True)):
        terminal = Terminal("trust", "set-policy", loose, home=tmp_path)
        terminal.expect("4 changes accept evidence that was refused. Set this policy?")
        assert "LOOSER: simulation: " in terminal.shown
        terminal.type(answer)
        assert terminal.end() == code
        assert load_trust(tmp_path / "trust.toml").policy().simulation == simulation
