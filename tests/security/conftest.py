"""Scenes for the custodian's tests, hosts for the enclave's."""

from custody import make_scene, scene
from hostile_host import host, make_host

__all__ = ["host", "make_host", "make_scene", "scene"]
