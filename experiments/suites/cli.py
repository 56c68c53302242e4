"""The commands `stacking suite`, `stacking suite-enter` and `stacking suite-table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Json
from ..terminal import command, note, print_json

if TYPE_CHECKING:
    from .run import Planned

STAGES = ("train", "tune", "test")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Shipped suite (claim, bench-v1), or a .toml file.")]
Out = Annotated[str | None, typer.Option("--out", help="Folder; what lies there is kept. [results/NAME]")]
Data = Annotated[str | None, typer.Option("--data", help="Folder of price files; tests without theirs are left out.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Cell; repeatable. [all]")]
SeedCount = Annotated[int | None, typer.Option("--seeds", min=0, help="The first so many training seeds; 0: rivals alone. [all]")]
Entered = Annotated[str, typer.Argument(metavar="STRATEGY", help="Name, FILE.py:Class or .npz; {cell}, {seed} may stand in it.")]
Places = Annotated[list[str] | None, typer.Argument(metavar="[FILE|FOLDER]...", help="Submissions beside the shipped ones.")]
Width = Annotated[int | None, typer.Option(help="Columns of the text.")]


@command
def suite(
    name: Name,
    out: Out = None,
    data: Data = None,
    only: Only = None,
    steps: Annotated[list[int] | None, typer.Option("--steps", help="Budget of the suite; repeatable. [all]")] = None,
    seeds: SeedCount = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=256, help="Processes side by side.")] = 1,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="train, tune or test; repeatable; only test opens the test split. [train, tune]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained and tuned only.")] = False,
    width: Width = None,
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
    from .submissions import submissions_of, write_submissions
    from .view import to_text, write_report

    report = test(plan, note)
    write_submissions(submissions_of(plan.name, plan.suite, report.tested.played), plan.out / "submissions")
    data = {**to_data(report), "out": str(plan.out)}
    written = json.dumps({k: v for k, v in data.items() if k != "out"}, indent=2, allow_nan=False) + "\n"
    files = write_report(report, plan.out, to_text(report, 200), written.encode())
    if as_json:
        print_json({**data, "files": [str(file) for file in files]})
    else:
        typer.echo(to_text(report, width))
        typer.echo(f"\nRows, report, charts and submissions: {plan.out}")


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
    for cell in plan.part.cells_of(plan.suite):
        typer.echo(f"tests of {cell.name}: {', '.join(test.name for test in cell.tests)}")


@command
def suite_enter(
    name: Name,
    strategy: Entered,
    label: Annotated[str, typer.Option("--name", help="Name in the table: small letters, digits, _.")],
    steps: Annotated[int, typer.Option("--steps", min=0, help="Budget with which it was trained or tuned; 0 if it was not.")] = 0,
    by: Annotated[str, typer.Option("--by", help="Who enters it.")] = "",
    link: Annotated[str, typer.Option("--link", help="Where its code is.")] = "",
    remark: Annotated[str, typer.Option("--note", help="What a reader must know.")] = "",
    out: Out = None,
    data: Data = None,
    only: Only = None,
    seeds: SeedCount = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Let a strategy of your own play the tests of a suite, and write its submission: one file, which extends the table."""
    from pathlib import Path

    from ..runner import ensure_compiled
    from .enter import enter
    from .plan import Part
    from .record import read_suite
    from .run import check_folder, keep_record
    from .submissions import write_submissions

    short, record = read_suite(name)
    folder = Path(out or f"results/{short}-{label}").expanduser()
    check_folder(folder, record)
    ensure_compiled("serial", note)
    keep_record(folder, short, record)
    place = None if data is None else Path(data).expanduser()
    found = enter(short, record, Part(tuple(only or ()), (), seeds), strategy, label, steps, folder, place, note)
    (file,) = write_submissions([found.model_copy(update={"by": by, "link": link, "note": remark})], folder / "submissions")
    if as_json:
        print_json({"file": str(file), "results": len(found.results)})
    else:
        typer.echo(f"Written: {file}\nNext: stacking suite-table {name} {file}")


@command
def suite_table(
    name: Name,
    places: Places = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Make the table of a suite from submissions, as Markdown."""
    import dataclasses

    from .record import read_suite
    from .submissions import read_submissions
    from .table import lines_of, markdown

    short, record = read_suite(name)
    lines = lines_of(record, read_submissions(short, record, tuple(places or ())))
    if not as_json:
        typer.echo(markdown(record, lines), nl=False)
        return
    from .report import difference_data

    plain = [dataclasses.asdict(dataclasses.replace(line, against=None)) for line in lines]
    against = [None if line.against is None else difference_data(line.against) for line in lines]
    print_json([{**row, "against": found} for row, found in zip(plain, against, strict=True)])
