"""docs/treasury-model.md shows what happens."""

from __future__ import annotations

import re
from pathlib import Path

from harness.cli.main import treasury  # once every command is registered
from harness.treasury.scenario_file import PRICE_KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "treasury-model.md").read_text()


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(example, "docs/treasury-model.md", "exec"), {})


def test_every_price_law_and_command_is_named() -> None:
    commands = {
        c.name or c.callback.__name__ for c in treasury.app.registered_commands if c.callback
    }
    for word in {*PRICE_KINDS, *commands} - {"replay", "calibrate", "adversary"}:
        assert re.search(rf"`(harness treasury )?{word}\b", PAGE), word
