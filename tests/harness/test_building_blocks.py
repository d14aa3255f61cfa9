"""Seeds, clock, address book, journal, settings, receipts: small, and everything stands on them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from harness.address_book import AddressBook
from harness.checks.buybacks import payout_lamports
from harness.clock import VirtualClock
from harness.errors import UsageError
from harness.journal import Journal, read_journal
from harness.receipt import fault_from, runs_from
from harness.seeds import Seed
from harness.settings import PROMISED_ODDS, TestbedSettings, read_settings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_seed_repeats_and_its_pages_do_not_touch() -> None:
    one, same, other = Seed("1"), Seed("1"), Seed("2")
    assert one.keypair("a") == same.keypair("a") != one.keypair("b")
    assert one.keypair("a") != other.keypair("a")
    assert one.generator("a").random() == same.generator("a").random()
    assert one.child("x").keypair("a") != one.keypair("a")


def test_a_virtual_clock_moves_only_when_slept_on() -> None:
    clock, seen = VirtualClock(NOON), []
    clock.on_move(seen.append)
    assert clock.now() == clock.now() == NOON
    clock.sleep(12.4)
    assert (clock.now() - NOON).total_seconds() == 12.4
    assert seen == [clock.now()]
    with pytest.raises(ValueError, match="only goes forward"):
        clock.sleep(-1)
    with pytest.raises(ValueError, match="aware datetime"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - a naive one is what is refused


def test_names_for_addresses() -> None:
    book, (alice, stranger) = AddressBook(), (Pubkey.new_unique() for _ in range(2))
    book.add("alice", alice)
    with pytest.raises(ValueError, match="already stands for another"):
        book.add("alice", stranger)
    assert book.name(alice) == "alice"
    assert book.known(stranger) is None
    assert book.name(stranger) == book.name(stranger) == "other-1"
    text = f"{alice} sent to {stranger} and {Pubkey.new_unique()} by {'5' * 87}"
    assert book.redact(text) == "alice sent to other-1 and <address> by <signature>"


def test_a_journal_is_the_same_whoever_writes_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        journal = Journal(tmp_path / name, "s", VirtualClock(NOON))
        journal.write("note", b=1, a="x")
        journal.write("note", a=2)
        journal.close()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    lines = list(read_journal(tmp_path / "one"))
    assert [line["seq"] for line in lines] == [0, 1]
    (tmp_path / "one").write_text('{"seq":0}\n{"seq":')
    with pytest.raises(ValueError, match="one line 2 is not JSON"):
        list(read_journal(tmp_path / "one"))


def test_settings_know_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "testbed.toml"
    path.write_text('sol_usd = "103.5"\nmin_treasury_lamports = 5\n')
    settings = read_settings(path)
    assert (settings.sol_usd, settings.min_treasury_lamports) == (Decimal("103.5"), 5)
    for text, told in (
        ("sol_used = 1", "sol_used: unknown key"),
        ("buyback_rate = 1.5", "buyback_rate: must be a number above 0 and at most 1"),
        ('sol_usd = "cheap"', "sol_usd: must be a number"),
        ("treasury_lamports = -1", "treasury_lamports: must be a whole number"),
        ("sol_usd", "is not TOML"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=told):
            read_settings(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path / "none.toml")
    assert sum(PROMISED_ODDS.values()) == 1
    assert TestbedSettings().replace(items_available=3).items_available == 3


def test_the_guides_example_payout() -> None:
    assert payout_lamports(Decimal("12.5"), Decimal("0.85"), Decimal(200)) == 53_125_000


@given(
    st.decimals("0", "1000000", places=4),
    st.decimals("0.01", "1", places=2),
    st.decimals("1", "10000", places=8),
)
def test_a_payout_is_the_floor_of_the_exact_value(
    price: Decimal, rate: Decimal, sol: Decimal
) -> None:
    from fractions import Fraction

    exact = Fraction(price) * Fraction(rate) * 10**9 / Fraction(sol)
    assert payout_lamports(price, rate, sol) == exact.numerator // exact.denominator


def test_instructions_and_faults_are_read_from_logs() -> None:
    program = Pubkey.new_unique()
    logs = [
        f"Program {program} invoke [1]",
        "Program log: Instruction: ExecuteBuyback",
        "Program 11111111111111111111111111111111 invoke [2]",
        "Program log: Instruction: Inner",
        "Program 11111111111111111111111111111111 success",
        f"Program {program} consumed 4711 of 800000 compute units",
        "Program log: AnchorError thrown. Error Code: BuybackDisabled. Error Number: 6000. "
        "Error Message: Buyback is currently disabled.",
        f"Program {program} failed: custom program error: 0x1770",
    ]
    (run,) = runs_from(logs)
    assert (run.program, run.name, run.compute_units) == (program, "ExecuteBuyback", 4711)
    assert fault_from({}, logs).name == "BuybackDisabled"
    assert fault_from({}, [logs[0], logs[-1]]).name == "Custom(0x1770)"


def test_the_program_that_refused_names_the_fault() -> None:
    token, metadata = (
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s",
    )
    inner = f"Program {token} failed: custom program error: 0x11"
    outer = f"Program {metadata} failed: custom program error: 0x11"
    assert fault_from({}, [inner, outer]).name == "AccountFrozen", "the innermost refuses first"
    assert fault_from({}, [outer]).name == "MaxEditionsMintedAlready"
    unknown = f"Program {metadata} failed: custom program error: 0xffff"
    assert fault_from({}, [unknown]).name == "Custom(0xffff)"
    ran_out = "Program Inner failed: exceeded CUs meter at BPF instruction"
    caller = "Program Outer failed: Program failed to complete"
    assert fault_from({}, [ran_out, caller]).message == "exceeded CUs meter at BPF instruction"
