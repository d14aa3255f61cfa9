"""Same question, same answer: whoever does the work, and however often it is interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.treasury import Result, Rules, Scenario, Shortfall, simulate
from harness.treasury.engine import block_paths

SOL = 10**9
BASE = Scenario(rules=Rules(on_shortfall=Shortfall.STOP, treasury_lamports=130 * SOL), days=90)
FULL = BASE.change("rules.on_shortfall", Shortfall.REFUSE)


def same(one: Result, other: Result) -> bool:
    mine, theirs = one.summary.arrays(), other.summary.arrays()
    return mine.keys() == theirs.keys() and all(
        np.array_equal(mine[name], theirs[name]) for name in mine
    )


def test_workers_change_nothing() -> None:
    assert BASE.is_base
    paths = 2 * block_paths(BASE) + 100
    alone = simulate(BASE, paths=paths, seed=4)
    assert alone.paths == paths
    assert same(alone, simulate(BASE, paths=paths, seed=4, workers=2))
    assert not same(alone, simulate(BASE, paths=paths, seed=5))


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "paths.npz"
    paths = 3 * block_paths(BASE)
    calls = []

    def interrupt(done: int, wanted: int) -> None:
        calls.append(done)
        if done == block_paths(BASE):
            raise KeyboardInterrupt

    part = simulate(BASE, paths=paths, seed=4, checkpoint=file, progress=interrupt)
    assert part.interrupted
    assert part.paths == block_paths(BASE)
    resumed: list[int] = []
    whole = simulate(
        BASE, paths=paths, seed=4, checkpoint=file, progress=lambda done, _: resumed.append(done)
    )
    assert resumed[0] == block_paths(BASE)
    assert not whole.interrupted
    assert same(whole, simulate(BASE, paths=paths, seed=4))


def test_a_checkpoint_of_another_question_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "paths.npz"
    simulate(BASE, paths=100, seed=4, checkpoint=file)
    with pytest.raises(UsageError, match="another scenario or seed"):
        simulate(BASE, paths=100, seed=5, checkpoint=file)
    file.write_bytes(b"not one")
    with pytest.raises(UsageError, match="not a checkpoint"):
        simulate(BASE, paths=100, seed=4, checkpoint=file)
    with pytest.raises(UsageError, match=r"none/paths\.npz: cannot be written"):
        simulate(BASE, paths=100, seed=4, checkpoint=tmp_path / "none" / "paths.npz")


def test_both_kernels_tell_the_same_story() -> None:
    """Different streams, same law: the fast kernel and the full one that stops at ruin."""
    fast = simulate(BASE, paths=20_000, seed=1)
    slow = simulate(FULL, paths=20_000, seed=2)
    assert fast.ruin(level=0.9999).low < slow.ruin().value < fast.ruin(level=0.9999).high
    for share in (0.5, 0.9):
        assert fast.drawdown(share)[3] == pytest.approx(slow.drawdown(share)[3], rel=0.05)
