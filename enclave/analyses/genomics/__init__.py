"""Analyses of the genomics profile, a module or a folder each."""
