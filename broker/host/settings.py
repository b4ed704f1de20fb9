"""What a host is told when it starts: flags before environment before a TOML file."""

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from protocol.errors import DocumentError, StorageError
from protocol.types import Name

__all__ = ["ENVIRONMENT_PREFIX", "HostSettings"]

ENVIRONMENT_PREFIX = "SEALROOM_HOST_"
_LISTS = {"profiles", "enclave_command"}
_PATHS = {"data", "host_token_file", "enclaves", "pccs_authority"}
_MAX_FILE = 64 * 1024


class HostSettings(BaseModel):
    """A host's settings. ``data`` holds working folders that outlive no run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker: Annotated[str, Field(pattern=r"^(https://[^/?#\s]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)$")]
    host_token_file: Path
    platform: Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d{1,5}$")] | None = None
    """The simulated platform's address; without it the platform is this machine's SGX hardware."""
    pccs: str | None = None
    """The address of a PCCS or of Intel's PCS, from which collateral for the hardware's quotes comes."""
    pccs_authority: Path | None = None
    """A file with the certificate that the PCCS's is checked against, where the system's do not know it."""
    runtime: Literal["python", "gramine-direct", "gramine-sgx"] = "python"
    enclaves: Path | None = None
    """A folder of builds, one for each profile, from which Gramine starts enclaves."""
    data: Path
    profiles: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)] = (
        "clinical",
        "discovery",
        "genomics",
    )
    python: str = sys.executable
    """The interpreter that runs enclaves."""
    enclave_command: tuple[str, ...] | None = None
    """The command in place of ``python -I -m enclave``, for tests of the host; the profile's name is added to it."""
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    heartbeat_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    retry_seconds: Annotated[float, Field(ge=0, le=600)] = 45.0
    """How long the relay waits for a broker that is away; less than the enclave's own patience of 60 s."""
    run_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """The longest that an enclave may run."""
    max_release: Annotated[int, Field(ge=1024)] = 32 * 2**20
    max_result: Annotated[int, Field(ge=1024)] = 64 * 2**20

    @model_validator(mode="after")
    def _fit(self) -> Self:
        gramine = self.runtime != "python"
        if gramine != (self.enclaves is not None):
            raise ValueError(
                f"runtime {self.runtime} starts enclaves from builds: name their folder with --enclaves"
                if gramine
                else "enclaves are builds for Gramine: set --runtime gramine-direct or gramine-sgx with them"
            )
        if gramine and self.enclave_command is not None:
            raise ValueError("a build fixes its own command: leave enclave_command out")
        if self.platform is None and self.runtime != "gramine-sgx":
            raise ValueError(
                "without a simulated platform enclaves need SGX hardware: set --runtime gramine-sgx, or --platform"
            )
        if (self.platform is None) != (self.pccs is not None):
            raise ValueError(
                "collateral for this machine's quotes comes from a PCCS: name it with --pccs"
                if self.platform is None
                else "a simulated platform gives its own collateral: leave pccs out, or platform where this is hardware"
            )
        return self

    @classmethod
    def load(
        cls, flags: Mapping[str, Any], environment: Mapping[str, str] | None = None, file: Path | None = None
    ) -> Self:
        """Build settings; a flag that is None was not given. Lists in the environment are separated by spaces.

        Raises
        ------
        DocumentError
            ``SETTINGS`` with the first setting that is wrong.
        """
        values = _from_file(file) if file else {}
        for name in cls.model_fields:
            text = (environment or {}).get(ENVIRONMENT_PREFIX + name.upper())
            if text is not None:
                values[name] = text.split() if name in _LISTS else text
        values |= {name: value for name, value in flags.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            what = f"The setting {where} is" if where else "The settings are"
            raise DocumentError("SETTINGS", f"{what} wrong: {first['msg'].removeprefix('Value error, ')}.") from error

    def host_token(self) -> str:
        """Read the token that the broker wrote into its file ``host-token``."""
        try:
            token = self.host_token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise StorageError("HOST_TOKEN_FILE", f"{self.host_token_file} cannot be read.") from error
        if not token:
            raise StorageError(
                "HOST_TOKEN_FILE", f"{self.host_token_file} is empty. Copy the broker's file host-token."
            )
        return token


def _from_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            values = tomllib.loads(stream.read(_MAX_FILE).decode())
    except (OSError, ValueError) as error:
        raise DocumentError("SETTINGS", f"The settings file {file} cannot be read as TOML.") from error
    return {name: file.parent / str(value) if name in _PATHS else value for name, value in values.items()}
