"""Analyses of the discovery profile, a module or a folder each."""
