"""Molecules at their owner's: read, standardised and turned into columns of numbers, bits and digests with RDKit.

RDKit reads formats that anybody may have written. It runs here, on the owner's own file, and nowhere else: what is
sealed are the columns. ``structure``, ``descriptors`` and ``alerts`` import it; nothing imports them before a molecule
is to be read, for it is an optional part of the installation.
"""
