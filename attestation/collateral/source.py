"""Sources of collateral for a quote: a bundle of files, offline, or a PCCS with a cache.

A source that is down, slow, cut, wrong or stale is a coded error where nothing valid is kept. Where something is, that
goes on serving, and a warning and ``PccsSource.status`` say that the refresh failed.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from attestation.collateral.cache import Cache
from attestation.collateral.client import PccsClient
from attestation.collateral.items import (
    DEFAULT_AGES,
    KINDS,
    ItemKind,
    PlatformCertificates,
    Vetted,
    assemble,
    read_platform,
    require_current,
    require_not_back,
    vet,
)
from attestation.endorsements import Endorsements, collateral_from_json, read_endorsements
from attestation.policy import CollateralAge
from protocol.documents import Collateral
from protocol.errors import AttestationError, StorageError, TransportError
from protocol.types import format_time

__all__ = ["BundledSource", "CollateralSource", "ItemStatus", "PccsSource"]

_log = logging.getLogger(__name__)
MAX_FILE: Final = 2_097_152
REFRESH_PERCENT: Final = 25
"""An item is fetched anew when less than so much of its life is left: a week of Intel's 30 days."""
PAUSE: Final = 300.0
"""Seconds for which a valid item serves before its refresh is tried again."""


class CollateralSource(Protocol):
    """Whatever gives the collateral to judge a quote with."""

    def collateral(self, quote: bytes, at: datetime) -> Collateral:
        """Return collateral for the platform of a quote, to be used at a time; raise a ``SealroomError`` for none."""


class BundledSource:
    """Collateral that is at hand: one, or a folder of files ``*.json`` of which those for the quote's platform count.

    The folder is read anew each time. Dates are not looked at but to choose: the one that runs out last is given.
    """

    def __init__(self, bundled: Collateral | Path) -> None:
        self._bundled = bundled

    def collateral(self, quote: bytes, at: datetime) -> Collateral:
        """Return what is there for the quote's platform.

        Raises
        ------
        AttestationError
            ``COLLATERAL_MISSING`` where there is none; ``COLLATERAL_FORMAT`` where a file is no collateral.
        StorageError
            ``COLLATERAL_FILE`` where a file cannot be read or is too long.
        """
        del at
        platform = read_platform(quote)
        found = []
        for collateral in self._all():
            endorsements = read_endorsements(collateral)
            if _is_for(endorsements, platform):
                found.append((endorsements.expires, collateral))
        if not found:
            raise AttestationError(
                "COLLATERAL_MISSING",
                f"No collateral for FMSPC {platform.pck.fmspc.hex()} under the quote's root is at hand. Fetch it with "
                "`sealroom collateral fetch`.",
            )
        return max(found, key=lambda pair: pair[0])[1]

    def _all(self) -> list[Collateral]:
        if isinstance(self._bundled, Collateral):
            return [self._bundled]
        return [collateral_from_json(_read(path)) for path in sorted(self._bundled.glob("*.json"))]


@dataclass(frozen=True, slots=True)
class ItemStatus:
    """How an item stands: until when the one in use is valid, and what its last refresh failed with, if it did."""

    key: str
    until: datetime | None
    number: int | None
    failure: str


