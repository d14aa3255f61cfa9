"""Speed and memory of an audit of many draws, and of the monitor's update."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.odds.audit import audit
from harness.odds.dependence import contingency
from harness.odds.eprocess import bettors
from harness.odds.monitor import Monitor, Watch, epsilons
from harness.odds.table import guide_table
from harness.peak_memory import memory_bytes_max
from harness.validity.parts import Part, markdown_table

_ROWS = 10_000_000
_ROWS_A_GROUP = 500_000
_WALLETS = 100_000
_SECONDS_MAX, _MB_MAX, _MICROSECONDS_MAX = 2.0, 500, 5.0
#: A program that reads and audits the file it is given, in a process of its own.
MEASURE = "import sys; from harness.validity.odds_speed import measure; measure(sys.argv[1])"
#: A program that does what `harness odds audit FILE --runs FOLDER` does and tells its peak.
_COMMAND = "import sys; from harness.validity.odds_speed import command; command(*sys.argv[1:])"


@dataclass(frozen=True)
class AuditMemory:
    """Peak of resident memory while so many recorded draws are audited by the command, MB."""

    rows: int
    peak_mb: float


def audit_memory(rows: int, seed: int) -> AuditMemory:
    """Write draws to a Parquet file and let `harness odds audit` read it in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draws.parquet"
        write_draws(path, rows, seed)
        return AuditMemory(rows, _told([sys.executable, "-c", _COMMAND, str(path), folder]))


def _told(command: list[str]) -> Any:
    """What a program wrote as JSON in its last line."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def speed(seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """Ten million draws from a Parquet file in a process of its own; best of three."""
    rows = max(100_000, round(_ROWS * scale))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draws.parquet"
        told(f"writing {rows:,} draws")
        write_draws(path, rows, seed)
        told("reading and auditing them")
        measured = [sys.executable, "-c", MEASURE, str(path)]
        _told(measured)  # compiles what is cached
        found = _told(measured)
        asked = [sys.executable, "-c", _COMMAND, str(path), folder]
        _told(asked)
        peak_mb = _told(asked)
    game = bettors(np.array(guide_table().probabilities))
    tiers = np.random.default_rng(seed).choice(5, 1_000_000).astype(np.int8)
    counts = np.zeros(5, dtype=np.int64)
    game.update(counts.copy(), tiers[:10], np.inf)
    start = time.perf_counter()
    game.update(counts, tiers, np.inf)
    update = (time.perf_counter() - start) / len(tiers) * 1e6
    table = guide_table()
    watched = Monitor(Watch(table, 0.01, epsilons(table, 0.01)))
    start = time.perf_counter()
    watched.update(np.random.default_rng(seed).choice(5, 1_000_000, p=table.probabilities))
    whole = (time.perf_counter() - start) / len(tiers) * 1e6
    lines = [
        ("audit of the draws in memory, CPU seconds", found["audit_s"], _SECONDS_MAX),
        ("peak memory of `harness odds audit`, certificate included, MB", peak_mb, _MB_MAX),
        ("peak memory of reading and auditing in Python, MB", found["peak_mb"], _MB_MAX),
        ("one update of the evidence, microseconds", update, _MICROSECONDS_MAX),
        ("the same with the monitor's looks at epsilon, microseconds", whole, _MICROSECONDS_MAX),
    ]
    shown = [
        (name, f"{value:.3g}", f"{bound:g}", "yes" if value <= bound else "**NO**")
        for name, value, bound in lines
    ]
    for name, key in (
        ("reading the file: mints hashed, every row checked, CPU seconds", "read_s"),
        ("of the latter: libraries loaded, before anything is read, MB", "before_mb"),
        ("of the latter: the draws' columns, MB", "columns_mb"),
    ):
        shown.append((name, f"{found[key]:.3g}", "", ""))
    failed = [name for name, value, bound in lines if value > bound]
    verdict = f"FAILED: {'; '.join(failed)}." if failed else "Passed: all are within their bounds."
    text = f"""## Odds: speed

{verdict}

