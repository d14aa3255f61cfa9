"""Each judge is quiet over an honest economy and fires when its subject is broken on purpose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.system_program import TransferParams, transfer
from sqlalchemy import text

from harness.checks import JUDGES, Evidence, Judgement
from harness.checks.lamports import judge_lamports
from harness.checks.limits import judge_limits
from harness.checks.mints import judge_mints
from harness.checks.secrecy import judge_secrecy
from harness.ledger.embedded import EmbeddedLedger
from harness.players.player import BotTaxed, Nft, Player
from harness.testbed import Testbed
from programs.token_metadata import client as token_metadata

pytestmark = pytest.mark.unjudged


@pytest.fixture
def played(testbed: Testbed) -> tuple[Testbed, Nft, Nft]:
    """A testbed in which one NFT was sold, one was kept and one bot was taxed."""
    player = testbed.player()
    sold, kept = player.mint(), player.mint()
    player.reveal(sold)
    player.reveal(kept)
    player.sell(sold)
    with pytest.raises(BotTaxed):
        player.mint(after=[_extra(player)])
    return testbed, sold, kept


def _extra(player: Player) -> Instruction:
    return transfer(TransferParams(from_pubkey=player.pubkey, to_pubkey=player.pubkey, lamports=1))


def verdicts(testbed: Testbed) -> dict[str, Judgement]:
    evidence = testbed.evidence()
    return {judgement.judge: judgement for judgement in (judge(evidence) for judge in JUDGES)}


def undone(testbed: Testbed, statement: str) -> None:
    """Run a statement, and nothing else: the testbed is thrown away."""
    with testbed.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_an_honest_economy_passes(played: tuple[Testbed, Nft, Nft]) -> None:
    testbed, _, _ = played
    found = verdicts(testbed)
    assert [judgement for judgement in found.values() if not judgement.passed] == []
    assert found["mints paid or taxed"].counted == {"minted": 2, "taxed": 1}
    assert found["burnt, paid and recorded"].counted["paid"] == 1
    assert found["revealed once, as recorded"].counted == {"recorded": 2, "rewritten": 2}
    assert found["lamports conserved"].counted["transactions"] > 10
    assert found["nothing told in logs"].counted["log_lines"] >= 5


@pytest.mark.parametrize("difference", [1, -1])
def test_a_single_lamport_is_missed(played: tuple[Testbed, Nft, Nft], difference: int) -> None:
    testbed, _, _ = played
    assert isinstance(testbed.ledger, EmbeddedLedger)
    machine = testbed.ledger.chain.machine
    address = testbed.deployment.treasury
    held = machine.get_account(address)
    machine.set_account(
        address,
        Account(held.lamports + difference, bytes(held.data), held.owner, False, 0),
    )
    findings = verdicts(testbed)["lamports conserved"].findings
    assert len(findings) == 1
    assert findings[0].startswith("treasury has ")


def test_a_lamport_between_two_transactions_is_missed(
    played: tuple[Testbed, Nft, Nft],
) -> None:
    testbed, _, _ = played
    evidence = testbed.evidence()
    receipts = list(evidence.receipts)
    last = receipts[-1]
    moved = (last.before_lamports[0] + 1, *last.before_lamports[1:])
    receipts[-1] = dataclasses.replace(last, before_lamports=moved)
    findings = judge_lamports(dataclasses.replace(evidence, receipts=tuple(receipts))).findings
    assert any("no transaction between" in finding for finding in findings)
    assert any("the fee is" in finding for finding in findings)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("delete from buyback_records", "recorded 0x"),
        ("update buyback_records set amount_paid = amount_paid + 0.000000001", "paid "),
        ("update buyback_records set tx_signature = 'x'", "not that of its payment"),
        ("update user_skins set is_burned_back = false", "marked as burned back 0x"),
        ("update user_skins set is_burned_back = true", "burnt 0x, paid 0x"),
        ("update skin_templates set base_price_usd = base_price_usd + 0.01", " is "),
    ],
)
def test_books_that_do_not_agree_with_the_ledger(
    played: tuple[Testbed, Nft, Nft], statement: str, told: str
) -> None:
    testbed, _, _ = played
    undone(testbed, statement)
    found = verdicts(testbed)["burnt, paid and recorded"]
    assert any(told in finding for finding in found.findings), found.findings


def test_an_nft_burnt_for_nothing(played: tuple[Testbed, Nft, Nft]) -> None:
    """Its holder burns an NFT past the buyback: gone, not paid, not recorded."""
    testbed, _, kept = played
    assert isinstance(testbed.ledger, EmbeddedLedger)
    machine = testbed.ledger.chain.machine
    mint = machine.get_account(kept.mint)
    data = bytearray(mint.data)
    data[36:44] = bytes(8)
    machine.set_account(kept.mint, Account(mint.lamports, bytes(data), mint.owner, False, 0))
    found = verdicts(testbed)["burnt, paid and recorded"]
    assert found.findings == (
        f"{kept.name}: burnt 1x, paid 0x, recorded 0x, marked as burned back 0x; all must be 1",
    )


def rename(testbed: Testbed, nft: Nft, name: bytes) -> None:
    assert isinstance(testbed.ledger, EmbeddedLedger)
    machine = testbed.ledger.chain.machine
    address = token_metadata.metadata_address(nft.mint)
    held = machine.get_account(address)
    data = bytearray(held.data)
    data[69 : 69 + 32] = name.ljust(32, b"\0")
    machine.set_account(address, Account(held.lamports, bytes(data), held.owner, False, 0))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda bed, nft: rename(bed, nft, b"AWP | Dragon Lore"), "shows 'AWP | Dragon Lore'"),
        (lambda bed, nft: rename(bed, nft, b"A"), "shows 'A'"),
        (
            lambda bed, nft: undone(
                bed, f"delete from user_skins where nft_mint_address = '{nft.mint}'"
            ),
            "but no row says so",
        ),
    ],
    ids=["another name", "a beginning of the name", "no row"],
)
def test_a_reveal_that_is_not_as_recorded(
    played: tuple[Testbed, Nft, Nft], spoil: Callable[[Testbed, Nft], None], told: str
) -> None:
    testbed, _, kept = played
    spoil(testbed, kept)
    found = verdicts(testbed)["revealed once, as recorded"]
    assert any(told in finding for finding in found.findings), found.findings


def test_a_second_rewrite_of_the_metadata(played: tuple[Testbed, Nft, Nft]) -> None:
    testbed, _, kept = played
    again = token_metadata.update(
        mint=kept.mint, authority=testbed.authority_key.pubkey(),
        metadata=testbed.metadata(kept), name=testbed.metadata(kept).name, uri="https://x.test",
    )  # fmt: skip
    testbed.submit("operator", "rewrite", [again], [testbed.authority_key])
    found = verdicts(testbed)["revealed once, as recorded"]
    assert any("rewritten 2 times" in finding for finding in found.findings), found.findings


def altered(evidence: Evidence, **changes: int) -> Evidence:
    return dataclasses.replace(evidence, machine=dataclasses.replace(evidence.machine, **changes))


def test_another_price_or_tax_than_promised(played: tuple[Testbed, Nft, Nft]) -> None:
    evidence = played[0].evidence()
    dearer = judge_mints(altered(evidence, mint_price_lamports=200_000_001))
    assert len(dearer.findings) == 2
    milder = judge_mints(altered(evidence, bot_tax_lamports=19_999_999))
    assert len(milder.findings) == 1


def test_each_machine_is_held_to_its_own_price(testbed: Testbed) -> None:
    """Two box types from two machines, one taxed bot at the dearer: each mint is counted for the
    machine that it went to."""
    golden = testbed.operator.put_on_sale(
        "golden", {"Epic": "1"}, items_available=3, mint_price_lamports=300_000_000
    )
    player = testbed.player()
    player.mint()
    player.reveal(player.mint(machine=golden.machine), box_id="golden")
    with pytest.raises(BotTaxed):
        player.mint(machine=golden.machine, after=[_extra(player)])
    evidence = testbed.evidence()
    assert [one for one in verdicts(testbed).values() if not one.passed] == []
    (seller,) = evidence.machine.others

    def judged(**changes: int) -> tuple[str, ...]:
        others = (dataclasses.replace(seller, **changes),)
        machine = dataclasses.replace(evidence.machine, others=others)
        return judge_mints(dataclasses.replace(evidence, machine=machine)).findings

    assert [one.split(" got ")[-1] for one in judged(mint_price_lamports=200_000_000)] == [
        "300000000 lamports, the price is 200000000"
    ]
    assert len(judged(bot_tax_lamports=1)) == 1
    assert judged(items_redeemed_before=1) == (
        "the candy machine of golden says 0 items were redeemed, the ledger shows 1 mints",
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"compute_units": 800_001, "compute_units_limit": 800_000}, "800001 compute units of"),
        ({"compute_units": 1_400_001, "compute_units_limit": 2_000_000}, "of 1400000"),
        ({"size_bytes": 1233}, "has 1233 bytes"),
    ],
)
def test_a_transaction_beyond_its_limits(
    played: tuple[Testbed, Nft, Nft], changes: dict[str, int], told: str
) -> None:
    evidence = played[0].evidence()
    last = dataclasses.replace(evidence.receipts[-1], **changes)
    spoiled = dataclasses.replace(evidence, receipts=(*evidence.receipts[:-1], last))
    (finding,) = judge_limits(spoiled).findings
    assert told in finding
    assert judge_limits(evidence).passed


def test_an_nft_that_its_holder_burnt_is_owed_nothing(played: tuple[Testbed, Nft, Nft]) -> None:
    testbed, _, kept = played
    testbed.players[0].burn(kept)
    found = verdicts(testbed)["burnt, paid and recorded"]
    assert found.passed
    assert found.counted["burnt by their holders"] == 1
    undone(testbed, "update user_skins set is_burned_back = true")
    assert not verdicts(testbed)["burnt, paid and recorded"].passed


def test_a_log_that_tells(played: tuple[Testbed, Nft, Nft]) -> None:
    testbed, sold, _ = played
    evidence = testbed.evidence()
    signature = str(evidence.receipts[-1].signature)
    for leak in (str(sold.mint), signature, evidence.secrets[0]):
        told = judge_secrecy(dataclasses.replace(evidence, log_text=f"info {leak} done\n"))
        assert len(told.findings) == 1, leak[:4]
