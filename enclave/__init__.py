"""All that is measured: the program that runs inside an enclave. ``python -I -m enclave`` is its only entry.

``session`` is the way of a run, ``custody`` and ``receipt`` its signed edges, ``relay`` the host as seen from inside,
``analyses`` what can be computed, ``disclosure`` the gate that every output passes.
"""

__all__: list[str] = []
