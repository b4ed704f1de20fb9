"""The HTTP interface under /v1: one module for each resource, listed in docs/interfaces.md."""
