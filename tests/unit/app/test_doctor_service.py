"""A clock skew is told only if it is surely there: the Date of an answer has whole seconds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.app.doctor_service import clock_skew_s


@given(now=st.floats(1e9, 2e9), took=st.floats(0, 5), answered=st.floats(0, 1), skew=st.floats(-1.99, 1.99))
def test_rounding_is_no_skew(now: float, took: float, answered: float, skew: float) -> None:
    date = math.floor(now + took * answered + skew)
    assert clock_skew_s(date - (now + took), took) is None


@given(now=st.floats(1e9, 2e9), took=st.floats(0, 5), answered=st.floats(0, 1), skew=st.floats(-1e6, 1e6))
def test_what_is_told_is_never_more_than_the_truth(now: float, took: float, answered: float, skew: float) -> None:
    date = math.floor(now + took * answered + skew)
    told = clock_skew_s(date - (now + took), took)
    if told is not None:
        assert told * skew > 0
        assert 2 <= abs(told) <= abs(skew) + 1e-3
    else:
        assert abs(skew) <= 2 + 1 + took + 1e-3


@pytest.mark.parametrize(("offset", "told"), [(-0.9, None), (-3.5, -2.5), (2.5, 2.5), (-600.0, -599.0), (600.0, 600.0)])
def test_examples(offset: float, told: float | None) -> None:
    assert clock_skew_s(offset, 0.0) == told
