"""The stacking matrix as text and data: what `stacking designs --pairs` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stacking.errors import StackingError
from stacking.pair_table import MODES, VERDICTS
from stacking.pairs import ITSELF, Matrix, load_matrix

from .tables import wrapped

ANSWERS = {"Y": "yes", "y": "yes, implied", "n": "no, implied", "N": "no", "?": "not decided", "-": "not applicable"}


def check_names(names: Sequence[str], *, pairs: bool, matrix: str | None, reading: str | None) -> None:
    """Check the arguments of `stacking designs`: one design, or no service or two of them with --pairs.

    Raises:
        StackingError: for another number of names, or --matrix or --reading without --pairs.
    """
    if pairs and len(names) not in (0, 2):
        raise StackingError("--pairs takes no name or two.", key="NAME", value=" ".join(names), allowed="no service, or two",
                            remedy="For example: stacking designs --pairs BM SU")  # fmt: skip
    if not pairs and len(names) > 1:
        raise StackingError("Only one design is shown at a time.", key="NAME", value=" ".join(names), allowed="one design",
                            remedy="Give one name; two services go with --pairs.")  # fmt: skip
    for option, value in (("--matrix", matrix), ("--reading", reading)):
        if not pairs and value is not None:
            raise StackingError(f"{option} goes with --pairs.", key=option, value=value, remedy="Add --pairs.")


def pairs_data(names: Sequence[str], path: str | None = None, reading: str | None = None) -> dict[str, Any]:
    """Return the matrix, or what it says of two services, as plain data.

    Raises:
        StackingError: as `load_matrix`, and for an unknown service.
    """
    matrix = load_matrix(path, reading)
    if names:
        return _pair(matrix, *names)
    services = {name: service.model_dump() for name, service in matrix.table.services.items()}
    modes = {mode: {"counts": matrix.counts(mode), "rows": _rows(matrix, mode)} for mode in MODES}
    return {"title": matrix.table.title, "services": services, "verdicts": VERDICTS, "modes": modes}


def pairs_text(names: Sequence[str], path: str | None = None, reading: str | None = None, width: int | None = None) -> str:
    """Return the same as text.

    Raises:
        StackingError: as `pairs_data`.
    """
    matrix = load_matrix(path, reading)
    if names:
        return _pair_text(_pair(matrix, *names), width)
    legend = ", ".join(f"{sign} {meaning}" for sign, meaning in VERDICTS.items())
    parts = [f"Which services may be stacked: {matrix.table.title}", legend]
    for mode, meaning in MODES.items():
        counts = ", ".join(f"{sign} {count}" for sign, count in matrix.counts(mode).items() if count)
        parts.append(f"{mode.replace('_', '-').capitalize()}: {meaning} ({counts})\n{_grid(matrix, mode)}")
    size = max(len(name) for name in matrix.services)
    parts.append("\n".join(f"{name:{size}}  {s.title} ({s.buyer})" for name, s in matrix.table.services.items()))
    parts.append(wrapped("`stacking designs --pairs A B` says why, with its source.", width=width))
    return "\n\n".join(parts)


def _rows(matrix: Matrix, mode: str) -> dict[str, str]:
    """Return the verdicts of each service with all services, in their order, one character each."""
    return {a: "".join(matrix.cell(a, b, mode).verdict for b in matrix.services) for a in matrix.services}


def _grid(matrix: Matrix, mode: str) -> str:
    """Return one mode as a grid; the names of the columns are written downwards."""
    size = max(len(name) for name in matrix.services)
    names = [name.rjust(size) for name in matrix.services]
    head = [" " * size + "  " + " ".join(name[k] for name in names) for k in range(size)]
    body = [f"{name:{size}}  {' '.join(cells)}" for name, cells in _rows(matrix, mode).items()]
    return "\n".join(line.rstrip() for line in (*head, *body))


def _pair(matrix: Matrix, first: str, second: str) -> dict[str, Any]:
    first, second = matrix.service(first), matrix.service(second)
    if first == second:
        raise StackingError("Only two different services make a pair.", key="NAME", value=f"{first} {second}", allowed=ITSELF,
                            remedy="Name two services; `stacking designs --pairs` lists them.")  # fmt: skip
    modes = {mode: matrix.cell(first, second, mode)._asdict() for mode in MODES}
    return {"services": {name: matrix.table.services[name].model_dump() for name in (first, second)}, "modes": modes}


def _pair_text(pair: dict[str, Any], width: int | None) -> str:
    lines = [" and ".join(f"{name} ({service['title']}, {service['buyer']})" for name, service in pair["services"].items())]
    for mode, cell in pair["modes"].items():
        condition = "; same direction only" if cell["same_direction"] else ""
        answer = f"{ANSWERS[cell['verdict']]} [{cell['verdict']}]{condition}"
        text = f"{mode.replace('_', '-'):11}  {MODES[mode]}: {answer}. Why: {cell['reason']}."
        lines.append(wrapped(text, indent=" " * 13, width=width))
    sources = dict.fromkeys(cell["source"] for cell in pair["modes"].values())
    lines += [wrapped(f"Source: {source}", indent=" " * 8, width=width) for source in sources]
    return "\n".join(lines)
