"""``clinical.glm``: linear and logistic regression, with partners as fixed effects where wanted."""

from enclave.analyses.clinical.glm.analysis import Glm

__all__ = ["Glm"]
