"""Raw output of a generator, handed to the programs that are made to judge it.

The tiers show what players get; the bytes below show more. PractRand and dieharder are external
programs: this module finds them, pours a bounded stream into them and reads their verdict.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import StartError, UsageError
from harness.seeds import Seed

Tool = Literal["dieharder", "practrand"]
_PROGRAMS: dict[Tool, tuple[str, str]] = {
    "dieharder": ("dieharder", "on Debian or Ubuntu: apt install dieharder"),
    "practrand": ("RNG_test", "build PractRand and put its RNG_test on the PATH"),
}
_CHUNK_BYTES = 1 << 20
_SECONDS_MAX = 6 * 3600
BYTES_MAX = 1 << 40


@dataclass(frozen=True)
class RawVerdict:
    """What an external program said of a stream. `failed`: its lines that say so; `weak`: lines
    that it finds odd, of which an honest generator has some."""

    tool: Tool
    command: str
    bytes_read: int
    failed: tuple[str, ...]
    weak: tuple[str, ...]
    report: str


def stream(generator: str, limit_bytes: int, seed: str = "1") -> Iterator[bytes]:
    """Bytes of a generator: `system`, which the reference backend rolls with in production;
    `seeded`, which a testbed passes it instead; or a file of bytes that another backend recorded.

    Raises UsageError for a generator that is none of these.
    """
    if not 0 < limit_bytes <= BYTES_MAX:
        raise UsageError(f"bytes must be 1 to {BYTES_MAX}, are {limit_bytes}")
    if generator in ("system", "seeded"):
        source = random.SystemRandom() if generator == "system" else Seed(seed).generator("backend")
        left = limit_bytes
        while left:
            size = min(_CHUNK_BYTES, left)
            # SystemRandom's randbytes and getrandbits read the same source
            yield source.getrandbits(8 * size).to_bytes(size, "little")
            left -= size
        return
    path = Path(generator)
    if not path.is_file():
        raise UsageError(f"generator {generator!r}: must be system, seeded or a file of bytes")
    left = limit_bytes
    with path.open("rb") as file:
        while left and (part := file.read(min(_CHUNK_BYTES, left))):
            left -= len(part)
            yield part


def judge(
    tool: Tool, chunks: Iterator[bytes], limit_bytes: int, arguments: tuple[str, ...] = ()
) -> RawVerdict:
    """Pour a stream into an external program and read its verdict.

    `arguments` replace the default ones: `-a -g 200` for dieharder (all tests, bytes from standard
    input), `stdin32 -tlmax BYTES` for PractRand. Raises StartError if it is not installed.
    """
    name, remedy = _PROGRAMS[tool]
    program = shutil.which(name)
    if program is None:
        raise StartError(f"{name} is not installed; {remedy}")
    given = arguments or (
        ("-a", "-g", "200") if tool == "dieharder" else ("stdin32", "-tlmax", str(limit_bytes))
    )
    poured = 0
    process = subprocess.Popen(
        [program, *given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # it stops reading when it has enough
            for chunk in chunks:
                process.stdin.write(chunk)
                poured += len(chunk)
            process.stdin.close()
        process.stdin = None
        output, _ = process.communicate(timeout=_SECONDS_MAX)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    report = output.decode(errors="replace")
    if process.returncode:
        last = report.strip().splitlines()[-3:]
        raise StartError(f"{name} left {process.returncode}", last)
    return read_report(tool, " ".join([name, *given]), poured, report)


def read_report(tool: Tool, command: str, poured: int, report: str) -> RawVerdict:
    """The lines of a report that are a verdict against the stream."""
    bad, odd = ("FAILED", "WEAK") if tool == "dieharder" else ("FAIL", "suspicious")
    lines = [line.strip() for line in report.splitlines()]
    return RawVerdict(
        tool,
        command,
        poured,
        tuple(line for line in lines if bad in line),
        tuple(line for line in lines if odd in line and bad not in line),
        report,
    )
