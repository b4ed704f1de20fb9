"""What a broker is told when it starts: flags before environment before a TOML file. Nothing is read at import."""

import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from protocol.dsse import MAX_DOCUMENT
from protocol.errors import DocumentError

__all__ = ["ENVIRONMENT_PREFIX", "Limits", "Settings"]

ENVIRONMENT_PREFIX = "SEALROOM_BROKER_"
_PATHS = {"appraisal_policy", "data", "passphrase_file"}
_MAX_SETTINGS_FILE = 64 * 1024


class Limits(BaseModel):
    """Sizes in bytes and counts beyond which the broker refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: Annotated[int, Field(ge=1024)] = 12 * 2**20
    """Any body that has no limit of its own, such as a capsule deposit."""
    release: Annotated[int, Field(ge=1024)] = 32 * 2**20
    """A release request, which carries a whole study."""
    result: Annotated[int, Field(ge=1024)] = 64 * 2**20
    """A result bundle."""
    uploads: Annotated[int, Field(ge=1, le=100)] = 8
    """Parts that one institution may send at once; each takes 16 MiB of memory until it is stored."""
    institution: Annotated[int, Field(ge=1024, le=MAX_DOCUMENT)] = 2**20
    """An institution's envelope, which comes before anybody has signed in."""
    recipe: Annotated[int, Field(ge=1024, le=MAX_DOCUMENT)] = 64 * 2**10
    """A recipe's envelope."""
    contract: Annotated[int, Field(ge=1024, le=MAX_DOCUMENT)] = 2**20
    """A contract's envelope."""
    recipes: Annotated[int, Field(ge=1)] = 1000
    """Recipes that one institution may keep here."""
    contracts: Annotated[int, Field(ge=1)] = 1000
    """Contracts that one institution may propose here."""
    datasets: Annotated[int, Field(ge=1)] = 1000
    """Datasets that one institution may keep here, each version counted."""
    connections: Annotated[int, Field(ge=8)] = 400
    """Connections at once; more are answered with status 503. Idle ones are for the proxy in front to end."""
    threads: Annotated[int, Field(ge=2, le=48)] = 32
    """Requests that are worked on at once; fewer than the database has connections."""
    body_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a body may keep the broker waiting, beside a second for each 16 KiB that came."""
    leases: Annotated[int, Field(ge=1, le=100)] = 5
    """Leases of one run before it ends as failed."""


class Settings(BaseModel):
    """The broker's settings. ``port`` 0 takes any free port; ``public_url`` is what tokens name as their audience.

    Without ``passphrase_file`` the embedded custodian's key file is sealed under a passphrase that the broker makes and
    keeps in its data folder, which protects copies of the key file alone, not of the folder. Without
    ``appraisal_policy`` and ``hardware_roots`` it accepts real hardware under Intel's root only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+$")] | None = None
    lease_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    token_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    appraisal_policy: Path | None = None
    hardware_roots: tuple[Path, ...] = ()
    passphrase_file: Path | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _plain_http_stays_on_this_machine(self) -> Self:
        if not _is_loopback(self.host) and not (self.public_url or "").startswith("https://"):
            raise ValueError(
                "beyond loopback a broker listens behind a proxy that speaks TLS: set public_url to its https address"
            )
        return self

    @property
    def address(self) -> str:
        """Where the broker listens, as an address on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @classmethod
    def load(
        cls, flags: Mapping[str, Any], environment: Mapping[str, str] | None = None, file: Path | None = None
    ) -> Self:
        """Build settings; a flag that is None was not given.

        Environment variables are named ``SEALROOM_BROKER_DATA``, ``SEALROOM_BROKER_PORT``, ...; several hardware roots
        are separated by ``:``. ``limits`` come from the file's table ``[limits]`` alone. Paths in the file are relative
        to the file.

        Raises
        ------
        DocumentError
            ``SETTINGS`` with the first setting that is wrong.
        """
        values = _from_file(file) if file else {}
        for name in cls.model_fields:
            text = (environment or {}).get(ENVIRONMENT_PREFIX + name.upper())
            if text is not None and name != "limits":
                values[name] = text.split(":") if name == "hardware_roots" else text
        values |= {name: value for name, value in flags.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "host"
            raise DocumentError("SETTINGS", f"The setting {where} is wrong: {first['msg']}.") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _from_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            values = tomllib.loads(stream.read(_MAX_SETTINGS_FILE).decode())
    except (OSError, ValueError) as error:
        raise DocumentError("SETTINGS", f"The settings file {file} cannot be read as TOML.") from error
    for name in _PATHS & values.keys():
        values[name] = file.parent / str(values[name])
    if "hardware_roots" in values:
        values["hardware_roots"] = [file.parent / str(path) for path in values["hardware_roots"]]
    return values
