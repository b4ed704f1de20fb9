"""Newton's method: it halves steps that lead down or too far, and says where it does not arrive."""

import math

import numpy as np
import pytest

from enclave.analyses.newton import climb


class Hill:
    """A log likelihood of one coefficient, from functions of it; remembers where it was asked for its height."""

    def __init__(self, height, slope, bend):
        self.functions, self.places = (height, slope, bend), []

    def loglike(self, params):
        self.places.append(float(params[0]))
        return self.functions[0](params[0])

    def score(self, params):
        return np.array([self.functions[1](params[0])])

    def hessian(self, params):
        return np.array([[self.functions[2](params[0])]])


def start(hill):
    return -hill.hessian(np.zeros(1))


LINE = np.array([[0.0], [1.0]])


def parabola(top):
    return Hill(lambda at: -((at - top) ** 2), lambda at: -2 * (at - top), lambda _: -2.0)


def test_a_parabola_takes_one_step():
    hill = parabola(3.0)
    assert climb(hill, LINE, start(hill)) == pytest.approx([3.0], abs=1e-12)
    assert hill.places == [0.0, 3.0]


def test_steps_that_lead_down_are_halved():
    # From 0 a whole Newton step on -log(cosh(x - 2)) goes far beyond the top, where it is lower.
    hill = Hill(
        lambda at: -math.log(math.cosh(at - 2)), lambda at: -math.tanh(at - 2), lambda at: -1 / math.cosh(at - 2) ** 2
    )
    assert climb(hill, LINE, start(hill)) == pytest.approx([2.0], abs=1e-7)
    assert max(hill.places) > 10


def test_steps_that_lead_too_far_are_halved_unseen():
    hill = parabola(100.0)
    assert climb(hill, LINE, start(hill)) is None
    assert max(hill.places) <= 80
    near = parabola(100.0)
    assert climb(near, LINE * 0.5, start(near)) == pytest.approx([100.0], abs=1e-9)
    far = parabola(100.0)
    assert climb(far, LINE, start(far), widest=120.0) == pytest.approx([100.0], abs=1e-9)


def test_a_slope_without_a_top_has_no_estimate():
    hill = Hill(lambda at: -math.exp(-at), lambda at: math.exp(-at), lambda at: -math.exp(-at))
    assert climb(hill, LINE, start(hill)) is None


def test_iterations_and_tolerance_are_the_callers():
    def hill():
        return Hill(lambda at: -((at - 1) ** 4), lambda at: -4 * (at - 1) ** 3, lambda at: -12 * (at - 1) ** 2)

    assert climb(hill(), LINE, start(hill()), iterations=5) is None
    rough, fine = (climb(hill(), LINE, start(hill()), iterations=200, tolerance=size) for size in (1e-2, 1e-8))
    assert abs(fine[0] - 1) < 1e-6 < abs(rough[0] - 1)


def test_a_flat_place_is_told():
    with pytest.raises(np.linalg.LinAlgError):
        climb(parabola(1.0), LINE, np.zeros((1, 1)))
