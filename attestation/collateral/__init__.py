"""Where collateral comes from: a bundle of files, or a PCCS or PCS with a cache of what it gave.

Items are fetched, vetted under the certificates in the quote, and kept, each for itself. What is vetted here is judged
again by whoever appraises: a source can only fail to give, never make evidence look better than it is.
"""

__all__ = ["cache", "client", "items", "source"]
