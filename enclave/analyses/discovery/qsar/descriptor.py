"""What ``discovery.qsar`` says of itself."""

from enclave.analyses.base import Descriptor, OutputSpec
from enclave.analyses.discovery.qsar.models import MODELS
from enclave.analyses.parameters import ParameterSpec

__all__ = ["DESCRIPTOR"]

_ALL = ("pooled", "uplift")

DESCRIPTOR = Descriptor(
    name="discovery.qsar",
    title="Activity from structure",
    estimand=(
        "Root mean squared error and coefficient of determination of models of an activity, on compounds whose "
        "scaffolds the models have never seen: trained on one partner's compounds, on all partners', and the "
        "difference."
    ),
    profile="discovery",
    parameters=(
        ParameterSpec("activity", "column", "The measured activity: a number.", _ALL),
        ParameterSpec("fingerprint", "column", "Structural bits, ECFP4 for one, of one width everywhere.", _ALL),
        ParameterSpec("descriptors", "columns", "Numbers that describe a compound.", _ALL),
        ParameterSpec("scaffold", "column", "Digest of the Bemis-Murcko scaffold; acyclic compounds share one.", _ALL),
        ParameterSpec("compound", "column", "Digest of the InChIKey: the same compound at two partners.", _ALL),
        ParameterSpec("models", "choices", "Which models to train.", _ALL, MODELS),
    ),
    outputs=(
        OutputSpec(
            "pooled",
            "metrics",
            "Error of models trained on all partners' compounds, on all partners' test sets.",
            "How well the activity of new scaffolds is predicted by models of all partners' data together, and about "
            "how many compounds were tested. No model, prediction or compound. A scaffold of more than a tenth of all "
            "compounds is never tested, so acyclic compounds, which share one, may all be for training.",
        ),
        OutputSpec(
            "uplift",
            "metrics",
            "Error on one partner's test set of models of its own and of all partners' data.",
            "To this partner alone: what pooling does for the prediction of its own compounds. It reveals how much the "
            "other partners' compounds, taken together, say about its own.",
            per_slot=True,
        ),
    ),
    references=(
        "Rogers D, Hahn M (2010). Extended-connectivity fingerprints. J Chem Inf Model 50:742-754.",
        "Bemis GW, Murcko MA (1996). The properties of known drugs. 1. Molecular frameworks. J Med Chem 39:2887-2893.",
        "Sheridan RP (2013). Time-split cross-validation. J Chem Inf Model 53:783-790.",
        "Heyndrickx W et al. (2024). MELLODDY: cross-pharma federated learning. J Chem Inf Model 64:2331-2344.",
    ),
    outside_answer=(
        "NumPy's closed form of ridge regression, scikit-learn's metrics; ESOL (Delaney 2004), whose own predictions "
        "have an error of 0.910."
    ),
)
