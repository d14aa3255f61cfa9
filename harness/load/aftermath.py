"""After the crowd has gone: is the backend as it was? Files and memory back to base, no connection
of the database left in the middle of something, and the rate limits held."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from sqlalchemy import Engine, text

from harness.checks import Judgement
from harness.load.profile import Profile
from harness.load.records import OK, Records
from harness.load.watch import Sample

RESOURCES = "resources back to base"
LIMITS = "rate limits held"
_SETTLE_SECONDS_MAX = 15.0
_LOOK_SECONDS = 0.5
#: A pool of connections, its epoll and a log: what a backend may keep open after its first crowd.
_FILES_MORE_MAX = 64
#: Interpreters keep some of what they once used; a leak of a request's size shows far above it.
_MEMORY_FACTOR_MAX = 2.0
_IN_TRANSACTION = text(
    "select count(*) from pg_stat_activity where datname = current_database() "
    "and state like 'idle in transaction%'"
)
#: The guide's limit on opening boxes, for one wallet and one address.
_REVEALS_A_MINUTE = 5
_MINUTE_SECONDS = 60.0


def judge_resources(samples: Callable[[], list[Sample]], engine: Engine) -> Judgement:
    """Wait until the backend's files and the database have settled, a while at most.

    `samples` gives the backend's so far; the first was taken before the crowd came.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    while True:
        findings, counted = _state(samples(), engine)
        if not findings or time.monotonic() > deadline:
            return Judgement(RESOURCES, tuple(findings), counted)
        time.sleep(_LOOK_SECONDS)


def _state(samples: list[Sample], engine: Engine) -> tuple[list[str], dict[str, int]]:
    if not samples:
        return ["the backend was gone when the crowd was"], {}
    base, now = samples[0], samples[-1]
    with engine.connect() as connection:
        stuck = int(connection.execute(_IN_TRANSACTION).scalar_one())
    findings = []
    if now.open_files > base.open_files + _FILES_MORE_MAX:
        findings.append(f"{now.open_files} open files, {base.open_files} before the crowd")
    if now.rss_bytes > base.rss_bytes * _MEMORY_FACTOR_MAX:
        findings.append(
            f"{now.rss_bytes / 1e6:.0f} MB of memory, {base.rss_bytes / 1e6:.0f} before the crowd"
        )
    if stuck:
        findings.append(f"{stuck} database connections are idle in a transaction")
    counted = {
        "open_files_before": base.open_files,
        "open_files_after": now.open_files,
        "memory_mb_before": base.rss_bytes // 10**6,
        "memory_mb_after": now.rss_bytes // 10**6,
    }
    return findings, counted


def judge_limits(records: Records, profile: Profile) -> Judgement:
    """Where limits are on: no minute in which a bot, who is one wallet, was served more reveals.

    A fixed window lets twice its number through around its border, and that much is allowed.
    """
    if not profile.rate_limits:
        return Judgement(LIMITS, (), {"limits_off": 1})
    served = np.sort(records.finished_s[(records.name == "bot") & (records.outcome == OK)])
    ends = np.searchsorted(served, served + _MINUTE_SECONDS, side="left")
    busiest = int((ends - np.arange(len(served))).max(initial=0))
    allowed = 2 * _REVEALS_A_MINUTE
    found = (
        (f"one wallet was served {busiest} reveals within a minute, the limit is "
         f"{_REVEALS_A_MINUTE}",)
        if busiest > allowed
        else ()
    )  # fmt: skip
    return Judgement(LIMITS, found, {"served_to_bots": len(served), "busiest_minute": busiest})
