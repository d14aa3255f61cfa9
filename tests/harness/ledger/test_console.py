"""What a person who watches `harness ledger` sees of each transaction."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from solana.rpc.api import Client
from solders.compute_budget import set_compute_unit_price
from solders.instruction import Instruction

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.console import lines
from harness.testbed import Testbed
from tests.harness.ledger.wallets import MEMO, OTHER, PAYER, SOL, memo, pay, send, signed

HARNESS = str(Path(sys.executable).with_name("harness"))


def shown(ledger: EmbeddedLedger) -> list[str]:
    """The newest transaction's lines."""
    return list(lines(list(ledger.chain.history.values())[-1]))


def test_known_instructions_are_put_into_words(rich: EmbeddedLedger) -> None:
    send(rich, [set_compute_unit_price(7), pay(SOL), memo("for the box")])
    head, price, transfer, note, *logs = shown(rich)
    assert "  ok  fee 5002  " in head
    assert head.endswith(" units")
    assert price == "  0  compute-budget setComputeUnitPrice  value=7"
    assert transfer == (
        f"  1  system transfer  source={PAYER.pubkey()}  destination={OTHER}  lamports={SOL}"
    )
    assert note == "  2  spl-memo memo  text=for the box"
    assert f"     Program {MEMO} success" in logs


def test_other_programs_go_by_the_name_that_they_log(testbed: Testbed) -> None:
    assert isinstance(testbed.ledger, EmbeddedLedger)
    testbed.player().mint()
    (mint,) = [line for line in shown(testbed.ledger) if " MintV2  " in line]
    assert mint.startswith("  1  Guard1JwRhJkVH6XZhzoYxeBVQe872VH6QggF4BWmS9g MintV2  accounts=")


def test_a_failure_says_so_and_long_logs_are_cut(rich: EmbeddedLedger) -> None:
    no_text = Instruction(MEMO, b"\xff", [])
    rich.chain.process(signed(rich, [*(memo("x") for _ in range(20)), no_text]))
    head, *rest = shown(rich)
    assert "failed: " in head
    assert rest[-1].startswith("     ... and ")
    assert rest[-1].endswith(" more lines of log")


def test_a_terminal_shows_them_as_they_land() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([HARNESS, "ledger", "--port", "0"], stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        try:
            with os.fdopen(ours, encoding="utf-8") as terminal:
                url = terminal.readline().split()[-1]
                while "ready" not in terminal.readline():
                    pass
                Client(url).request_airdrop(OTHER, SOL)
                head, limit, transfer = (terminal.readline().rstrip() for _ in range(3))
                assert "  ok  fee 5000  " in head
                assert limit.startswith("  0  compute-budget setComputeUnitLimit  value=")
                assert transfer.endswith(f"destination={OTHER}  lamports={SOL}")
                run.send_signal(signal.SIGINT)
                assert run.wait(20) == 0
        finally:
            run.kill()
