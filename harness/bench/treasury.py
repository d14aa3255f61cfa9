"""How fast the treasury model is, always against something measured in the same minute.

The base model against a plain fill of normals (PCG64), which bounds any simulation that draws one
a step; against radCAD on the same model, in an environment of its own because it pins another
NumPy; two processes against one; and the memory of ten million paths.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.treasury.engine import block_paths, play_block
from harness.treasury.model import Rules, Shortfall
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import simulate

#: radCAD imports typing_extensions and does not say that it needs it.
RADCAD = ("radcad==0.14.*", "typing_extensions")
_ROUNDS = 7
_INSTALL_SECONDS_MAX = 600
_RADCAD_SECONDS_MAX = 300

#: The base model as radCAD's users write it: one policy, one update; reads its sizes from stdin.
_RADCAD_MODEL = """
import json, math, sys, time
import numpy as np
from radcad import Model, Simulation, Experiment
from radcad.engine import Engine, Backend
size = json.load(sys.stdin)
rng = np.random.default_rng(1)
prices, means = np.array(size["prices_usd"]), np.array(size["sold_a_day"])
deviation = 0.8 / math.sqrt(365)

def crowd(params, substep, history, state):
    sold = rng.poisson(means)
    return {"boxes": sold.sum() + rng.poisson(size["kept_a_day"]), "usd": float(sold @ prices)}

def treasury(params, substep, history, state, crowd):
    if state["ruined"]:
        return "treasury", state["treasury"]
    after = state["treasury"] + crowd["boxes"] * 0.2 - 0.85 * crowd["usd"] / state["sol_usd"]
    return "treasury", after

def ruined(params, substep, history, state, crowd):
    return "ruined", state["ruined"] or state["treasury"] < 100

def price(params, substep, history, state, crowd):
    shock = rng.standard_normal()
    return "sol_usd", state["sol_usd"] * math.exp(-deviation ** 2 / 2 + deviation * shock)

model = Model(
    initial_state={"treasury": 5000.0, "sol_usd": 200.0, "ruined": False},
    state_update_blocks=[{"policies": {"crowd": crowd}, "variables": {
        "treasury": treasury, "ruined": ruined, "sol_usd": price}}],
    params={},
)
experiment = Experiment([Simulation(model=model, timesteps=size["steps"], runs=size["paths"])])
experiment.engine = Engine(backend=Backend.SINGLE_PROCESS, deepcopy=False)
started = time.perf_counter()
rows = experiment.run()
print(json.dumps({"seconds": time.perf_counter() - started, "rows": len(rows)}))
"""


@dataclass(frozen=True)
class TreasuryFigures:
    """Rates are million path-steps a second. `radcad_ratio` is None where radCAD was not asked for
    or could not be installed; the efficiency is one process's time over twice that of two."""

    base_rate: float
    fill_rate: float
    fill_ratio: float
    radcad_rate: float | None
    radcad_ratio: float | None
    two_process_efficiency: float
    large_paths: int
    large_peak_mib: float
    large_rate: float

    def rows(self) -> list[tuple[str, str]]:
        """As lines of the bench's table."""
        radcad = "-" if self.radcad_rate is None else f"{self.radcad_rate:.4f}"
        return [
            ("treasury: million path-steps a second", f"{self.base_rate:.1f}"),
            ("million normals a second, PCG64 fill", f"{self.fill_rate:.1f}"),
            ("ratio", f"{self.fill_ratio:.2f}"),
            ("radCAD on the same model, million a second", radcad),
            ("ratio", "-" if self.radcad_ratio is None else f"{self.radcad_ratio:.0f}"),
            ("efficiency of two processes", f"{self.two_process_efficiency:.2f}"),
            (f"peak MiB of {self.large_paths:,} paths x 365", f"{self.large_peak_mib:.0f}"),
        ]


def bench_scenario() -> Scenario:
    """The base model over a year with a treasury that hardly any path ruins: all steps count."""
    return Scenario(rules=Rules(treasury_lamports=5_000 * 10**9, on_shortfall=Shortfall.STOP))


