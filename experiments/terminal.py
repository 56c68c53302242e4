"""What commands print, how they fail, and the bar that shows how far they are."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command: bad input becomes clear text (JSON with --json) and exit code 2, Ctrl-C exit code 130."""

    @functools.wraps(function)
    def guarded(*arguments: Any, **options: Any) -> None:
        from stacking.errors import StackingError

        try:
            function(*arguments, **options)
        except StackingError as error:
            if options.get("as_json"):
                print_json({"error": error.to_dict()})
            else:
                typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)
            raise typer.Exit(130) from None

    return guarded


def print_json(data: Any) -> None:
    """Print data as JSON; a number that is not finite would be no JSON and is an error of ours."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False))


def note(text: str) -> None:
    """Tell the user something that is no result: on stderr, so that stdout stays clean."""
    typer.echo(text, err=True)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr where somebody looks at it; gives the function to call with the steps done."""
    if not sys.stderr.isatty():
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.advance(task, steps)
