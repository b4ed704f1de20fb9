"""What parties say to each other: documents, canonical bytes, signatures, sealed container, canonical layout.

No network, no clock, no pandas.
"""
