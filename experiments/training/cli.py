"""The commands `stacking train` and `stacking import-policy`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..options import Json
from ..terminal import command, note, print_json, progress_bar

Env = Annotated[str, typer.Option("--env", help="Id of the environment, such as stacking/NorFlexEam-v0.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="KEY=VALUE: steps=1000000, env.portfolio=default, parameters.n_epochs=10; repeatable."),
]


@command
def train(
    algorithm: Annotated[
        str, typer.Argument(metavar="ALGO", help="ppo, sac, maskable_ppo (tuned), another class of SB3, or a .toml file.")
    ],
    env: Env = "stacking/NorFlexEam-v0",
    out: Annotated[str | None, typer.Option("--out", help="Folder. [results/train/ALGO-DESIGN-SEED]")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the policy as a strategy. [ALGO_DESIGN]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    settings: Changes = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on with a training that lies in the folder.")] = True,
    as_json: Json = False,
) -> None:
    """Train a policy, look at the validation split as it learns, and keep the best as a file that `compare` plays."""
    import shlex
    import sys
    from pathlib import Path

    from ...envs.ids import settings_of
    from ..runner import ensure_compiled
    from .algorithms import class_of
    from .record import training

    record = training(algorithm, tuple(settings or ()), settings_of(env))
    class_of(record.algorithm)
    from .train import Trainer
    from .validation import Validation

    design = str(record.env.get("design", "custom"))
    stem = f"{Path(algorithm).stem.lower()}_{Path(design).stem}"
    folder = Path(out or f"results/train/{stem}-{seed}")
    ensure_compiled("serial", note)
    made_by = "stacking " + shlex.join(sys.argv[1:])
    trainer = Trainer(record, folder, env_id=env, name=name or stem, seed=seed, made_by=made_by, resume=resume)
    if trainer.progress.leg:
        note(f"Going on after {trainer.progress.steps:,} steps.")
    validation = Validation(record)
    with progress_bar("Training", record.legs - trainer.progress.leg) as advance:
        done = trainer.run(lambda line: _tell(line, validation.rival, advance), validation)
    if as_json:
        print_json(_data(done, validation.rival))
    else:
        typer.echo(_text(done, validation.rival))


def _tell(line: Any, rival: str, advance: Any) -> None:
    """Say how far a training is where somebody waits for it."""
    advance(1)
    if line.gain_eur == line.gain_eur:
        share = 100.0 * line.gain_eur / abs(line.rival_eur) if line.rival_eur else float("nan")
        note(f"{line.steps:>12,} steps {line.seconds:6.0f} s   {line.policy_eur:9,.0f} EUR per validation episode, "
             f"{rival} {line.gain_eur:+,.0f} [{line.gain_low_eur:,.0f}, {line.gain_high_eur:,.0f}], {share:+.1f} %")  # fmt: skip


def _data(done: Any, rival: str) -> dict[str, Any]:
    look = done.look
    return {
        "policy": str(done.file), "steps": done.progress.steps, "seconds": round(done.progress.seconds, 1), "rival": rival,
        "policy_eur": look.policy_eur, "rival_eur": look.rival_eur, "gain_eur": look.gain.estimate,
        "gain_low_eur": look.gain.low, "gain_high_eur": look.gain.high, "validation_scenarios": look.gain.count,
    }  # fmt: skip


def _text(done: Any, rival: str) -> str:
    look = done.look
    return (
        f"{done.progress.steps:,} steps in {done.progress.seconds:,.0f} s. The best policy on {look.gain.count} validation "
        f"episodes (it was chosen there, so this is no test): {look.policy_eur:,.0f} EUR, {rival} {look.rival_eur:,.0f}, "
        f"difference {look.gain.estimate:+,.0f} [{look.gain.low:,.0f}, {look.gain.high:,.0f}].\n"
        f"{done.file}\nNext: stacking compare --strategy {done.file} --design {done.policy.card.settings.get('design', '...')}"
    )


@command
def curves(
    folders: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Folders of trainings, or of a suite.")],
    out: Annotated[str, typer.Option("--out", help="SVG file to write.")] = "curves.svg",
    as_json: Json = False,
) -> None:
    """Draw what trainings gained on the validation split as they learned: mean and range over their seeds."""
    from .curves import write_curves

    found = write_curves(folders, out)
    if as_json:
        print_json([{"name": c.name, "rival": c.rival, "seeds": list(c.seeds), "steps": list(c.steps),
                     "gain_eur": c.gain_eur.tolist()} for c in found])  # fmt: skip
        return
    for c in found:
        last = c.gain_eur[:, -1]
        typer.echo(f"{c.name}: {len(c.seeds)} seed(s), after {c.steps[-1]:,} steps {last.mean():+,.0f} EUR per validation "
                   f"episode over {c.rival} ({last.min():+,.0f} to {last.max():+,.0f})")  # fmt: skip
    typer.echo(f"Written: {out}")


@command
def import_policy(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Model of stable-baselines3, .zip by model.save.")],
    out: Annotated[str, typer.Option("--out", help="File of the policy, .npz.")],
    algorithm: Annotated[str, typer.Option("--algorithm", help="Class that made it: PPO, SAC, MaskablePPO, ...")] = "PPO",
    env: Env = "stacking/NorFlexEam-v0",
    name: Annotated[str, typer.Option("--name", help="Name of the policy as a strategy.")] = "imported",
    settings: Changes = None,
    trust: Annotated[bool, typer.Option("--trust", help="You know who made the file: reading it can run code.")] = False,
    as_json: Json = False,
) -> None:
    """Turn a model of stable-baselines3 into a policy of plain arrays; asks first, because reading such a file can run code."""
    import sys

    from ...envs.ids import settings_of
    from ...envs.policy import save_policy
    from .algorithms import class_of, kind_of
    from .record import bare

    kind_of(algorithm)
    class_of(algorithm)
    from .foreign import RISK
    from .foreign import import_policy as read

    if not trust and sys.stdin.isatty() and not as_json:
        trust = typer.confirm(f"{RISK} Open {file}?")
    record = bare(algorithm, tuple(settings or ()), settings_of(env))
    policy = read(file, record, env_id=env, name=name, trusted=trust, made_by=f"stacking import-policy {file}")
    saved = save_policy(policy, out)
    if as_json:
        print_json({"policy": str(saved), "steps": policy.card.steps})
    else:
        typer.echo(f"{saved}\nNext: stacking compare --strategy {saved}")
