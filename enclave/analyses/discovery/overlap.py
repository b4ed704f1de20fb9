"""``discovery.overlap``: how many scaffolds two partners' libraries share.

Who learns what. An owner knows its own scaffolds, so a count tells it how many of these the other one has; of a library
that was made up for it, the count would answer which. A third recipient learns how alike two rivals' libraries are. So

- scaffolds are counted, never compounds: ten variants of one rival compound, alike but for side chains, are one
  scaffold, or none. All acyclic compounds are of one scaffold, the empty one, so whatever two libraries share of these
  is one in a count at most. Variants with other rings are scaffolds of their own, each counted once;
- two libraries have a compound in common where both hold the InChIKey under one scaffold: whoever writes it down under
  many scaffolds finds it once all the same;
- a library is all that an owner brought. Two slots of an owner, one of them without a scaffold, would ask about just
  this one by their difference;
- what an owner could make of a count by padding its library is up to the gate: ``enclave.disclosure.overlap``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from enclave.analyses.base import Analysis, Descriptor, Inputs, OutputSpec, Plan
from enclave.analyses.columns import require_column, require_distinct
from enclave.analyses.parameters import ParameterSpec, text
from enclave.analyses.results import RawOverlap, RawResult, RawShared
from protocol.documents.dataset import DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Key, Name

__all__ = ["Overlap"]

_FEWEST_SLOTS = 2
_IN_COMMON = "in common"
_COUNTED = (_IN_COMMON, "with a compound in common")


@dataclass(frozen=True, slots=True, eq=False)
class Libraries:
    """By owner its library: pairs of the digests of scaffold and InChIKey, 16 bytes each."""

    slots: tuple[tuple[Name, Key], ...]
    pairs: Mapping[Key, set[tuple[bytes, bytes]]] = field(repr=False)
    secret: bytes = field(repr=False)


class Overlap(Analysis[Libraries]):
    """Scaffolds that two partners share, for each pair of slots."""

    descriptor = Descriptor(
        name="discovery.overlap",
        title="Overlap of libraries",
        estimand=(
            "Of each two partners' whole libraries, the number of distinct scaffolds that both have, and of those in "
            "which both have the same compound."
        ),
        profile="discovery",
        parameters=(
            ParameterSpec(
                "scaffold",
                "column",
                "Digest of the Bemis-Murcko scaffold; acyclic compounds share one.",
                ("overlap",),
            ),
            ParameterSpec("compound", "column", "Digest of the InChIKey.", ("overlap",)),
        ),
        outputs=(
            OutputSpec(
                "overlap",
                "counts",
                "Scaffolds in common, for each pair of partners.",
                "About how many scaffolds each two partners share, with noise of a few and rounded, and in how many of "
                "these they share a compound. Not which. All acyclic compounds are one scaffold. Each recipient learns "
                "it of all pairs, also of two others.",
            ),
        ),
        references=(
            "Bemis GW, Murcko MA (1996). The properties of known drugs. 1. Molecular frameworks. J Med Chem 39:2887.",
            "Ghosh A et al. (2012). Universally utility-maximizing privacy mechanisms. SIAM J Comput 41:1673-1693.",
        ),
        outside_answer="RDKit's scaffolds and InChIKeys of ESOL (Delaney 2004), counted with pandas.",
    )

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check the columns and name the pairs; see ``Analysis.label``."""
        if len(datasets) < _FEWEST_SLOTS:
            raise AnalysisError("SLOTS", "An overlap takes the libraries of at least two slots.")
        chosen = {role: text(parameters, role) for role in ("scaffold", "compound")}
        require_distinct({role: [column] for role, column in chosen.items()})
        for role, column in chosen.items():
            require_column(datasets, column, ("digest",), role)
        return {output: tuple(label for label, *_ in _cells(tuple(datasets))) for output in outputs}

    def pool(self, plan: Plan, inputs: Inputs) -> Libraries:
        """Collect each owner's library from all its slots."""
        scaffold, compound = text(plan.parameters, "scaffold"), text(plan.parameters, "compound")
        pairs: dict[Key, set[tuple[bytes, bytes]]] = {}
        for cohort in inputs.cohorts:
            found = zip(cohort.frame[scaffold], cohort.frame[compound], strict=True)
            pairs.setdefault(cohort.owner, set()).update(found)
        return Libraries(tuple((cohort.slot, cohort.owner) for cohort in inputs.cohorts), pairs, inputs.seed)

    def estimate(self, output: Name, data: Libraries) -> RawResult:
        """Count what each two owners share.

        Parameters
        ----------
        output
            ``overlap``.
        data
            The libraries.

        Returns
        -------
        RawOverlap
            For each pair of slots two cells, exact. Two slots of one owner are no pair, which the gate sees to.

        Notes
        -----
        Every row counts, with or without an activity. The enclave compares digests that owners' software made; an owner
        may write down those of compounds that it has not got, which the gate allows for.

        Disclosure
        ----------
        Which scaffolds or compounds are shared stays inside; counts leave by ``enclave.disclosure.overlap``.
        """
        del output
        slots = [slot for slot, _ in data.slots]
        owners = dict(data.slots)
        scaffolds = {owner: {scaffold for scaffold, _ in pairs} for owner, pairs in data.pairs.items()}
        cells = []
        for label, counted, a, b in _cells(slots):
            first, second = owners[a], owners[b]
            if counted == _IN_COMMON:
                both = len(scaffolds[first] & scaffolds[second])
            else:
                both = len({scaffold for scaffold, _ in data.pairs[first] & data.pairs[second]})
            alone = (len(scaffolds[owner]) - both for owner in (first, second))
            cells.append(RawShared(label, counted, (first, second), both, *alone))
        return RawOverlap(tuple(cells), data.secret)


def _cells(slots: Sequence[Name]) -> Iterator[tuple[str, str, Name, Name]]:
    """Yield of each cell its label, what it counts, and the two slots."""
    for a, b in combinations(slots, 2):
        for counted in _COUNTED:
            yield f"scaffolds of {a} and {b} {counted}", counted, a, b
