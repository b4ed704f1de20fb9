"""docs/appraisal-policy.md says of every key what it stops and what to choose, and of no other."""

import re
from pathlib import Path

from attestation.policy import AppraisalPolicy, Masked
from protocol.types import Document

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "appraisal-policy.md").read_text("utf-8")


def leaves(kind):
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Document) and inner is not Masked:
            yield from leaves(inner)
        else:
            yield name


def test_every_key_has_its_row_and_no_other():
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [name for name, _stops, _choose in rows] == sorted_as_in_the_policy()
    assert all(len(stops) > 9 and choose.strip() for _name, stops, choose in rows)


def sorted_as_in_the_policy():
    tops = ["version", "simulation"]
    return tops + [name for name in leaves(AppraisalPolicy) if name not in tops]


def test_every_table_has_its_heading():
    for name, field in AppraisalPolicy.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Document):
            assert f"\n## `[{name}]`" in PAGE
