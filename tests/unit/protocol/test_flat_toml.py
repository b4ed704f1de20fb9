"""What the scan finds; the many ways to hide depth are tried in tests/unit/sealroom/test_toml_bounds.py."""

import pytest

from protocol.errors import DocumentError
from protocol.flat_toml import MAX_TOML_DEPTH, load_flat_toml


def test_flat_toml_is_read():
    assert load_flat_toml('a = ["[", 1]\n[b]\nc = { d = true }', where="x") == {"a": ["[", 1], "b": {"c": {"d": True}}}


@pytest.mark.parametrize(
    "deep",
    ["x = " + "[" * (MAX_TOML_DEPTH + 1), "x = " + "[{x = " * MAX_TOML_DEPTH, ".".join("x" * 20) + " = 1"],
)
def test_what_is_deep_is_refused_with_its_line(deep):
    with pytest.raises(DocumentError, match=r"the policy: line 3: found 16 or more") as caught:
        load_flat_toml("a = '''[[[\n'''\n" + deep, where="the policy")
    assert caught.value.code == "TOML_DEPTH"


def test_as_deep_as_it_may_be():
    deepest = "[" * MAX_TOML_DEPTH + "]" * MAX_TOML_DEPTH
    assert load_flat_toml(f"x = {deepest}", where="x")["x"]


@pytest.mark.parametrize("text", ["x", "= 1", "x = 1]", "x = 'a"])
def test_what_is_no_toml_is_refused(text):
    with pytest.raises(DocumentError, match=r"^TOML: the file: .*(line 1|end of document)") as caught:
        load_flat_toml(text, where="the file")
    assert caught.value.code == "TOML"
