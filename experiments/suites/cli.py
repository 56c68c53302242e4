"""The command `stacking suite`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Json
from ..terminal import command, note, print_json

if TYPE_CHECKING:
    from .run import Planned

STAGES = ("train", "tune", "test")


@command
def suite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Shipped suite (claim, bench-v1), or a .toml file.")],
    out: Annotated[str | None, typer.Option("--out", help="Folder; what lies there is kept. [results/NAME]")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Folder of price files; tests without theirs are left out.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Cell; repeatable. [all]")] = None,
    steps: Annotated[list[int] | None, typer.Option("--steps", help="Budget of the suite; repeatable. [all]")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="The first so many training seeds. [all]")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=256, help="Processes side by side.")] = 1,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="train, tune or test; repeatable; only test opens the test split. [train, tune]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained and tuned only.")] = False,
    width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Train and tune what a suite asks for, then test everybody on scenarios that nobody has seen."""
    from stacking.errors import StackingError

    from ..runner import ensure_compiled
    from .plan import Part
    from .record import read_suite
    from .run import planned, prepare

    stages: Any = tuple(stage or ("train", "tune"))
    for given in stages:
        if given not in STAGES:
            raise StackingError("There is no such stage.", key="--stage", value=given, allowed=", ".join(STAGES))
    short, record = read_suite(name)
    plan = planned(short, record, Part(tuple(only or ()), tuple(steps or ()), seeds), out or f"results/{short}", data)
    if dry_run:
        _dry(plan, as_json)
        return
    ensure_compiled("serial", note)
    prepare(plan, stages, jobs, note)
    if "test" in stages:
        _test(plan, width, as_json)
    elif as_json:
        print_json(_state(plan))
    else:
        typer.echo(f"All that was asked for is trained and tuned: {plan.out}\nNext: stacking suite {name} --stage test ...")


def _test(plan: Planned, width: int | None, as_json: bool) -> None:
    import json

    from .report import to_data
    from .run import test
    from .view import to_text, write_report

    report = test(plan, note)
    data = {**to_data(report), "out": str(plan.out)}
    written = json.dumps({k: v for k, v in data.items() if k != "out"}, indent=2, allow_nan=False) + "\n"
    files = write_report(report, plan.out, to_text(report, 200), written.encode())
    if as_json:
        print_json({**data, "files": [str(file) for file in files]})
    else:
        typer.echo(to_text(report, width))
        typer.echo(f"\nRows, report and charts: {plan.out}")


def _state(plan: Planned) -> dict[str, Any]:
    jobs = [{"kind": j.kind, "label": j.label, "steps": j.steps, "done": j.done, "file": str(j.file)} for j in plan.jobs]
    return {"suite": plan.name, "out": str(plan.out), "jobs": jobs, "left_out": list(plan.skipped)}


def _dry(plan: Planned, as_json: bool) -> None:
    if as_json:
        print_json(_state(plan))
        return
    for job in plan.jobs:
        typer.echo(f"{'done' if job.done else '    '}  {job.label}")
    for text in plan.skipped:
        typer.echo(f"left out: {text}")
    left = [job for job in plan.jobs if not job.done]
    typer.echo(f"{len(left)} of {len(plan.jobs)} to do, {sum(job.steps for job in left):,} steps.")
    for group in {(cell.name, *(test.name for test in cell.tests)) for cell in plan.part.cells_of(plan.suite)}:
        typer.echo(f"tests of {group[0]}: {', '.join(group[1:])}")
