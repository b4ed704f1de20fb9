"""``sealroom dataset``: draft, check, seal, upload, list."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from protocol.errors import DocumentError
from sealroom.cli.options import (
    AsJson,
    AsMember,
    HomeOption,
    PassphraseFile,
    examples,
    noun,
    open_client,
    open_home,
    open_keystore,
)
from sealroom.cli.output import print_entries, print_json, print_text, progress, say

if TYPE_CHECKING:  # pandas is loaded by the commands that need it
    from sealroom.datasets.findings import CheckError
    from sealroom.datasets.genotypes.cohort import GenotypeFiles, GenotypeKind

__all__ = ["app"]

app = noun("Check, seal and upload datasets.")

CsvFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV or, named so, SDF: UTF-8, one row or record a subject.")
]
SchemaFile = Annotated[Path, typer.Argument(metavar="SCHEMA", help="TOML, as `sealroom dataset draft` writes it.")]
Crypt4ghKey = Annotated[
    Path | None, typer.Option("--crypt4gh-key", help="CSV is encrypted by a stock Crypt4GH tool; this key opens it.")
]

Crypt4ghPassphrase = Annotated[
    Path | None,
    typer.Option(
        "--crypt4gh-passphrase-file",
        envvar="SEALROOM_CRYPT4GH_PASSPHRASE_FILE",
        help="File whose first line opens that key [default: ask on the terminal].",
    ),
]

Molecules = Annotated[
    str | None,
    typer.Option(
        "--molecules",
        metavar="COLUMN",
        help="Column of SMILES [default: what the schema says, or an SD file's own structures].",
    ),
]
Bfile = Annotated[Path | None, typer.Option("--bfile", help="Genotypes: prefix of PLINK 1 files .bed, .bim, .fam.")]
Pfile = Annotated[Path | None, typer.Option("--pfile", help="Genotypes: prefix of PLINK 2 files .pgen, .pvar, .psam.")]
Vcf = Annotated[Path | None, typer.Option("--vcf", help="Genotypes: VCF file, .vcf or .vcf.gz.")]
Variants = Annotated[
    Path | None,
    typer.Option("--variants", help="A partner's catalogue, NAME.variants.tsv: the genotypes are put on its list."),
]
Autosomes = Annotated[int, typer.Option("--autosomes", min=1, max=200, help="Autosomes of the species.")]


@app.command(
    "draft",
    epilog=examples(
        "dataset draft lung.csv > lung.toml",
        "dataset draft lung.csv --out lung.toml",
        "dataset draft compounds.csv --molecules smiles --out compounds.toml",
        "dataset draft compounds.sdf --out compounds.toml",
    ),
)
def draft(
    *,
    csv: CsvFile,
    molecules: Molecules = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the schema [default: standard output].")] = None,
    as_json: AsJson = False,
) -> None:
    """Guess a schema from a CSV or SD file, for you to edit.

    Everything in a schema is signed and shown to partners, so no value limits are guessed: the extremes of your data
    are your patients'. For molecules it has columns that are computed from their structure: a fingerprint,
    descriptors, digests of InChIKey and scaffold. Structures themselves are never sealed.
    """
    from sealroom.datasets.draft import draft_schema
    from sealroom.files import write_new

    text = draft_schema(csv, molecules)
    if out is not None:
        write_new(out, text.encode("utf-8"))
    if as_json:
        print_json({"schema": text, "file": None if out is None else str(out)})
    elif out is None:
        print_text(text.rstrip("\n"))
    else:
        print_text(str(out))
    say("Edit it: descriptions, units, limits, codes. Partners will read it.")


@app.command("policy-example", epilog=examples("dataset policy-example > terms.toml"))
def policy_example(*, as_json: AsJson = False) -> None:
    """Print an example of a dataset's terms, with every default explained."""
    from sealroom.datasets.terms import EXAMPLE

    if as_json:
        print_json({"terms": EXAMPLE})
    else:
        print_text(EXAMPLE.rstrip("\n"))