{rows:,} draws with time, mint, wallet ({_WALLETS:,}), box, tier and skin in a Parquet file, in a
process of its own. Times are one machine's, the audit's the best of three; only their order of
size compares. Memory is the process's largest resident set (Linux's VmHWM), libraries included.
The mints are read first, on their own, and given up once each was seen to stand once.
Seed {seed}.

{markdown_table(("what", "measured", "asked at most", "within"), shown)}
"""
    return Part(text, all(value <= bound for _, value, bound in lines))


def write_draws(path: Path, rows: int, seed: int) -> None:
    """Honest draws of the guide's box, as a backend with many wallets would record them."""
    import pyarrow as pa
    from pyarrow import parquet

    table = guide_table()
    letters = np.frombuffer(
        b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", dtype=np.uint8
    )
    wallets = pa.array([f"wallet-{number}" for number in range(_WALLETS)])
    skins = pa.array([f"{tier} {number}" for tier in table.tiers for number in range(5)])
    writer = None
    for group, start in enumerate(range(0, rows, _ROWS_A_GROUP)):
        rng = np.random.default_rng([seed, group])
        n = min(_ROWS_A_GROUP, rows - start)
        tiers = rng.choice(5, n, p=table.probabilities).astype(np.int8)
        mints = letters[rng.integers(0, 58, (n, 44))].tobytes()
        places = np.arange(0, 44 * (n + 1), 44, dtype=np.int32)
        times = 1_700_000_000_000_000 + np.arange(start, start + n, dtype=np.int64) * 3_000_000

        def coded(codes: np.ndarray, names: pa.Array) -> pa.Array:
            return pa.DictionaryArray.from_arrays(pa.array(codes), names)

        batch = pa.table(
            {
                "time": pa.array(times, pa.timestamp("us", "UTC")),
                "mint": pa.StringArray.from_buffers(n, pa.py_buffer(places), pa.py_buffer(mints)),
                "wallet": coded(rng.integers(0, _WALLETS, n).astype(np.int32), wallets),
                "box": coded(np.zeros(n, dtype=np.int8), pa.array([table.box])),
                "tier": coded(tiers, pa.array(table.tiers)),
                "skin": coded((tiers * 5 + rng.integers(0, 5, n)).astype(np.int8), skins),
            }
        )
        writer = writer or parquet.ParquetWriter(path, batch.schema)
        writer.write_table(batch)
    assert writer is not None
    writer.close()


def measure(path: str) -> None:
    """Read and audit in this process and print CPU seconds and memory as JSON."""
    from harness.odds.sources.files import draws_from_file

    table = guide_table()
    contingency("", np.arange(20) % 2, np.arange(20, dtype=np.int8) % 3, 3, np.random.default_rng())
    before = _peak_mb()  # with what a first compiled function loads
    start = time.process_time()
    draws = draws_from_file(Path(path), {table.box: table}, keep_mints=False)  # as the command
    read = time.process_time() - start
    audits = []
    for _ in range(3):
        start = time.process_time()
        audit(draws, table)
        audits.append(time.process_time() - start)
    coded = [one.codes for one in (draws.tier, draws.box, draws.skin, draws.wallet) if one]
    columns = [*coded, *(one for one in (draws.time_us, draws.mint_hash) if one is not None)]
    found = {
        "read_s": read,
        "audit_s": min(audits),
        "before_mb": before,
        "columns_mb": sum(one.nbytes for one in columns) / 1e6,
        "peak_mb": _peak_mb(),
        "loaded": [one for one in ("matplotlib", "pandas", "scipy.stats") if one in sys.modules],
    }
    sys.stdout.write(json.dumps(found))


def command(path: str, runs: str) -> None:
    """Audit a file as the command line does, in this process, and print the peak, MB, as JSON."""
    from harness.cli.main import main

    sys.argv = ["harness", "odds", "audit", path, "--runs", runs]
    try:
        main()
    except SystemExit as done:
        if done.code:
            raise
    sys.stdout.write(json.dumps(_peak_mb()))


def _peak_mb() -> float:
    return (memory_bytes_max() or 0) / 1e6
