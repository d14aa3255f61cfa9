"""A tape of paths: every event of every step, to be played again by somebody else.

What a flight recorder is to a flight. The full kernel writes it; `harness.treasury.exact` computes
it again in plain integers; a replay plays it with wallets on a real ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError
from harness.treasury.engine import draw_prices, play_full
from harness.treasury.scenario import Scenario

_BYTES_MAX = 2 * 2**30


@dataclass(frozen=True)
class Step:
    """One step of one path. Tuples over templates are numbered as `Economy.templates`."""

    step: int
    #: Market price of SOL; the backend's reading; the best reading among quotes still open.
    sol_microusd: int
    oracle_microusd: int
    kept_microusd: int
    rate_ppm: int
    top_up_lamports: int
    #: Price of each template in the backend's table.
    prices_microusd: tuple[int, ...]
    minted: tuple[int, ...]
    #: Sales that are tried, those among them on a kept quote, and those that were paid.
    tried: tuple[int, ...]
    tried_kept: tuple[int, ...]
    paid: tuple[int, ...]
    #: The treasury after the step.
    treasury_lamports: int
    paused: bool


@dataclass(frozen=True)
class Tape:
    """One path of a scenario."""

    scenario: Scenario
    seed: int
    path: int
    steps: tuple[Step, ...]


def record(scenario: Scenario, seed: int, paths: int) -> list[Tape]:
    """Sample `paths` paths with every event. The full kernel plays them, also for base scenarios.

    Raises UsageError if the tape would not fit into 2 GiB.
    """
    templates = scenario.economy.templates
    size = paths * scenario.steps * (len(templates) * 16 + 48 + 32)
    if size > _BYTES_MAX:
        raise UsageError(
            f"a tape of {paths} paths with {scenario.steps} steps and {len(templates)} templates "
            f"takes {size / 2**30:.1f} GiB, at most 2 are allowed; record fewer paths"
        )
    root = np.random.SeedSequence(entropy=seed, spawn_key=(0,))
    sol, oracle, market, table = draw_prices(scenario, root, paths)
    money = np.zeros((paths, scenario.steps, 7), np.int64)
    counts = np.zeros((paths, scenario.steps, len(templates), 4), np.int32)
    play_full(scenario, root, sol, oracle, market, table, tape=(money, counts))
    base = np.array([template.price_microusd for template in templates], np.int64)
    flat = table.shape == (1, 1)

    def prices(path: int, step: int) -> tuple[int, ...]:
        if flat:
            return tuple(base.tolist())
        scaled = np.floor(base * table[path, step] / 100.0 + 0.5).astype(np.int64) * 100
        return tuple(scaled.tolist())

    return [
        Tape(
            scenario, seed, path,
            tuple(
                Step(
                    step=step,
                    sol_microusd=max(1, int(np.floor(sol[path, step] * 1e6 + 0.5))),
                    oracle_microusd=int(money[path, step, 0]),
                    kept_microusd=int(money[path, step, 1]),
                    rate_ppm=int(money[path, step, 2]),
                    top_up_lamports=int(money[path, step, 3]),
                    prices_microusd=prices(path, step),
                    minted=tuple(counts[path, step, :, 0].tolist()),
                    tried=tuple(counts[path, step, :, 1].tolist()),
                    tried_kept=tuple(counts[path, step, :, 2].tolist()),
                    paid=tuple(counts[path, step, :, 3].tolist()),
                    treasury_lamports=int(money[path, step, 4]),
                    paused=bool(money[path, step, 6]),
                )
                for step in range(scenario.steps)
            ),
        )
        for path in range(paths)
    ]  # fmt: skip
