"""Builds of enclave profiles: a slim file tree, its lock and its Gramine manifest, which anyone can make again."""

from sealroom.profiles.build import Build, build_profile

__all__ = ["Build", "build_profile"]