class PccsSource:
    """Items of a PCCS or PCS, kept in a cache and refreshed ahead of their end. Safe for several threads.

    One item is fetched by one thread at a time; the others get what is valid, or wait where nothing is.

    Parameters
    ----------
    ages
        How old each item may be, as the appraisal policy's ``collateral_age_days``.
    refresh_percent
        How much of an item's life is left when it is fetched anew, 0 to 99; ``REFRESH_PERCENT``.
    pause
        Seconds between two tries to refresh while a valid item serves; ``PAUSE``.
    """

    def __init__(
        self,
        client: PccsClient,
        cache: Cache,
        *,
        ages: CollateralAge = DEFAULT_AGES,
        refresh_percent: int = REFRESH_PERCENT,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cache = cache
        self._ages = ages
        self._refresh_percent = refresh_percent
        self._pause = pause
        self._clock = clock
        self._locks: dict[str, threading.Lock] = {}
        self._tried: dict[str, float] = {}
        self._down_since = -pause
        self._status: dict[str, ItemStatus] = {}

    def collateral(self, quote: bytes, at: datetime) -> Collateral:
        """Return collateral for the platform of a quote, each item of which is authentic and current at ``at``.

        Raises
        ------
        AttestationError
            What ``items.read_platform`` finds wrong with the quote; what ``items.vet`` and the like find wrong with an
            item, where no valid one is kept.
        TransportError
            ``COLLATERAL_*`` of the client, where no valid item is kept.
        """
        platform = read_platform(quote)
        return assemble(*(self._item(kind, platform, at) for kind in KINDS))

    def status(self) -> tuple[ItemStatus, ...]:
        """Return how every item stands that was asked for since the start."""
        return tuple(self._status[key] for key in sorted(self._status))

    def _item(self, kind: ItemKind, platform: PlatformCertificates, at: datetime) -> Vetted:
        key = platform.key(kind)
        current = self._current(self._kept(key, platform, at), at)
        if current is not None and not self._is_due(key, current, at):
            return current
        lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(blocking=current is None):
            assert current is not None  # noqa: S101 - for the type checker: a lock that is waited for is got
            return current
        try:
            kept = self._kept(key, platform, at)  # another thread may have been first
            current = self._current(kept, at)
            if current is not None and not self._is_due(key, current, at):
                return current
            return self._refresh(kind, platform, kept, current, at)
        finally:
            lock.release()

    def _refresh(
        self, kind: ItemKind, platform: PlatformCertificates, kept: Vetted | None, current: Vetted | None, at: datetime
    ) -> Vetted:
        key = platform.key(kind)
        self._tried[key] = self._clock()
        try:
            found = vet(self._client.fetch(kind, platform), platform, at)
            require_current(found, self._ages, at)
            require_not_back(kept, found)
        except (TransportError, AttestationError) as error:
            self._note(key, current, error.code)
            if isinstance(error, TransportError):
                self._down_since = self._clock()
            if current is None:
                raise type(error)(error.code, f"{error.detail} No valid {kind} is kept from before.") from error
            end = format_time(current.end(self._ages))
            _log.warning("collateral %s was not refreshed, the kept item serves until %s: %s", key, end, error)
            return current
        self._note(key, found, "")
        self._cache.put(key, found.item)
        return found

    def _kept(self, key: str, platform: PlatformCertificates, at: datetime) -> Vetted | None:
        """Return what is kept where it is authentic; it may be out of date, and is then known by its number."""
        item = self._cache.get(key)
        if item is None:
            return None
        try:
            return vet(item, platform, at)
        except AttestationError as error:
            _log.warning("the kept collateral %s is left out: %s", key, error)
            return None

    def _current(self, kept: Vetted | None, at: datetime) -> Vetted | None:
        if kept is None:
            return None
        try:
            require_current(kept, self._ages, at)
        except AttestationError:
            return None
        return kept

    def _is_due(self, key: str, current: Vetted, at: datetime) -> bool:
        """Whether the end is near and neither this item nor the whole source was tried just now."""
        end, issued = current.end(self._ages), current.facts.issued
        if (end - at) * 100 >= (end - issued) * self._refresh_percent:
            self._note(key, current, "")
            return False
        now = self._clock()
        return now >= max(self._tried.get(key, self._down_since), self._down_since) + self._pause

    def _note(self, key: str, used: Vetted | None, failure: str) -> None:
        until = None if used is None else used.end(self._ages)
        self._status[key] = ItemStatus(key, until, None if used is None else used.number, failure)


def _is_for(endorsements: Endorsements, platform: PlatformCertificates) -> bool:
    about = (endorsements.fmspc, endorsements.pce_id, endorsements.crl_chain)
    return about == (platform.pck.fmspc, platform.pck.pce_id, (platform.der.intermediate, platform.der.root))


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        raise StorageError("COLLATERAL_FILE", f"The collateral in {path} cannot be read.") from error
    if len(text) > MAX_FILE:
        raise StorageError("COLLATERAL_FILE", f"The collateral in {path} is longer than {MAX_FILE} characters.")
    return text
