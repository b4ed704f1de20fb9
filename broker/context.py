"""What every route works with: one object, made when the application is made."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from starlette.requests import Request

from broker.settings import Settings
from broker.storage import Database, ObjectStore
from broker.uploads import UploadSlots
from custodian import Custodian

__all__ = ["Broker", "broker_of", "system_time"]


@dataclass(frozen=True, slots=True)
class Broker:
    """Settings, storage, the embedded custodian, the secrets of invitation and hosts, and the clock."""

    settings: Settings
    database: Database
    objects: ObjectStore
    custodian: Custodian
    uploads: UploadSlots
    invite: str
    host_token: str
    public_url: str
    now: Callable[[], datetime]


def broker_of(request: Request) -> Broker:
    """Return the broker that serves a request."""
    return cast(Broker, request.app.state.broker)


def system_time() -> datetime:
    """Return the time of the system's clock."""
    return datetime.now(UTC)
