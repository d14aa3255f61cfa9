"""An economy that stays, set up on a local ledger by the commands that the help names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.candy_config import DEFAULT_PATH, read_candy_config
from harness.errors import StartError
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.running_clock import RunningClock
from harness.ledger.preloaded import program_images
from harness.ledger.validator import BANK_LAMPORTS
from harness.provision.job import Job
from harness.provision.keys import KeyFolder
from harness.settings import read_settings

SOL = 10**9


def test_an_empty_bank_is_named_and_a_full_one_pays_once(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "my economy")
    keys.make()
    images = program_images(keys.keypair("authority").pubkey())
    with EmbeddedLedger.start(RunningClock(datetime.now(UTC)), images) as ledger:
        job = Job(keys, ledger.rpc_url, read_candy_config(DEFAULT_PATH), read_settings(None))
        with pytest.raises(StartError, match=r"the bank holds 0 lamports, and the authority lacks"):
            job.run(None)
        bank = keys.keypair("bank").pubkey()
        ledger.fund(bank, BANK_LAMPORTS)
        made = job.run(None)
        assert job.run(None) == made
        paid = BANK_LAMPORTS - ledger.client().get_balance(bank).value
        assert 600 * SOL < paid < 601 * SOL, "the wallets, and what setting up cost the authority"
    addresses = json.loads((keys.folder / "deployment.json").read_text())
    assert addresses["candy_machine"] == str(made.candy_machine)
