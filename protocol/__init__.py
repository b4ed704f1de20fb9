"""What parties say to each other: documents, canonical bytes, signatures, sealed container, canonical layout.

No network, no clock, no pandas.
"""

__all__ = [
    "canonical",
    "catalogue",
    "commitment",
    "container",
    "documents",
    "dsse",
    "errors",
    "governance",
    "hpke",
    "keyfile",
    "layout",
    "padding",
    "presets",
    "types",
]
