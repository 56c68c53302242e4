"""Seeds by purpose: who draws what for does not depend on the order or the number of rows."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from .strategies.base import Seed

UintArray = NDArray[np.uint64]


def seed_of(*purpose: object) -> int:
    """Return a 63-bit number from the names of a purpose, the same on every machine.

    >>> seed_of("rebid", 7) == seed_of("rebid", 7), seed_of("rebid", 7) == seed_of("rebid", 8)
    (True, False)
    """
    # the separator keeps ("ab", "c") and ("a", "bc") apart
    digest = hashlib.sha256("\x1f".join(str(p) for p in purpose).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def row_seeds(n: int, seed: Seed) -> UintArray:
    """Return one seed per row, (n,): the given ones, or row numbers mixed into a single one."""
    if isinstance(seed, (int, np.integer)):
        return mix(np.uint64(int(seed) & 0xFFFFFFFFFFFFFFFF) + np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.asarray(seed).astype(np.uint64).reshape(n)


def uniform(seeds: UintArray, counter: UintArray) -> NDArray[np.float64]:
    """Return one number in [0, 1) per row for its seed and a counter, (n,); a pure function, nothing is stored."""
    return (mix(seeds ^ mix(counter)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mix(x: UintArray) -> UintArray:
    """Scramble 64-bit numbers (finaliser of SplitMix64; arithmetic modulo 2**64)."""
    x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
