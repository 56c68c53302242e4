"""What a pair of services means for the offer gates of a design: which ledgers they see and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .config import Design, Ledger, Product
from .errors import StackingError
from .pair_table import MODES, Mode, Verdict
from .pairs import Cell, Matrix

Behaviour = Literal["parallel", "parallel_adjusted", "exclusive"]
Undecided = Literal["refuse", "allow"]

BASELINE_FROZEN_MIN = 60.0
"""Minutes before delivery at which a balancing service of Great Britain freezes its baseline or physical notification."""

MW_NOT_ASSET = "refuses_offered refuses the MW that were offered elsewhere; the table bars different MW of the same asset too"
ONE_DELIVERY = "the gates look at one delivery; the table bars use at other times too"


@dataclass(frozen=True)
class PairGates:
    """How the offer gates of a local and a balancing product behave when a matrix rules the pair.

    Args:
        local, balancing: services of the matrix that the two products stand for.
        behaviour: the preset whose offer gates these are.
        sees: ledgers whose sales and pending bids lower what is permitted, by book of the offer gate.
        refuses_offered: ledgers whose offered MW are refused, by book of the offer gate.
        rules: entries of a design's [rules] that follow.
        verdicts: verdict of the pair by mode.
        beyond: what the table says and gates cannot express, one sentence each.
    """

    local: str
    balancing: str
    behaviour: Behaviour
    sees: Mapping[Ledger, tuple[Ledger, ...]]
    refuses_offered: Mapping[Ledger, tuple[Ledger, ...]]
    rules: Mapping[str, Any]
    verdicts: Mapping[Mode, Verdict]
    beyond: tuple[str, ...]


def pair_gates(matrix: Matrix, local: str, balancing: str, *, undecided: Undecided = "refuse") -> PairGates:
    """Return the behaviour of the offer gates that follows from the verdicts of a pair.

    co-delivery yes -> `parallel` (each gate sees its own ledger, the same MW may be sold twice, and with the rule `validation =
    "separate"` it counts for both buyers and is paid twice, as the table has it); otherwise splitting yes ->
    `parallel_adjusted` (each gate sees both ledgers); otherwise `exclusive` (in addition, MW offered in the other ledger are
    refused). A pair that may be split in the same direction only gets the rule `block_opposite_balancing`. What gates
    cannot say stands in `beyond`.

    A preset (`gb_stacking`) is this on top of another design: `with_pair(design, gates, name)`, or in TOML the `sees` and
    `refuses_offered` of its two offer gates and the entries of `rules`. With local sales known 105 min before delivery (SU)
    beside the Balancing Mechanism (BM) that is `parallel_adjusted`, with calls at the start of delivery (OUr) `exclusive` with
    the product `lfm_late`.

    Args:
        matrix: the matrix.
        local, balancing: services that the products `lfm` and `mfrr` stand for (`local_service` gives a reading of the first).
        undecided: whether "?" is read as no (default) or as yes; "-" is a no. The choice is assumed: the source has none.

    Raises:
        StackingError: for an unknown service, for services that are the same, or another word for `undecided`.
    """
    if undecided not in ("refuse", "allow"):
        raise StackingError("Unknown reading of undecided pairs.", key="undecided", value=undecided, allowed="refuse, allow",
                            remedy="Use one of the two.")  # fmt: skip
    local, balancing = matrix.service(local), matrix.service(balancing)
    if local == balancing:
        raise StackingError("A service is not paired with itself.", place=matrix.place, key="balancing", value=balancing,
                            allowed="another service than the local one", remedy="Name two services.")  # fmt: skip
    cells: dict[Mode, Cell] = {mode: matrix.cell(local, balancing, mode) for mode in MODES}
    verdicts: dict[Mode, Verdict] = {mode: cell.verdict for mode, cell in cells.items()}
    allowed = {mode: verdict in "Yy" or (verdict == "?" and undecided == "allow") for mode, verdict in verdicts.items()}
    behaviour: Behaviour = "parallel" if allowed["co_delivery"] else "parallel_adjusted" if allowed["splitting"] else "exclusive"
    one_way = behaviour == "parallel_adjusted" and cells["splitting"].same_direction
    both: tuple[Ledger, ...] = ("lfm", "mfrr")
    return PairGates(
        local, balancing, behaviour,
        sees={"lfm": both, "mfrr": both} if behaviour != "parallel" else {"lfm": ("lfm",), "mfrr": ("mfrr",)},
        refuses_offered={"lfm": ("mfrr",), "mfrr": ("lfm",)} if behaviour == "exclusive" else {"lfm": (), "mfrr": ()},
        rules={"block_opposite_balancing": one_way} | ({"validation": "separate"} if behaviour == "parallel" else {}),
        verdicts=verdicts, beyond=_beyond(behaviour, allowed["jumping"]),
    )  # fmt: skip


def _beyond(behaviour: Behaviour, jumping: bool) -> tuple[str, ...]:
    """Return what the gates of a behaviour leave unsaid."""
    said = {
        MW_NOT_ASSET: behaviour == "exclusive",
        ONE_DELIVERY: behaviour == "exclusive" and not jumping,
    }
    return tuple(sentence for sentence, holds in said.items() if holds)


def local_service(product: Product) -> str:
    """Return the DSO product of Great Britain that a local product resembles: SU if its sales are known in time, else OUr.

    In time: publication_min >= 60, before the baseline of the balancing service is frozen. That the two stand for Scheduled
    and Operational Utilisation is assumed.
    """
    return "SU" if product.publication_min >= BASELINE_FROZEN_MIN else "OUr"


def with_pair(design: Design, gates: PairGates, name: str) -> Design:
    """Return a design whose two offer gates and rules are those of a pair; everything else stays.

    Raises:
        StackingError: for a design that forwards, because a matrix of pairs knows no forwarding.
    """
    if design.shares:
        raise StackingError("A stacking matrix knows no forwarding.", place=f"design {design.name}", key="gates", value="forward",
                            allowed="a design that does not forward", remedy="Start from parallel or parallel_late.")  # fmt: skip
    data = design.model_dump()
    data.update(name=name, title=f"{gates.local} beside {gates.balancing}: {gates.behaviour}")
    data["story"] = " ".join([f"What the stacking matrix says of {gates.local} and {gates.balancing}.", *gates.beyond])
    data["rules"].update(gates.rules)
    for gate in data["gates"]:
        if gate["kind"] == "offer":
            gate.update(sees=gates.sees[gate["book"]], refuses_offered=gates.refuses_offered[gate["book"]])
    return Design.model_validate(data)
