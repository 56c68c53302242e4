"""docs/environments.md is true: its Python runs as it stands, and its table names every setting."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from stacking.envs import EnvConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "environments.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("k", range(len(BLOCKS)))
def test_the_python_runs_and_prints(k: int, capsys: pytest.CaptureFixture[str]) -> None:
    if "parallel_env" in BLOCKS[k] and find_spec("pettingzoo") is None:
        pytest.skip("needs pettingzoo")
    exec(compile(BLOCKS[k], f"docs/environments.md block {k}", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.strip()


def test_the_page_names_every_setting_with_its_default() -> None:
    table = PAGE[PAGE.index("| setting | default") :].partition("\n\n")[0]
    named = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    own = {"design", "backend", "risk_weight", "risk_tail_frac", "risk_threshold_eur"}
    assert named == set(EnvConfig.model_fields) - own
    for name in own - {"backend"}:
        assert f"`{name}`" in PAGE or f"`{name}=`" in PAGE
    for name, field in EnvConfig.model_fields.items():
        assert name in (EnvConfig.__doc__ or ""), name
        if isinstance(field.default, int | str) and name in named and name not in ("scenario_seed", "population_seed"):
            line = next(line for line in table.splitlines() if f"`{name}`" in line.split("|")[1])
            assert str(field.default) in line.split("|")[2], name


def test_the_page_is_one_page() -> None:
    assert len(BLOCKS) >= 4
    assert len(PAGE.splitlines()) <= 150
