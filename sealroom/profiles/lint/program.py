"""Checks of how the program starts: whether its arguments and variables make it take code from the host."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

from sealroom.profiles.lint.manifest import Manifest, full, shown
from sealroom.profiles.lint.paths import covers, normal
from sealroom.profiles.lint.rules import RULES, Finding

__all__ = ["check_program"]

_PYTHON: Final = re.compile(r"(python|pypy)[-_.0-9a-z]*")
_OTHER: Final = re.compile(
    r"(ba|da|a|z|k|mk|pdk|lk|ya|c|tc|fi|x|nu|pw|el|rba|jimtcl)?sh|perl|ruby|irb|jruby|node|nodejs|deno|bun|qjs|d8|lua|luajit"
    r"|texlua|[Rr]|[Rr]script|littler|php|php-?cgi|tclsh|wish|expect|guile|gosh|racket|scheme|sbcl|clisp|ecl|emacs|julia"
    r"|octave|octave-cli|scilab|maxima|gp|sage|ipython|bpython|ptpython|xonsh|jshell|groovy|groovysh|scala|kotlin"
    r"|elixir|iex|erl|escript|ghci|runghc|ocaml|utop|swipl|gdb|lldb|vim|ed|m4|bc|dc|awk|gawk|mawk|nawk|psql|sqlite|duckdb"
)
_VERSION: Final = re.compile(r"[-0-9.]*$")
_STARTER: Final = re.compile(
    r"env|busybox|toybox|nice|nohup|setsid|timeout|stdbuf|setarch|chroot|unshare|taskset|numactl|xargs|parallel|tini"
    r"|dumb-init|uv|uvx|pipx|npx|conda|poetry|ld\.so|ld-(linux|musl)[-_.a-z0-9]*"
)
"""Programs that start another: their arguments say which, and with which variables."""
_READ: Final = {"-", "-i", "-c"}
_FLAGS: Final = frozenset("bBdEIOPqRsSuvx")
"""Options of Python that take no value and leave what is run alone."""
_WITH_VALUE: Final = frozenset("WX")
_READERS: Final = {
    *("asyncio", "bdb", "bpython", "cProfile", "code", "doctest", "idlelib", "jupyter", "jupyter_core", "notebook"),
    *("IPython", "pdb", "pip", "profile", "ptpython", "runpy", "sqlite3", "timeit", "trace", "ipykernel"),
}
"""Modules of Python that run what they are given, or read it."""
_STREAMS: Final = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/console", "/dev/fd", "/proc")

_CODE: Final = re.compile(
    r"LD_(?!LIBRARY_PATH$).*|GCONV_PATH|LOCPATH|OPENSSL_(CONF|MODULES|ENGINES)|BASH_ENV|BASH_FUNC_.*|ENV|SHELLOPTS|BASHOPTS|PS[0-4]"
    r"|PROMPT_COMMAND|ZDOTDIR|PYTHON(INSPECT|STARTUP|BREAKPOINT|WARNINGS)|PERL(5OPT|5LIB|5DB|LIB|IO)|NODE_(OPTIONS|PATH|REPL_.*)"
    r"|RUBY(OPT|LIB|SHELL)|GEM_(HOME|PATH)|BUNDLE_GEMFILE|LUA_(INIT|PATH|CPATH)(_[0-9_]+)?|R_(HOME|PROFILE|ENVIRON|LIBS|DEFAULT_PACKAGES)"
    r"|R_(PROFILE|ENVIRON|LIBS)_(USER|SITE)|(JAVA_TOOL|_JAVA|JDK_JAVA)_OPTIONS|CLASSPATH|PHPRC|PHP_INI_SCAN_DIR|TCLLIBPATH|TCL_LIBRARY"
    r"|JULIA_(LOAD_PATH|DEPOT_PATH|PROJECT|BINDIR)|GUILE_(LOAD|LOAD_COMPILED|EXTENSIONS)_PATH|ERL_.*FLAGS|OCTAVE_.*|MALLOC_TRACE"
)
"""Variables that name code to load or run, or a file that does."""
_ISOLATED: Final = re.compile(r"PYTHON(HOME|PATH|USERBASE|PLATLIBDIR|PYCACHEPREFIX|EXECUTABLE)")
"""Variables that say where Python's code lies, of which it takes no notice with ``-I`` or ``-E``."""