@app.command(
    "check",
    epilog=examples(
        "dataset check lung.csv lung.toml",
        "dataset check lung.csv lung.toml --json",
        "dataset check compounds.csv compounds.toml --molecules smiles",
    ),
)
def check(
    *,
    csv: CsvFile,
    schema: SchemaFile,
    molecules: Molecules = None,
    bfile: Bfile = None,
    pfile: Pfile = None,
    vcf: Vcf = None,
    variants: Variants = None,
    autosomes: Autosomes = 22,
    as_json: AsJson = False,
) -> None:
    """Check a CSV or SD file, and genotypes, against its schema. Values are shown on your screen, stored nowhere."""
    from sealroom.datasets.check import check_file
    from sealroom.datasets.findings import PLACE_LENGTH, CheckError, plain
    from sealroom.datasets.genotypes.check import check_with_genotypes
    from sealroom.datasets.schema import load_schema

    owner_schema = load_schema(schema, molecules)
    genotypes = _genotype_files(bfile, pfile, vcf, variants, autosomes)
    fields: dict[str, object] = {}
    try:
        with progress("Checking", _size(csv) + (genotypes.size() if genotypes else 0)) as advance:
            if genotypes is None:
                checked = check_file(csv, owner_schema, advance)
            else:
                checked, described = check_with_genotypes(csv, owner_schema, genotypes, advance)
                fields = {"variants": described.variants, "catalogue": described.catalogue}
    except CheckError as error:
        _report(error, as_json=as_json)
    for warning in checked.warnings:
        say(f"Note: {warning}")
    if as_json:
        shown = {"rows": checked.rows, "columns": len(owner_schema.table.columns), "notes": list(checked.warnings)}
        print_json(shown | fields)
    else:
        print_text(f"{plain(csv.name, PLACE_LENGTH)}: {checked.rows} rows match the schema.")
        if fields:
            print_text(f"{fields['variants']} variants; their catalogue is {fields['catalogue']}.")


