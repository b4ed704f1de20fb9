"""The operator's side: takes in documents and sealed bytes, hands out runs, never sees plain data.

``python -m broker`` starts it. ``broker.host`` is the program on the enclave's machine and imports nothing of the rest.
"""

__all__: list[str] = []