def check_program(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is wrong with the arguments and the variables that the program starts with."""
    yield from _arguments(manifest)
    entrypoint = manifest.get("libos.entrypoint")
    python = isinstance(entrypoint, str) and _is_python(_name(entrypoint))
    isolated = python and bool({"I", "E"} & _python(_words(manifest)[1:])[1])
    for name, value in manifest.table("loader.env").items():
        where = f"loader.env.{name}"
        if isinstance(value, dict) and value.get("passthrough") is not None:
            yield Finding(RULES["ENV_PASSTHROUGH"], where, shown(value["passthrough"]))
        # A variable is handed over as NAME=VALUE: a name with = in it is another variable.
        variable = name.partition("=")[0]
        if _CODE.fullmatch(variable) or (_ISOLATED.fullmatch(variable) and not isolated):
            yield Finding(RULES["ENV_CODE"], where, full(value.get("value") if isinstance(value, dict) else value))


def _words(manifest: Manifest) -> list[str]:
    return [word for _, word in manifest.items("loader.argv") if isinstance(word, str)]


def _arguments(manifest: Manifest) -> Iterator[Finding]:
    words = _words(manifest)
    if not manifest.items("loader.argv"):
        yield Finding(RULES["ARGV_MISSING"], "loader.argv", shown(manifest.get("loader.argv")))
        return
    entrypoint, start = manifest.get("libos.entrypoint"), manifest.get("fs.start_dir")
    names = [_name(word) for word in (entrypoint, *words[:1]) if isinstance(word, str)]
    starter = next((name for name in names if _STARTER.fullmatch(name)), None)
    python, other = any(map(_is_python, names)), any(map(_is_other, names))
    if starter is None and not (python or other):
        return
    arguments, folder = words[1:], posixpath.join("/", start if isinstance(start, str) else "")
    reads = starter or next((word for word in arguments if word in _READ or _is_stream(word, folder)), None)
    if reads is None and python:
        reads = _python(arguments)[0]
    if reads is None and other:
        reads = _first(arguments, names)
    if reads is not None:
        yield Finding(RULES["ARGV_INPUT"], "loader.argv", shown(reads) if reads else "no script and no module")


def _name(word: str) -> str:
    return posixpath.basename(normal(word))


def _is_python(name: str) -> bool:
    return _PYTHON.fullmatch(name) is not None


def _is_other(name: str) -> bool:
    return any(_OTHER.fullmatch(one) for one in (name, _VERSION.sub("", name)))


def _is_stream(word: str, folder: str) -> bool:
    """Say whether an argument is, or holds behind an option or a scheme, a file that the host writes as it likes."""
    parts = (word, word[2:], *re.split(r"[=:,;]", word))
    return any(covers(stream, normal(posixpath.join(folder, part))) for part in parts if part for stream in _STREAMS)


def _python(arguments: Sequence[str]) -> tuple[str | None, set[str]]:
    """Return why Python would take its program from elsewhere ("" where nothing is named), and the flags before it."""
    flags: set[str] = set()
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-"):
            return (None if word else ""), flags
        for at, letter in enumerate(word[1:], 1):
            if letter in _FLAGS:
                flags.add(letter)
                continue
            value = word[at + 1 :] or next(rest, "")
            if letter == "m":
                return (None if value and value.split(".", 1)[0] not in _READERS else f"-m {value}"), flags
            if letter not in _WITH_VALUE:
                return word, flags
            break
    return "", flags


def _first(arguments: Sequence[str], names: Sequence[str]) -> str | None:
    """Return what stands where another interpreter's script ought to, or None where there is one."""
    if "R" in names:  # takes no notice of a script without an option
        return None if any(re.fullmatch(r"--file=[^-].*", word) for word in arguments) else ""
    first = arguments[0] if arguments else ""
    return first if not first or first[0] in "-+" else None
