"""A contract in plain words: who learns what, from which data, on which terms."""

from collections.abc import Iterator, Mapping
from typing import Any

from protocol.documents.dataset import Column
from protocol.documents.institution import Institution
from protocol.documents.study import Contract, ContractOutput, OutputType
from protocol.dsse import Unverified
from protocol.presets import PRESETS, GatePreset
from sealroom.labels import WORDS, shortened
from sealroom.mapped import mappings_words
from sealroom.studies import Judged

__all__ = ["column_words", "contract_fields", "contract_words", "released_as", "unverified_words"]

NOT_BUILT = (
    "Not built yet: no release ledger adds up what several runs or contracts tell together, so keep the runs at 1; "
    "no proofs of a public log; keys are held by the broker's custodian process, which its operator controls."
)


_LEAVES_AS: Mapping[OutputType, str] = {
    "counts": (
        "counts rounded to {base}; counts that add up, such as those of one variable, are all left out if one of them "
        "is of fewer than {k} subjects, zeros too"
    ),
    "regression": (
        "coefficients and standard errors to 4 significant digits, p to 2; subjects and events rounded to {base}; "
        "refused with too many parameters, or if fewer than {k} subjects with the event or fewer than {k} without it "
        "differ in a column, or if fewer than {k} could decide a coefficient, or whether columns determine the outcome"
    ),
    "test": (
        "one statistic to 4 significant digits, p to 2; refused if in any group fewer than {k} subjects have the event "
        "or fewer than {k} have not"
    ),
    "survival": (
        "survival to 2 decimals at the agreed times only, numbers at risk rounded; a time is left out if since the one "
        "before it fewer than {k} had the event; ends where fewer than {k} remain"
    ),
    "means": (
        "means and standard deviations to 3 significant digits, subjects rounded to {base}; a cell is left out if it "
        "rests on fewer than {k} subjects or mostly on few of them, and a variable if a group has fewer than {k}"
    ),
    "metrics": (
        "figures of a model's performance with their intervals to 3 significant digits; refused if it was tested on "
        "fewer than {k} subjects or 10 events"
    ),
    "hits": (
        "the strongest variants only, by their places in the catalogue: effects to 2 digits, of p the power of ten; no "
        "frequencies; refused if whoever has a person's genotype could tell from them that the person took part"
    ),
}


def released_as(kind: OutputType, preset: GatePreset) -> str:
    """Say how an output of this type is rounded and suppressed under a preset."""
    return _LEAVES_AS[kind].format(k=preset.k, base=preset.base)


def contract_words(judged: Judged) -> str:
    """Return the whole contract in words; warnings come first."""
    return "\n".join(_lines(judged))


def unverified_words(contract: Unverified[Contract]) -> str:
    """Return what a contract says of itself; nobody's signature on it was verified."""
    claimed = contract.claimed
    return "\n".join(
        (
            f"{claimed.title}",
            f"Contract {contract.envelope.name}",
            f"It says that it is for: {claimed.purpose}",
            f"Over {len(claimed.datasets)} datasets of {len(claimed.owners)} institutions, until {claimed.expires}.",
        )
    )


def contract_fields(judged: Judged) -> dict[str, Any]:
    """Return what ``--json`` shows of a contract: its own fields, the words, and what is not pinned."""
    contract, recipe = judged.study.contract.document, judged.study.recipe.document
    names = {root: item.document.short for root, item in judged.study.institutions.items()}
    return {
        "name": judged.study.contract.name,
        "unanchored": list(judged.unanchored),
        "recipients_without_data": [f"{names[root]}/{member}" for root, member in _learning_only(contract)],
        "contract": contract.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json"),
        "institutions": names,
        "datasets": [
            {"slot": binding.slot, "short": manifest.document.short, "owner": names[binding.owner]}
            for binding, manifest in zip(contract.datasets, judged.study.manifests, strict=True)
        ],
        "mappings": {slot: list(words) for slot, words in _mappings(judged).items()},
        "outputs": [
            {
                "output": output.output,
                "reveals": judged.reveals[output.output],
                "leaves_as": released_as(output.type, PRESETS[contract.preset]),
                "about_alone": names[judged.alone[output.output]] if output.output in judged.alone else None,
                "recipients": [f"{names[r.institution]}/{r.member}" for r in output.recipients],
            }
            for output in contract.outputs
        ],
        "approved_by": [
            f"{names[approval.document.institution]}/{approval.document.member}" for approval in judged.study.approvals
        ],
        "words": contract_words(judged),
    }


