"""The program on the enclave's machine: claims runs, starts an enclave for each, relays its bytes, knows nothing.

It imports nothing else of the broker. ``python -m broker.host`` starts it.
"""
