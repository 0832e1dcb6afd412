"""Compiled loop that turns rows of numbers into text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled, frozen, inlined

Array = npt.NDArray[Any]

_DIGITS = 9
"""Significant digits: as many as tell every float32 from its neighbours."""
_WIDEST = 18
"""Characters of a number at most: sign, digits, point and exponent, or a whole number."""


def rows_of_text(numbers: npt.NDArray[Any], template: str) -> bytes:
    """The rows of an array, each put into the places that `%` marks in a template.

    Parameters
    ----------
    numbers : ndarray, shape (n, c)
        float32, or integers up to 10^15.
    template : str
        ASCII, with c times `%`.

    Returns
    -------
    bytes
        Numbers in the shortest form of at most nine significant digits (integers with
        all of theirs): reading one as float32 gives that float32.

    Examples
    --------
    >>> rows_of_text(np.array([[0.5, -2], [1 / 3, 1e-9]], np.float32), "<v x=% y=%/>")
    b'<v x=0.5 y=-2/><v x=0.333333343 y=9.99999972e-10/>'
    """
    parts = [part.encode("ascii") for part in template.split("%")]
    between = frozen(np.frombuffer(b"".join(parts), np.uint8), np.uint8)
    ends = frozen(np.cumsum([len(part) for part in parts]), np.int64)
    width = len(between) + _WIDEST * numbers.shape[1]
    text = np.empty(width * len(numbers), np.uint8)
    return text[: _fill(frozen(numbers, np.float64), between, ends, text)].tobytes()


@compiled
def _fill(numbers: Array, between: Array, ends: Array, text: Array) -> int:
    at = 0
    for row in range(len(numbers)):
        start = 0
        for part in range(len(ends)):
            if part:
                at = _number(numbers[row, part - 1], text, at)
            for n in range(start, ends[part]):
                text[at] = between[n]
                at += 1
            start = ends[part]
    return at


@inlined
def _number(x: float, text: Array, at: int) -> int:
    if x < 0:
        text[at] = 45  # -
        at += 1
        x = -x
    if x < 1e15 and x == np.floor(x):
        return _digits(int(x), 1, text, at)
    exponent = int(np.floor(np.log10(x)))
    # As a fraction, or as a number from 1 to 10 with a power of ten after it.
    powered = exponent < -4 or x >= 1e15
    whole = int(np.floor(x * 10.0 ** (_DIGITS - 1 - exponent) + 0.5))
    places = _DIGITS - 1 if powered else _DIGITS - 1 - exponent
    while places > 0 and whole % 10 == 0:
        whole //= 10
        places -= 1
    power = 1
    for _ in range(places):
        power *= 10
    at = _digits(whole // power, 1, text, at)
    if places:
        text[at] = 46  # .
        at = _digits(whole % power, places, text, at + 1)
    if powered:
        text[at], text[at + 1] = 101, 45 if exponent < 0 else 43  # e and a sign
        at = _digits(abs(exponent), 2, text, at + 2)
    return at


@inlined
def _digits(number: int, least: int, text: Array, at: int) -> int:
    """A whole number with leading zeros to at least so many digits."""
    count = 1
    rest = number
    while rest > 9:
        rest //= 10
        count += 1
    count = max(count, least)
    for n in range(count - 1, -1, -1):
        text[at + n] = 48 + number % 10
        number //= 10
    return at + count
