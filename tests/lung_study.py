"""The lung trial of three partners as a whole study: sealed, agreed, approved. Valid at ``factories.NOW``.

::

    study = lung_study.make_lung_study(custodian_keys)             # three owners, all outputs of the demo
    study = lung_study.reapprove(study, max_runs=2)                # another contract over the same datasets
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import factories
import lung

from enclave.analyses.clinical.survival import Survival
from protocol.documents import ContractOutput, CustodianKeys
from protocol.documents.dataset import DatasetSchema

__all__ = ["make_lung_study", "reapprove"]

PARTNERS = "abc"


def make_lung_study(
    custodian: CustodianKeys,
    *,
    frames: Any = None,
    plains: dict[int, bytes] | None = None,
    outputs: tuple[str, ...] = lung.OUTPUTS,
    parameters: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    policy: dict[str, Any] | None = None,
    recipe: dict[str, Any] | None = None,
    contract: dict[str, Any] | None = None,
    parties: tuple[factories.Party, ...] = (),
    custodians: tuple[CustodianKeys, ...] = (),
    spoil: dict[int, Callable[[factories.Party, factories.Dataset], factories.Dataset]] | None = None,
) -> factories.StudyParts:
    """Seal the lung trial of three partners and have the demo's recipe approved.

    ``plains`` replaces tables and ``spoil`` whole datasets, by their place.
    """
    rows = lung.rows()
    parts = frames or [rows[rows.partner == slot] for slot in PARTNERS]
    parties = parties or tuple(factories.make_institution(short) for short in ("north", "south", "east"))
    datasets = tuple(
        factories.make_dataset(
            party,
            (custodians or (custodian,) * 3)[place],
            plain=(plains or {}).get(place) or lung.table_bytes(frame, slot),
            table=lung.SCHEMA,
            policy=policy,
            changes={"rows": len(frame)} | (manifest or {}),
        )
        for place, (party, slot, frame) in enumerate(zip(parties, PARTNERS, parts, strict=True))
    )
    datasets = tuple(
        (spoil or {}).get(place, lambda _, kept: kept)(parties[place], dataset)
        for place, dataset in enumerate(datasets)
    )
    wanted = parameters or lung.PARAMETERS
    signed = factories.make_recipe(
        parties[0],
        tuple(f"site-{party.institution.document.short}" for party in parties),
        changes={"parameters": wanted, "outputs": outputs} | (recipe or {}),
    )
    described = dict.fromkeys(signed.document.slots, DatasetSchema(table=lung.SCHEMA))
    planned = Survival().plan(wanted, outputs, described)
    agreed = tuple(
        ContractOutput(
            output=output.output,
            type=output.type,
            labels=output.labels,
            recipients=tuple(factories.recipient_of(party) for party in parties),
        )
        for output in planned.outputs
    )
    bound = factories.make_contract(
        parties[0], signed, datasets, parties, changes={"outputs": agreed} | (contract or {})
    )
    votes = tuple(factories.approve(bound, party) for party in parties)
    return factories.StudyParts(parties, None, datasets, signed, bound, votes)


def reapprove(study: factories.StudyParts, **changes: Any) -> factories.StudyParts:
    """Change the contract, sign it and have all owners approve it again."""
    contract = factories.resign(study.contract.document, study.parties[0].people["analyst"].contract, **changes)
    votes = tuple(factories.approve(contract, party) for party in study.parties)
    return replace(study, contract=contract, approvals=votes)
