"""Genotypes at the owner's: .bed, .pgen and VCF to the .bed bytes and the catalogue of variants that are sealed.

Every reader streams: it holds the samples' names and a block of variants, however many variants there are.
"""
