"""What the benchmark's host starts: the enclave, and afterwards one line with what it used, in the file that is named.

The host is told to start this in place of ``python -I -m enclave``. The enclave is a process of its own below it, with
the same standard input, folder and environment.
"""

import json
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    (log,) = arguments
    child = os.posix_spawn(sys.executable, [sys.executable, "-I", "-m", "enclave"], os.environ)
    _, status, used = os.wait4(child, 0)
    line = {"seconds": used.ru_utime + used.ru_stime, "peak_kib": used.ru_maxrss}
    with Path(log).open("a", encoding="utf-8") as sink:
        sink.write(json.dumps(line) + "\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
