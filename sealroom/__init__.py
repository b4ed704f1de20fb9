"""The partner's side: checking, sealing, proposing, approving, verifying, opening.

``Client`` is the SDK; the command ``sealroom`` does the same from a shell. Both load what they use when they use it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported when first asked for: the command line stays quick
    from sealroom.client import Client
    from sealroom.results import Result
    from sealroom.trust import Trust, load_trust

__all__ = ["Client", "Result", "Trust", "load_trust"]

_HOME = {
    "Client": "sealroom.client",
    "Result": "sealroom.results",
    "Trust": "sealroom.trust",
    "load_trust": "sealroom.trust",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOME:
        raise AttributeError(f"module sealroom has no attribute {name}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
