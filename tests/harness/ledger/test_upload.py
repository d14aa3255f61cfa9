"""The buyback program brought onto a running ledger by its authority, and upgraded there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.clock import VirtualClock
from harness.containers.ready import why_not
from harness.errors import StartError
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.commitment import Lags
from harness.ledger.preloaded import program_images
from harness.ledger.protocol import Ledger
from harness.ledger.upload import Uploader
from harness.submission import Outcome, Submission, sign, submit
from programs import elf
from programs.addresses import program_data_address
from programs.buyback import client as buyback
from programs.loader.client import BUFFER_HEADER_BYTES, ProgramData

_LAMPORTS = 50 * 10**9
_OLD, _NEW = b"SetEnabled", b"SetENABLED"


@pytest.fixture(params=["embedded", "validator"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with the Metaplex programs and without the buyback program."""
    images = [one for one in program_images(Pubkey.default()) if one.address != buyback.PROGRAM_ID]
    if request.param == "embedded":
        with EmbeddedLedger.start(programs=images) as started:
            yield started
        return
    if reason := why_not():
        pytest.skip(f"Docker suite skipped: {reason}")
    from harness.ledger.validator import ValidatorLedger

    log = tmp_path / "validator.log"
    with ValidatorLedger.start(programs=images, bank=Keypair(), log=log) as running:
        yield running


def test_deployed_by_an_authority_then_upgraded(ledger: Ledger) -> None:
    """Deploy, call, upgrade, call: the same address runs the new code, for its authority only."""
    authority, stranger = Keypair(), Keypair()
    for key in (authority, stranger):
        ledger.fund(key.pubkey(), _LAMPORTS)
    uploader = Uploader(ledger.client(), ledger.clock, authority)
    code = elf.load("buyback")
    uploader.deploy(buyback.local_keypair(), code)
    deployed = _program_data(ledger)
    assert deployed.upgrade_authority == authority.pubkey()
    assert deployed.code == code
    assert _OLD.decode() in " ".join(_call(ledger, authority).logs)

    changed = code.replace(_OLD, _NEW)
    assert changed != code
    uploader.upgrade(buyback.PROGRAM_ID, changed)
    upgraded = _program_data(ledger)
    assert upgraded.code == changed
    assert upgraded.slot > deployed.slot
    assert _NEW.decode() in " ".join(_call(ledger, authority).logs)

    with pytest.raises(StartError, match="upgrade the program"):
        Uploader(ledger.client(), ledger.clock, stranger).upgrade(buyback.PROGRAM_ID, code)
    assert _program_data(ledger).code == changed


def test_a_piece_counts_when_it_is_confirmed() -> None:
    """Else the program is put in place, as the cluster sees it, with its last pieces missing."""
    chain = Chain(VirtualClock(START), lags=Lags(8, 40))
    with EmbeddedLedger.serve(chain) as lagging:
        authority, code = Keypair(), elf.load("buyback")
        lagging.fund(authority.pubkey(), _LAMPORTS)
        buffer = Uploader(lagging.client(), lagging.clock, authority)._fill(code)
        seen = lagging.client().get_account_info(buffer, Confirmed).value
        assert seen is not None
        assert bytes(seen.data)[BUFFER_HEADER_BYTES:] == code


def _program_data(ledger: Ledger) -> ProgramData:
    address = program_data_address(buyback.PROGRAM_ID)
    account = ledger.client().get_account_info(address, Confirmed).value
    assert account is not None
    return ProgramData.parse(bytes(account.data))


def _call(ledger: Ledger, payer: Keypair) -> Submission:
    """An instruction that names itself in the log and then finds no configuration."""
    call = buyback.set_enabled(authority=payer.pubkey(), enabled=False)
    transaction, last_height = sign(ledger.client(), [call], [payer])
    sent = submit(ledger.client(), ledger.clock, transaction, last_height)
    assert sent.outcome is Outcome.REFUSED
    return sent