def measure_treasury(
    *,
    large_paths: int = 1_000_000,
    with_radcad: bool = True,
    on_part: Callable[[str], None] = lambda part: None,
) -> TreasuryFigures:
    """Measure everything; `large_paths` are played for the memory figure, over 365 steps."""
    scenario = bench_scenario()
    on_part("base model against a fill of normals")
    base, fill, ratio = _against_fill(scenario)
    radcad = None
    if with_radcad:
        on_part("radCAD in an environment of its own")
        radcad = _radcad_rate(scenario)
    on_part("two processes")
    efficiency = _efficiency(scenario)
    on_part(f"memory of {large_paths:,} paths")
    peak, rate = _large(large_paths)
    return TreasuryFigures(
        base_rate=base, fill_rate=fill, fill_ratio=ratio, radcad_rate=radcad,
        radcad_ratio=None if radcad is None else base / radcad,
        two_process_efficiency=efficiency, large_paths=large_paths, large_peak_mib=peak,
        large_rate=rate,
    )  # fmt: skip


def _against_fill(scenario: Scenario) -> tuple[float, float, float]:
    """Million path-steps and normals a second; median of the ratios of neighbouring runs."""
    paths, steps = block_paths(scenario), scenario.steps
    normals = np.empty(paths * steps)
    rng = np.random.Generator(np.random.PCG64(1))
    play_block(scenario, 1, 0, 256)  # compiled
    base, fill = [], []
    for number in range(_ROUNDS):
        started = time.perf_counter()
        rng.standard_normal(out=normals)
        between = time.perf_counter()
        play_block(scenario, 1, number, paths)
        fill.append(paths * steps / (between - started) / 1e6)
        base.append(paths * steps / (time.perf_counter() - between) / 1e6)
    ratios = [one / other for one, other in zip(base, fill, strict=True)]
    return statistics.median(base), statistics.median(fill), statistics.median(ratios)


def _efficiency(scenario: Scenario) -> float:
    """Time of one process over twice that of two, best of three; their start is not counted."""
    blocks = 24
    best = 0.0
    for _ in range(3):
        seconds = []
        for workers in (1, 2):
            marks = _marks(scenario, blocks, workers)
            # From the fourth block on: before, the processes are starting.
            seconds.append((marks[-1] - marks[4]) / (len(marks) - 5))
        best = max(best, seconds[0] / 2 / seconds[1])
    return best


def _marks(scenario: Scenario, blocks: int, workers: int) -> list[float]:
    """When each block was done."""
    marks: list[float] = []
    simulate(
        scenario, paths=blocks * block_paths(scenario), workers=workers,
        progress=lambda done, wanted: marks.append(time.perf_counter()),
    )  # fmt: skip
    return marks


def _radcad_rate(scenario: Scenario) -> float | None:
    """Million path-steps a second of radCAD, or None where it cannot be installed."""
    sold = scenario.demand.mints_day * scenario.behaviour.sold_at_once
    paths = 50
    size = {
        "prices_usd": [t.price_microusd / 1e6 for t in scenario.economy.templates],
        "sold_a_day": [sold * float(t.chance) for t in scenario.economy.templates],
        "kept_a_day": scenario.demand.mints_day - sold,
        "steps": scenario.steps,
        "paths": paths,
    }
    with tempfile.TemporaryDirectory(prefix="mystery-box-radcad-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        try:
            subprocess.run(
                [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *RADCAD],
                check=True, capture_output=True, timeout=_INSTALL_SECONDS_MAX,
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        done = subprocess.run(
            [python, "-c", _RADCAD_MODEL], input=json.dumps(size), text=True, check=False,
            capture_output=True, timeout=_RADCAD_SECONDS_MAX,
        )  # fmt: skip
    if done.returncode:
        raise HarnessError(f"radCAD left with {done.returncode}: {done.stderr.splitlines()[-1:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return paths * scenario.steps / told["seconds"] / 1e6


_LARGE = """
import sys, time
from harness.bench.treasury import bench_scenario
from harness.peak_memory import memory_bytes_max
from harness.treasury.simulation import simulate
started = time.perf_counter()
result = simulate(bench_scenario(), paths=int(sys.argv[1]))
print(result.paths, memory_bytes_max() or 0, time.perf_counter() - started)
"""


def _large(paths: int) -> tuple[float, float]:
    """Peak memory in MiB of a fresh process that plays `paths` paths, and its rate."""
    done = subprocess.run(
        [sys.executable, "-c", _LARGE, str(paths)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HarnessError(f"the large run left with {done.returncode}: {done.stderr[-300:]}")
    played, peak_bytes, seconds = done.stdout.split()
    return int(peak_bytes) / 2**20, int(played) * bench_scenario().steps / float(seconds) / 1e6
