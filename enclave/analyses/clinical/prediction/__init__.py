"""``clinical.prediction``: models trained on some cohorts and validated on others."""

from enclave.analyses.clinical.prediction.analysis import Prediction

__all__ = ["Prediction"]