@app.command(
    "seal",
    epilog=examples(
        'dataset seal lung.csv lung.toml --policy terms.toml --out sealed --name lung-a --title "Lung trial, site A"',
        "dataset seal compounds.sdf compounds.toml --policy terms.toml --out sealed --name compounds-a",
        "dataset seal traits.csv traits.toml --bfile cohort --assembly GRCh38 --policy terms.toml --out sealed",
    ),
)
def seal(
    *,
    csv: CsvFile,
    schema: SchemaFile,
    policy: Annotated[Path, typer.Option(help="Your terms, TOML; see `sealroom dataset policy-example`.")],
    out: Annotated[Path, typer.Option(help="Folder for the files of the sealed dataset.")],
    name: Annotated[str | None, typer.Option(help="Short name for programs [default: the CSV's].")] = None,
    title: Annotated[str | None, typer.Option(help="Title for people [default: the short name].")] = None,
    custodian: Annotated[str | None, typer.Option(help="Fingerprint of the custodian, if several are pinned.")] = None,
    molecules: Molecules = None,
    bfile: Bfile = None,
    pfile: Pfile = None,
    vcf: Vcf = None,
    variants: Variants = None,
    assembly: Annotated[
        str | None, typer.Option("--assembly", help="What positions of the genotypes are of, such as GRCh38.")
    ] = None,
    autosomes: Autosomes = 22,
    crypt4gh_key: Crypt4ghKey = None,
    crypt4gh_passphrase_file: Crypt4ghPassphrase = None,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Check, convert, encrypt and sign a dataset; nothing leaves this machine.

    With genotypes, the table has a row for each sample, in any order: its subject column is their IID. Counted is the
    allele A1 of a .bim file, ALT of others; only autosomes are taken. Their catalogue, NAME.variants.tsv, is for your
    partners: cohorts that are to be taken together are put on one catalogue.

    The data key is sealed to the custodian that you pinned and kept nowhere else. No plain copy is written: what is put
    aside on the disk meanwhile is encrypted under a key that only this process holds.
    """
    from sealroom.datasets.findings import CheckError
    from sealroom.datasets.sources import open_source
    from sealroom.datasets.work import seal_for

    place = open_home(home)
    short = name if name is not None else csv.name.split(".")[0]
    genotypes = _genotype_files(bfile, pfile, vcf, variants, autosomes)
    try:
        with (
            open_source(csv, crypt4gh_key, crypt4gh_passphrase_file) as text,
            progress("Sealing", _size(csv) + (genotypes.size() if genotypes else 0)) as advance,
        ):
            manifest, checked = seal_for(
                place,
                open_keystore(place, passphrase_file),
                text,
                csv.name,
                schema=schema,
                terms=policy,
                out=out,
                short=short,
                title=title if title is not None else short,
                custodian=custodian,
                steward=as_member,
                progress=advance,
                molecules=molecules,
                genotypes=genotypes,
                assembly=assembly,
            )
    except CheckError as error:
        _report(error, as_json=as_json)
    for warning in checked.warnings:
        say(f"Note: {warning}")
    sealed_bytes = sum(file.sealed_size for file in manifest.document.files)
    described = manifest.document.genotypes
    if as_json:
        print_json(
            {
                "name": manifest.name,
                "short": manifest.document.short,
                "version": manifest.document.lineage.version,
                "rows": checked.rows,
                "genotypes": None if described is None else described.model_dump(mode="json"),
                "sealed_bytes": sealed_bytes,
                "package": str(out / short),
            }
        )
    else:
        print_text(f"{manifest.document.short} {manifest.name}")
        if described is not None:
            say(f"{described.variants} variants. For your partners: {out / short}.variants.tsv")
        say(f"{checked.rows} rows, {sealed_bytes} sealed bytes. Next: sealroom dataset upload {out / short}")


@app.command("upload", epilog=examples("dataset upload sealed/lung-a"))
def upload(
    *,
    package: Annotated[Path, typer.Argument(metavar="DIR/NAME", help="The sealed dataset.")],
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Upload a sealed dataset to the broker and its capsule to the custodian.

    Run it again after an interruption: it goes on with the parts that are not there yet.
    """
    from sealroom.datasets.upload import upload_for

    place = open_home(home)
    name, short = upload_for(place, open_keystore(place, passphrase_file), package, as_member, progress)
    if as_json:
        print_json({"name": name, "short": short, "state": "complete"})
    else:
        print_text(f"{short} {name}")
        say("Uploaded. The broker holds ciphertext; the custodian holds the key, sealed to it.")


@app.command("list", epilog=examples("dataset list", "dataset list --json"))
def list_datasets(
    *,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """List the datasets that the broker offers and whose owner you pinned; each signature is verified here."""
    from sealroom.listing import DatasetEntry

    with open_client(home, passphrase_file, as_member) as client:
        found = client.datasets()
    print_entries(DatasetEntry.head, found.lines, as_json=as_json)


def _genotype_files(
    bfile: Path | None, pfile: Path | None, vcf: Path | None, variants: Path | None, autosomes: int
) -> "GenotypeFiles | None":
    from sealroom.datasets.genotypes.cohort import GenotypeFiles

    kinds: tuple[tuple[GenotypeKind, Path | None], ...] = (("bfile", bfile), ("pfile", pfile), ("vcf", vcf))
    named = [(kind, path) for kind, path in kinds if path is not None]
    if len(named) > 1 or (variants is not None and not named):
        raise DocumentError(
            "GENOTYPES_CHOICE", "Name genotypes once: --bfile, --pfile or --vcf; --variants goes with it."
        )
    if not named:
        return None
    ((kind, path),) = named
    return GenotypeFiles(kind, path, variants, autosomes)


def _size(path: Path) -> int:
    """Bytes of a file, as the length of a progress bar that counts what was read."""
    return path.stat().st_size if path.is_file() else 1


def _report(error: "CheckError", *, as_json: bool) -> NoReturn:
    if as_json:
        raise error
    for finding in error.findings:
        say(finding.words(with_value=True))
    if error.count > len(error.findings):
        say(f"... and {error.count - len(error.findings)} more.")
    say(f"{error.count} finding{'s' if error.count > 1 else ''}; nothing was sealed.")
    raise typer.Exit(error.exit_code)
