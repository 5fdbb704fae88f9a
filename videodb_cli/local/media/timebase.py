"""Time bases as exact fractions, whichever PyAV is installed."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol


class Ratio(Protocol):
    """What PyAV gives as a time base: a `Fraction` or None below 19; from 19 on its own class, and 0/1 for none."""

    @property
    def numerator(self) -> int:
        """The upper number."""

    @property
    def denominator(self) -> int:
        """The lower number."""

    def __bool__(self) -> bool: ...


def exact(ratio: Ratio) -> Fraction:
    """The same ratio as a `Fraction`, which every PyAV calculates with and takes."""
    return Fraction(ratio.numerator, ratio.denominator)
