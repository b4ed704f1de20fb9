"""Scenes for the custodian's tests."""

from custody import make_scene, scene

__all__ = ["make_scene", "scene"]