def _lines(judged: Judged) -> Iterator[str]:
    contract, recipe = judged.study.contract.document, judged.study.recipe.document
    names = {root: item.document for root, item in judged.study.institutions.items()}
    if contract.simulation:
        yield "SIMULATED: this may run on a simulated platform, which keeps nothing secret from its operator."
    for item in judged.unanchored:
        yield f"UNANCHORED: you did not pin {item}."
    for institution, member in _learning_only(contract):
        yield (
            f"NOTE: {member} of {_who(names, institution)} learns results without giving data; "
            "approve only if your institution means to tell them."
        )
    yield f"{contract.title}"
    yield f"Contract {judged.study.contract.name}"
    yield f"Proposed by {contract.analyst} of {_who(names, contract.proposer)} for: {contract.purpose}"
    yield ""
    yield "Who learns what"
    yield from _recipients(judged, names)
    yield ""
    yield "From which data"
    yield from _data(judged, names)
    yield ""
    yield "By which analysis"
    yield f"  {recipe.analysis}: {recipe.title}"
    for name, value in recipe.parameters.items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        yield f"  {name} = {shown}"
    yield f"  in the enclave program {contract.profile} with measurement {contract.measurement}"
    yield ""
    yield "On which terms"
    yield from _terms(judged, names)
    yield ""
    yield NOT_BUILT


def _data(judged: Judged, names: dict[str, Institution]) -> Iterator[str]:
    mapped = _mappings(judged)
    for binding, manifest in zip(judged.study.contract.document.datasets, judged.study.manifests, strict=True):
        data = manifest.document
        yield (
            f"  {binding.slot}: {data.title} ({data.short}, version {data.lineage.version}, {data.rows} rows) of "
            f"{_who(names, data.owner)}; columns {', '.join(column_words(column) for column in data.table.columns)}"
        )
        if data.genotypes is not None:
            yield (
                f"    genotypes: {data.rows} samples, {data.genotypes.variants} variants, "
                f"assembly {data.genotypes.assembly}, catalogue {data.genotypes.catalogue}"
            )
        for words in mapped.get(binding.slot, ()):
            yield f"    {words}"


def column_words(column: Column) -> str:
    """Name a column, its unit and the codes that mean missing in it, as its owner declared them.

    >>> column_words(Column(name="age", description="Age", kind="integer", unit="a"))
    'age (years)'
    """
    unit = [] if column.unit in {None, "1"} else [f"{WORDS[column.unit]}s" if column.unit in WORDS else column.unit]
    codes = " and ".join(column.missing_codes)
    mean = f"{codes} {'means' if len(column.missing_codes) == 1 else 'mean'} missing"
    more = "; ".join([*filter(None, unit), *([mean] if codes else [])])
    return f"{column.name} ({more})" if more else column.name


def _recipients(judged: Judged, names: dict[str, Institution]) -> Iterator[str]:
    contract = judged.study.contract.document
    preset = PRESETS[contract.preset]
    people = dict.fromkeys((r.institution, r.member) for output in contract.outputs for r in output.recipients)
    for institution, member in people:
        person = names[institution].member(member)
        shown = person.name if person is not None else member
        mine = [o for o in contract.outputs if (institution, member) in _to(o)]
        yield f"  {shown} ({member}) of {_who(names, institution)}: {', '.join(output.output for output in mine)}"
    yield ""
    for output in contract.outputs:
        alone = judged.alone.get(output.output)
        only = "" if alone is None else f", for {names[alone].short} alone: it is about their data only"
        yield f"  {output.output} ({output.type}){only}"
        yield f"    reveals: {judged.reveals[output.output]}"
        yield f"    leaves as: {released_as(output.type, preset)}"
        yield f"    about: {shortened(output.labels, output.type)}"


def _terms(judged: Judged, names: dict[str, Institution]) -> Iterator[str]:
    contract = judged.study.contract.document
    preset = PRESETS[contract.preset]
    yield f"  Output gate {preset.name}: the smallest number of subjects released is {preset.k} ({preset.source})."
    yield f"  {contract.max_runs} run{'s' if contract.max_runs > 1 else ''}, until {contract.expires}."
    given = {(approval.document.institution, approval.document.member) for approval in judged.study.approvals}
    for owner in contract.owners:
        wanted = max(m.document.policy.quorum for m in judged.study.manifests if m.document.owner == owner)
        who = [member for institution, member in given if institution == owner]
        signed = ", ".join(who) or "nobody"
        yield f"  {_who(names, owner)} approves with {wanted} of its approvers; signed so far: {signed}."
    custodians = dict.fromkeys(m.document.custodian.signing for m in judged.study.manifests)
    yield f"  Keys are released by custodian {', '.join(key[:16] for key in custodians)}, after it checked all of this."


def _learning_only(contract: Contract) -> list[tuple[str, str]]:
    """Return the recipients whose institution owns none of the data, each once."""
    people = dict.fromkeys((r.institution, r.member) for output in contract.outputs for r in output.recipients)
    return [(institution, member) for institution, member in people if institution not in contract.owners]


def _mappings(judged: Judged) -> dict[str, tuple[str, ...]]:
    study = judged.study
    datasets = {
        binding.slot: manifest.document.described
        for binding, manifest in zip(study.contract.document.datasets, study.manifests, strict=True)
    }
    return mappings_words(study.recipe.document.mappings, datasets)


def _to(output: ContractOutput) -> set[tuple[str, str]]:
    return {(recipient.institution, recipient.member) for recipient in output.recipients}


def _who(names: dict[str, Institution], root: str) -> str:
    found = names[root]
    return f"{found.name} ({found.short})"
