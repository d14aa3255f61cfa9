"""The transactions of a run, put straight into a fresh virtual machine: what the ledger can do
with nothing around it."""

from __future__ import annotations

import gc
import time

from solders.pubkey import Pubkey

from harness.errors import HarnessError
from harness.ledger.embedded.chain import FAUCET_LAMPORTS, Chain
from harness.ledger.embedded.float_stack import hand_back_float_stack
from harness.ledger.embedded.machine import add_program, add_wallet, new_machine
from harness.ledger.preloaded import program_images


def replay(chain: Chain, authority: Pubkey) -> list[float]:
    """Seconds that each recorded transaction takes, in their order.

    Raises HarnessError if the replay does not come to the same balances.
    """
    machine = new_machine()
    add_wallet(machine, chain.faucet.pubkey(), FAUCET_LAMPORTS)
    for image in program_images(authority):
        add_program(machine, image, slot=0)
    machine.set_clock(chain.machine.get_clock())
    records = list(chain.history.values())
    seconds = []
    gc.collect()
    for record in records:
        started = time.perf_counter()
        machine.send_transaction(record.transaction)
        seconds.append(time.perf_counter() - started)
    hand_back_float_stack()
    accounts = {account for record in records for account in record.accounts}
    different = [
        one for one in accounts if (machine.get_balance(one) or 0) != chain.machine.get_balance(one)
    ]
    if different:
        raise HarnessError(f"the replay came to other balances for {len(different)} accounts")
    return seconds
