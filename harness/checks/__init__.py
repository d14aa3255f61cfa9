"""The judges: they read the ledger and the database for themselves.

None of them asks the backend whether it is right. Each gets the same `Evidence` and returns a
`Judgement`: what it counted, and what it found wrong.
"""

from collections.abc import Callable

from harness.checks.buybacks import judge_buybacks
from harness.checks.evidence import Evidence, gather
from harness.checks.judgement import Judgement
from harness.checks.lamports import judge_lamports
from harness.checks.limits import judge_limits
from harness.checks.mints import judge_mints
from harness.checks.reveals import judge_reveals
from harness.checks.secrecy import judge_secrecy

Judge = Callable[[Evidence], Judgement]

#: Every judge, in the order in which a person would ask.
JUDGES: tuple[Judge, ...] = (
    judge_lamports,
    judge_mints,
    judge_reveals,
    judge_buybacks,
    judge_limits,
    judge_secrecy,
)

__all__ = ["JUDGES", "Evidence", "Judge", "Judgement", "gather"]
