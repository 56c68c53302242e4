"""Every command and every code block of the README runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for language, text in BLOCKS
    if language == "bash"
    for line in text.splitlines()
    if line.startswith("stacking ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a price file of ten made-up days."""
    where = tmp_path_factory.mktemp("user")
    lines = ["utc,da_price"]
    for hour in range(24 * 10):
        day, clock = divmod(hour, 24)
        lines.append(f"2025-03-{day + 3:02d} {clock:02d}:00:00+00:00,{40 + 20 * (clock in (7, 8, 17, 18, 19)) + day}")
    (where / "my_prices.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return where


def test_the_readme_shows_commands_and_python() -> None:
    """An empty list of blocks would make the tests below vacuous."""
    assert len(COMMANDS) >= 6
    assert any(language == "python" for language, _ in BLOCKS)
    assert len(README.splitlines()) <= 140


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(command: str, folder: Path) -> None:
    """Each line is run as a user would, with few days where it would be long."""
    stacking = str(Path(sys.executable).parent / "stacking")
    assert shutil.which(stacking), "the console script is installed next to python"
    if command.startswith("stacking train") and find_spec("stable_baselines3") is None:
        pytest.skip("needs the extra rl")
    if "--prices" in command:
        command += " --days 1 --seeds 2 --strategy rebid --design parallel"
    line = command.replace("stacking ", f"{stacking} ")
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("text", [text for language, text in BLOCKS if language == "python"])
def test_the_python_block_runs(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The block runs as it stands and prints what it earned."""
    exec(compile(text, "README.md", "exec"), {"__name__": "readme"})
    assert float(capsys.readouterr().out.strip()) != 0.0
