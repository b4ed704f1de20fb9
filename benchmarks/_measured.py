"""``python -I _measured.py LOG COMMAND ...`` runs a command and appends what it used to LOG, as a line of JSON.

Linux counts towards a process's peak what its parent held when it was started, so this parent imports next to nothing.
Input, folder and environment are passed on.
"""

import json
import os
import sys


def main(log: str, *command: str) -> int:
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    line = {"seconds": used.ru_utime + used.ru_stime, "peak_kib": used.ru_maxrss}
    with open(log, "a", encoding="utf-8") as sink:  # noqa: PTH123 - pathlib is a third of a small interpreter
        sink.write(json.dumps(line) + "\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
