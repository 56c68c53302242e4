"""The command `stacking export`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Json
from .terminal import command, note, print_json, progress_bar


@command
def export(
    env: Annotated[str, typer.Argument(help="Id of an environment, such as stacking/NorFlexEam-v0, or a design.")],
    strategy: Annotated[str | None, typer.Option("--strategy", help="Strategy or policy; random decisions by default.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many; each plays another scenario.")] = 16,
    out: Annotated[str, typer.Option("--out", help="File to write, .npz.")] = "episodes.npz",
    seed: Annotated[int, typer.Option(min=0, help="Seed of random decisions.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of a setting; may be repeated.")] = None,
    minari: Annotated[str | None, typer.Option(help="Also as this Minari dataset, such as stacking/rebid-v0.")] = None,
    as_json: Json = False,
) -> None:
    """Record episodes of a strategy for offline learning (docs/environments.md)."""
    from ..envs import minari_data, offline
    from .describe import settings_from
    from .runner import ensure_compiled

    offline.checked_path(out)
    if minari is not None:
        minari_data.check_minari()
    wanted = settings_from(settings or ())
    ensure_compiled("serial", note)
    with progress_bar("Recording", episodes) as advance:
        found = offline.record_episodes(env, episodes=episodes, strategy=strategy, seed=seed, advance=advance, **wanted)
    path = offline.save_episodes(found, out)
    if minari is not None:
        minari_data.to_minari(found, minari)
    steps, mean_eur = int(found.lengths.sum()), float(found.net_eur.mean())
    if as_json:
        print_json({"file": str(path), "minari": minari, "env": found.card.env, "strategy": found.card.strategy,
                    "episodes": len(found), "steps": steps, "mean_net_eur": mean_eur, "bytes": path.stat().st_size})  # fmt: skip
        return
    where = f" and Minari dataset {minari}" if minari else ""
    typer.echo(f"{len(found)} episodes of {found.card.strategy} in {found.card.env}, {steps:,} steps, {mean_eur:,.0f} EUR each.\n"
               f"Written: {path}{where}")  # fmt: skip
