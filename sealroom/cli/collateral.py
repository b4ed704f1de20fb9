"""``sealroom collateral``: fetch what a quote is judged with, and read its dates and numbers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protocol.types import format_time
from sealroom.cli.options import AsJson, examples, noun
from sealroom.cli.output import print_json, print_rows, print_text, say
from sealroom.files import write_private

if TYPE_CHECKING:
    from attestation.endorsements import Endorsements

__all__ = ["PccsAuthority", "PccsUrl", "RootCrl", "app"]

app = noun("Fetch and read collateral, with which quotes are judged.")

PccsUrl = Annotated[
    str,
    typer.Option("--pccs", metavar="URL", help="A PCCS, or Intel's PCS https://api.trustedservices.intel.com."),
]
PccsAuthority = Annotated[
    Path | None,
    typer.Option("--pccs-authority", metavar="FILE", help="Certificate, PEM, that the PCCS is checked against."),
]
RootCrl = Annotated[
    str | None, typer.Option("--root-crl", metavar="URL", help="Of the root's CRL, for a source without /rootcacrl.")
]


@app.command(
    "fetch",
    epilog=examples(
        "collateral fetch --pccs https://pccs.example:8081 --quote quote.bin --out collateral.json",
        "collateral fetch --pccs https://api.trustedservices.intel.com --quote lung.sealroom --out collateral.json",
    ),
)
def fetch(
    *,
    pccs: PccsUrl,
    quote: Annotated[
        Path, typer.Option("--quote", metavar="FILE", help="A quote, evidence, or a result bundle: for its platform.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it; an old file is replaced.")],
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="DIR",
            help="Folder of items kept: they serve while the source is away, and never go back.",
        ),
    ] = None,
    pccs_authority: PccsAuthority = None,
    root_crl: RootCrl = None,
    as_json: AsJson = False,
) -> None:
    """Fetch collateral for a quote's platform from a PCCS or from Intel's PCS.

    Every item is vetted under the certificates in the quote before it is written. Exit status 5 for an item that is not
    authentic, out of date, or older than one kept; 10 where the source is away, slow or does not speak the API.
    """
    from attestation.endorsements import collateral_to_json, read_endorsements
    from sealroom.collateral import pccs_source, read_quote

    source = pccs_source(pccs, root_crl=root_crl, authority=pccs_authority, cache=cache)
    now = _now()
    collateral = source.collateral(read_quote(quote), now)
    write_private(out, collateral_to_json(collateral).encode())
    failures = {status.key: status.failure for status in source.status() if status.failure}
    for key, code in failures.items():
        say(f"{code}: {key} was not refreshed; the one kept in {cache} is given.")
    _show(read_endorsements(collateral), now, {"file": str(out), "not_refreshed": failures}, as_json=as_json)


@app.command("show", epilog=examples("collateral show collateral.json", "collateral show collateral.json --json"))
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Collateral, JSON as `collateral fetch` writes it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show whose collateral it is, each item's number and dates, and what expires first. Nothing is verified."""
    from attestation.endorsements import collateral_from_json, read_endorsements
    from sealroom.collateral import read_collateral_text

    _show(read_endorsements(collateral_from_json(read_collateral_text(file))), _now(), {}, as_json=as_json)


def _show(found: "Endorsements", now: datetime, more: dict[str, Any], *, as_json: bool) -> None:
    numbered = (
        (found.tcb_info, found.tcb_evaluation),
        (found.qe_identity, found.qe_evaluation),
        (found.pck_crl, found.pck_crl.number),
        (found.root_ca_crl, found.root_ca_crl.number),
    )
    first = min((item for item, _ in numbered), key=lambda item: item.expires)
    items = [
        {
            "item": item.name,
            "number": number,
            "issued": format_time(item.issued),
            "expires": format_time(item.expires),
            "expired": item.expires <= now,
        }
        for item, number in numbered
    ]
    if as_json:
        about = {"fmspc": found.fmspc.hex(), "pce_id": found.pce_id.hex(), "first_to_expire": first.name}
        print_json(about | {"items": items} | more)
        return
    print_text(f"FMSPC {found.fmspc.hex()}, PCE {found.pce_id.hex()}")
    rows = [
        (
            str(item["item"]),
            "none" if item["number"] is None else str(item["number"]),
            str(item["issued"]),
            str(item["expires"]) + (" EXPIRED" if item["expired"] else ""),
        )
        for item in items
    ]
    print_rows(("ITEM", "NUMBER", "ISSUED", "EXPIRES"), rows)
    print_text(f"first to expire: {first.name}, {format_time(first.expires)}")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
