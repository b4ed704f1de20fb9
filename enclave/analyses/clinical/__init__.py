"""Analyses of the clinical profile, a module or a folder each."""
