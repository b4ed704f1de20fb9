"""The studies that the demo can play, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sealroom.demo.cohorts import GENOMICS
from sealroom.demo.heart import CLINICAL
from sealroom.demo.lung import SURVIVAL
from sealroom.demo.solubility import DISCOVERY
from sealroom.demo.study import DemoStudy

__all__ = ["STUDIES"]

STUDIES: Final[Mapping[str, DemoStudy]] = MappingProxyType(
    {study.name: study for study in (SURVIVAL, CLINICAL, DISCOVERY, GENOMICS)}
)
