"""A small fully connected network, evaluated row by row in plain loops: a row gives the same bits alone and in any batch."""

from __future__ import annotations

import math
from typing import Any

from stacking.build import law

TANH, RELU = 0, 1
ACTIVATIONS = {"tanh": TANH, "relu": RELU}


@law
def activated(x: float, kind: int) -> float:
    """Return tanh(x), or max(0, x).

    >>> activated(-1.0, RELU), round(activated(1.0, TANH), 4)
    (0.0, 0.7616)
    """
    return math.tanh(x) if kind == TANH else max(0.0, x)


def forward(seen: Any, sizes: Any, weights: Any, biases: Any, kind: int, work: Any, out: Any) -> None:
    """Write what a network puts out: x W + b in each layer, activated in all but the last.

    Args:
        seen: (row, first size).
        sizes: (layer + 1,) widths.
        weights: (sum of in x out,) of all layers one behind the other, each (in, out).
        biases: (sum of out,) likewise.
        kind: TANH or RELU.
        work: (2, largest width), overwritten.
        out: (row, last size), written.
    """
    layers = sizes.shape[0] - 1
    for r in range(seen.shape[0]):
        for k in range(sizes[0]):
            work[0, k] = seen[r, k]
        at, bias = 0, 0
        for layer in range(layers):
            source, target = layer % 2, (layer + 1) % 2
            wide, narrow = sizes[layer], sizes[layer + 1]
            for k in range(narrow):
                work[target, k] = biases[bias + k]
            for j in range(wide):
                x = work[source, j]
                for k in range(narrow):
                    work[target, k] += x * weights[at + j * narrow + k]
            at, bias = at + wide * narrow, bias + narrow
            if layer < layers - 1:
                for k in range(narrow):
                    work[target, k] = activated(work[target, k], kind)
        for k in range(sizes[layers]):
            out[r, k] = work[layers % 2, k]
