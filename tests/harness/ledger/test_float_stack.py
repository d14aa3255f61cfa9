"""Long-double arithmetic is right in a thread that has just run transactions.

`float_stack` says what is the matter with the virtual machine. Where a long double is a double,
nothing can go wrong.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from harness.bench.replay import replay
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.float_stack import hand_back_float_stack
from harness.programs.flows import FLOWS
from harness.programs.sets import open_set
from harness.programs.stage import Stage
from harness.testbed import Testbed

#: As many products as the stack has registers: each NaN frees one of them.
RIGHT = [2.0 * number for number in range(8)]
_SEEN_BY_SCIPY = """
from harness.programs.flows import FLOWS
from harness.programs.sets import open_set
from harness.programs.stage import Stage
FLOWS[0].play(Stage(open_set()))
import scipy.stats
"""


def products() -> list[float]:
    with np.errstate(invalid="ignore"):
        return [float(np.longdouble(number) * 2) for number in range(len(RIGHT))]


def play_a_flow(_: Testbed) -> None:
    FLOWS[0].play(Stage(open_set()))


def mint(bed: Testbed) -> None:
    bed.player().mint()


def mint_and_replay(bed: Testbed) -> None:
    mint(bed)
    assert isinstance(bed.ledger, EmbeddedLedger)
    replay(bed.ledger.chain, bed.authority_key.pubkey())


@pytest.mark.parametrize("run", [mint, play_a_flow, mint_and_replay])
def test_running_programs_leaves_long_doubles_alone(
    run: Callable[[Testbed], None], testbed: Testbed
) -> None:
    run(testbed)
    assert products() == RIGHT


def test_scipy_is_whole_when_it_comes_after_a_ledger() -> None:
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", _SEEN_BY_SCIPY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="no MMX registers on this processor"
)
def test_the_virtual_machine_still_needs_it(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should this fail, the virtual machine has learnt to clean up and `float_stack` can go."""
    monkeypatch.setattr("harness.ledger.embedded.bank.hand_back_float_stack", lambda: None)
    mint(testbed)
    assert products() != RIGHT
    mint(testbed)
    hand_back_float_stack()
    assert products() == RIGHT
