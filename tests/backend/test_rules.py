"""The rules that keep things exactly once and never overpaid, on whatever hypothesis comes up with.

No I/O: states, reservations, fair rolls, and what the treasury co-signs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageAddressTableLookup, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    transfer,
)

from backend.domain.boxes import read_boxes
from backend.domain.errors import TransactionMismatch
from backend.domain.fairness import FairRandomness, Proof, commitment, read_choices, repeat_roll
from backend.domain.message_rules import LIGHTHOUSE, Agreed, check_message
from backend.domain.rarity import GUIDE_ODDS
from backend.domain.states import (
    TRIES_MAX,
    Fate,
    Shown,
    State,
    Step,
    next_step,
    wait_seconds,
)
from programs.buyback import client as buyback
from programs.candy_machine import client as candy_machine
from programs.token_metadata.client import Creator, Metadata

USER, TREASURY, MINT, OTHER = (Keypair.from_seed(bytes([n]) * 32).pubkey() for n in range(1, 5))
BLOCKHASH = Hash(b"b" * 32)
EXECUTE = buyback.execute_buyback(
    user=USER, treasury=TREASURY, mint=MINT, collection_mint=OTHER, amount=53_125_000
)
AGREED = Agreed(user=USER, treasury=TREASURY, execute=EXECUTE, blockhash=BLOCKHASH)
LIMIT = set_compute_unit_limit(800_000)


# -- reveals ---------------------------------------------------------------------------------------


class RevealOnALedger(RuleBasedStateMachine):
    """A reveal driven by `next_step` against a ledger that does what it likes with bytes it got.

    The ledger may lose, land or expire each transaction, land it late but within its life, and
    lie by silence; it never lies by saying something false. However it goes, no more than one
    transaction lands.
    """

    def __init__(self) -> None:
        super().__init__()
        self.state = State.SUBMITTED
        self.in_flight = True
        self.alive = True
        self.landed = 0
        self.signed = 1

    @rule()
    def lands(self) -> None:
        if self.in_flight and self.alive and self.state is State.SUBMITTED:
            self.landed += 1
            self.alive = False

    @rule()
    def blockhash_dies(self) -> None:
        self.alive = False

    @rule(answers=st.booleans())
    def somebody_asks(self, answers: bool) -> None:
        if self.state is not State.SUBMITTED:
            return
        fate = Fate.UNKNOWN
        if answers and self.landed:
            fate = Fate.LANDED
        elif answers and not self.alive:
            fate = Fate.EXPIRED
        shown = Shown.ROLL if self.landed else Shown.PLACEHOLDER
        step = next_step(fate, shown)
        if step is Step.FINISH:
            self.state = State.REVEALED
        elif step is Step.SIGN_AGAIN:
            self.signed += 1
            self.alive = True

    @invariant()
    def at_most_one_lands(self) -> None:
        assert self.landed <= 1
        assert self.state is not State.REVEALED or self.landed == 1


TestRevealOnALedger = RevealOnALedger.TestCase
TestRevealOnALedger.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(st.sampled_from(Fate), st.sampled_from(Shown))
def test_nothing_is_signed_again_without_both_proofs(fate: Fate, shown: Shown) -> None:
    step = next_step(fate, shown)
    if step is Step.SIGN_AGAIN:
        assert fate.dead
        assert shown is Shown.PLACEHOLDER
    if fate in (Fate.UNKNOWN, Fate.REFUSED) and shown is not Shown.ROLL:
        assert step is Step.WAIT


def test_pauses_double_up_to_a_limit_and_end() -> None:
    pauses = [wait_seconds(tries) for tries in range(TRIES_MAX)]
    assert pauses[:3] == [2.0, 4.0, 8.0]
    assert max(pause for pause in pauses if pause is not None) == 300.0
    assert wait_seconds(TRIES_MAX) is None


# -- boxes -----------------------------------------------------------------------------------------


def metadata_with(*creators: Creator) -> Metadata:
    return Metadata(OTHER, MINT, "", "", "", 0, creators, True, None, None)


def test_a_box_is_what_its_machine_signed() -> None:
    plain = {"id": "plain", "candy_machine": str(OTHER)}
    golden = {"id": "golden", "candy_machine": str(MINT), "odds": {"Epic": "1"}}
    boxes = read_boxes(json.dumps([plain, golden]), "uri")
    signature = candy_machine.authority_address(MINT)
    assert boxes.of(metadata_with(Creator(signature, True, 0))) is boxes.named("golden")
    unsigned, second = Creator(signature, False, 0), Creator(OTHER, True, 100)
    for wrong in (metadata_with(), metadata_with(unsigned), metadata_with(second, unsigned)):
        assert boxes.of(wrong) is None


@pytest.mark.parametrize(
    "text", ["{}", "[]", "[1]", '[{"id": "a"}]', "x", '[{"id": "a", "candy_machine": "b"}]']
)
def test_boxes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="box"):
        read_boxes(text, "uri")


# -- fair rolls ------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.text(max_size=64), st.integers(0, 2**63 - 1))
def test_a_fair_number_is_the_hmac_that_is_promised(seed: bytes, client: str, nonce: int) -> None:
    randomness = FairRandomness(seed, client, nonce)
    digests = [
        hmac.new(seed, f"{client}:{nonce}:{n}".encode(), hashlib.sha256).digest() for n in range(2)
    ]
    first, second = (int.from_bytes(digest[:8], "big") for digest in digests)
    assert randomness.random() == (first >> 11) * 2.0**-53
    assert randomness.randrange(10) == second % 10 or second >= 2**64 - 2**64 % 10


def test_fair_rolls_come_near_the_odds() -> None:
    rolls = Counter(GUIDE_ODDS.roll(FairRandomness(b"s" * 32, "me", n)) for n in range(20_000))
    for tier, share in GUIDE_ODDS.tiers:
        sigma = float(share * (1 - share) / 20_000) ** 0.5
        assert abs(rolls[tier] / 20_000 - float(share)) < 5 * sigma


def test_the_verifier_command_repeats_a_roll() -> None:
    seed = b"s" * 32
    proof = Proof(commitment(seed), "me", 7, GUIDE_ODDS, ((3, 1), (4, 9)))
    tier, template = repeat_roll(proof, seed)
    given = ["--commitment", proof.commitment, "--client-seed", "me", "--nonce", "7"]

    def verify(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backend.verify_roll", *given, *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = verify("--server-seed", seed.hex(), "--choices", "3:1,4:9")
    assert (done.returncode, done.stdout) == (0, f"{tier}, template {template}\n"), done.stderr
    wrong = verify("--server-seed", (b"t" * 32).hex(), "--choices", "3:1,4:9")
    assert wrong.returncode == 1
    assert "does not match" in wrong.stderr
    assert verify("--server-seed", "zz", "--choices", "3:1").returncode == 2


def test_choices_are_read_as_written() -> None:
    assert read_choices("7:1,9:3") == ((7, 1), (9, 3))


# -- what the treasury co-signs --------------------------------------------------------------------


def message(
    *instructions: Instruction, payer: Pubkey = USER, blockhash: Hash = BLOCKHASH
) -> Message:
    return Message.new_with_blockhash(list(instructions), payer, blockhash)


def guard(*accounts: Pubkey) -> Instruction:
    return Instruction(LIGHTHOUSE, b"\5abc", [AccountMeta(one, False, False) for one in accounts])


def test_harmless_additions_are_signed() -> None:
    for harmless in (
        message(LIMIT, EXECUTE),
        message(EXECUTE),
        message(LIMIT, set_compute_unit_price(5), EXECUTE, guard(USER, MINT)),
        MessageV0.try_compile(USER, [LIMIT, EXECUTE], [], BLOCKHASH),
    ):
        check_message(harmless, AGREED)


def other_amount(lamports: int) -> Instruction:
    return buyback.execute_buyback(
        user=USER, treasury=TREASURY, mint=MINT, collection_mint=OTHER, amount=lamports
    )


NONCE = advance_nonce_account(AdvanceNonceAccountParams(nonce_pubkey=OTHER, authorized_pubkey=USER))
PAY = transfer(TransferParams(from_pubkey=TREASURY, to_pubkey=USER, lamports=1))
APPROVE = Instruction(
    Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"), b"\4" + bytes(8), []
)


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (message(LIMIT), "other signers"),
        (message(EXECUTE, EXECUTE), "one buyback"),
        (message(other_amount(53_125_001)), "not the one that was issued"),
        (message(EXECUTE, other_amount(1)), "not the one that was issued"),
        (message(EXECUTE, PAY), "not allowed"),
        (message(EXECUTE, APPROVE), "not allowed"),
        (message(NONCE, EXECUTE), "not allowed"),
        (message(EXECUTE, guard(TREASURY)), "uses the treasury"),
        (message(EXECUTE, payer=TREASURY), "pays the fee"),
        (message(EXECUTE, payer=OTHER), "pays the fee"),
        (message(EXECUTE, blockhash=Hash(b"c" * 32)), "blockhash"),
        (
            message(EXECUTE, Instruction(LIGHTHOUSE, b"\5", [AccountMeta(OTHER, True, False)])),
            "other signers",
        ),
    ],
)
def test_what_could_cost_the_treasury_more_is_not_signed(spoiled: Message, reason: str) -> None:
    with pytest.raises(TransactionMismatch, match=reason):
        check_message(spoiled, AGREED)


def test_looked_up_accounts_are_not_signed() -> None:
    plain = MessageV0.try_compile(USER, [EXECUTE], [], BLOCKHASH)
    lookup = MessageAddressTableLookup(OTHER, b"", b"\0")
    hidden = MessageV0(
        plain.header, list(plain.account_keys), BLOCKHASH, list(plain.instructions), [lookup]
    )
    with pytest.raises(TransactionMismatch, match="table"):
        check_message(hidden, AGREED)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_changed_byte_gets_past(data: st.DataObject) -> None:
    """Any single byte of the message changed: refused, or without effect on the treasury."""
    raw = bytearray(bytes(message(LIMIT, EXECUTE)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        changed = Message.from_bytes(bytes(raw))
    except ValueError:
        return
    try:
        check_message(changed, AGREED)
    except TransactionMismatch:
        return
    # What passed pays the same amount to the same user for the same NFT.
    execute = [one for one in changed.instructions if len(bytes(one.accounts)) > 1]
    assert [bytes(one.data) for one in execute] == [bytes(EXECUTE.data)]
    assert changed.account_keys[0] == USER
