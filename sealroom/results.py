"""Results for the SDK: fetched, verified, opened, as DataFrames."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from protocol.catalogue import Variant
from protocol.documents.outputs import ReleasedOutput
from sealroom.download import fetch_bundle
from sealroom.frames import frame_of
from sealroom.party import Party
from sealroom.result import open_outputs
from sealroom.transport import Transport
from sealroom.trust import Trust
from sealroom.variants import read_variants
from sealroom.verification import VerifiedBundle, with_own_root

__all__ = ["Result", "open_result"]


@dataclass(frozen=True, slots=True)
class Result:
    """A verified result.

    ``result["cox"]`` and ``result.cox`` are the DataFrame of the output ``cox``; dashes in names become underscores:
    ``result.kaplan_meier``. ``result.with_variants("variants.tsv")`` has chromosome, position, identifier and alleles
    of hits, too.
    """

    verified: VerifiedBundle
    released: Mapping[str, ReleasedOutput]
    variants: Mapping[int, Variant] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether the platform was simulated, which kept nothing secret from its operator."""
        return self.verified.simulated

    @property
    def outputs(self) -> dict[str, pd.DataFrame]:
        """Every output that this member may open, in the contract's order."""
        agreed = {output.output: output for output in self.verified.study.contract.document.outputs}
        return {name: frame_of(value, agreed[name], self.variants) for name, value in self.released.items()}

    def with_variants(self, catalogue: Path | str) -> "Result":
        """Return the result with the variants that its hits name, read from the study's catalogue.

        Raises
        ------
        DocumentError
            ``CATALOGUE`` where it is not the one that the datasets' owners signed, ``VARIANT`` where it cannot be read.
        """
        return replace(self, variants=read_variants(Path(catalogue), self.verified, self.released))

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.outputs[name]

    def __getattr__(self, name: str) -> pd.DataFrame:
        for output, frame in self.outputs.items():
            if output.replace("-", "_").replace(".", "_") == name:
                return frame
        raise AttributeError(name)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        status = "VERIFIED" + (", SIMULATED platform" if self.simulated else "")
        tables = "".join(f"<h4>{html.escape(name)}</h4>{frame.to_html()}" for name, frame in self.outputs.items())
        return f"<p><b>{status}</b>, run {self.verified.run}</p>{tables}"


def open_result(broker: Transport, run: str, trust: Trust, party: Party) -> Result:
    """Fetch, verify and open a result.

    Raises
    ------
    VerificationFailed
        Where it does not verify under the pins.
    AccessDenied
        ``NOT_RECIPIENT`` where nothing is for this member.
    """
    pins = with_own_root(trust, party.institution.document)
    _, verified = fetch_bundle(broker, run, pins, now=datetime.now(UTC))
    return Result(verified, open_outputs(verified, party.keys.recipient(f"{party.member.id}.recipient")))
