"""A Dask cluster of this machine gives the bits that one process gives."""

from __future__ import annotations

import numpy as np
from distributed import LocalCluster

from harness.treasury import Rules, Scenario, Shortfall, simulate
from harness.treasury.engine import block_paths


def test_a_cluster_changes_nothing() -> None:
    scenario = Scenario(
        rules=Rules(on_shortfall=Shortfall.STOP, treasury_lamports=130 * 10**9), days=30
    )
    paths = 2 * block_paths(scenario) + 7
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None,
        host="127.0.0.1",
    ) as cluster:  # fmt: skip
        spread = simulate(scenario, paths=paths, seed=8, dask=cluster.scheduler_address)
    alone = simulate(scenario, paths=paths, seed=8)
    mine, theirs = alone.summary.arrays(), spread.summary.arrays()
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    assert spread.paths == paths
