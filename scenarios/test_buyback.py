"""The treasury's side: when it pays, how much, and when it must not."""

from __future__ import annotations

from functools import partial

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.system_program import TransferParams, transfer

from harness.checks.buybacks import payout_lamports
from harness.errors import HarnessError
from harness.players.api import ApiRefusal
from harness.players.crowd import accepted, at_once
from harness.players.messages import Change, rebuilt, with_instructions
from harness.players.nft import Nft
from harness.players.player import Player
from harness.submission import Outcome
from harness.testbed import Testbed


def _holder(testbed: Testbed) -> tuple[Player, Nft]:
    """A player with a revealed skin."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    return player, nft


@pytest.mark.smoke
@pytest.mark.needs("operator")
@pytest.mark.guide("testing.error-cases")
def test_paused_buybacks_are_refused(testbed: Testbed) -> None:
    """The operator pauses buybacks; nobody can sell until they are resumed."""
    player, nft = _holder(testbed)
    testbed.operator.pause()
    assert testbed.api.status(player.name)["buybackEnable"] is False
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "BUYBACK_DISABLED"
    testbed.operator.resume()
    player.sell(nft)


@pytest.mark.smoke
@pytest.mark.needs("operator")
@pytest.mark.guide("testing.error-cases")
def test_a_pause_between_request_and_confirm_holds(testbed: Testbed) -> None:
    """A transaction that the treasury signed before the pause is refused by the program after it,
    and the NFT stays with its owner."""
    player, nft = _holder(testbed)
    signed = player.sign(player.request_buyback(nft))
    testbed.operator.pause()
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, signed)
    assert refusal.value.code == "BUYBACK_DISABLED"
    assert testbed.exists(nft)


@pytest.mark.smoke
@pytest.mark.needs("operator")
@pytest.mark.guide("issues.treasury-insufficient", "monitoring.treasury-balance")
@pytest.mark.parametrize("spare_lamports", [-1, 0, 1], ids=["one below", "exactly", "one above"])
def test_the_minimum_balance_is_never_touched(testbed: Testbed, spare_lamports: int) -> None:
    """The treasury holds the minimum and the payout, give or take a lamport: one too few and the
    sale is refused, by the backend and by the program; otherwise it goes through."""
    player, nft = _holder(testbed)
    lamports = player.quote(nft).lamports
    left = testbed.balance_lamports(testbed.deployment.treasury) - lamports
    early = player.sign(player.request_buyback(nft))
    testbed.operator.set_min_treasury(left - spare_lamports)
    if spare_lamports < 0:
        for move in (
            lambda: player.request_buyback(nft),
            lambda: player.confirm_buyback(nft, early),
        ):
            with pytest.raises(ApiRefusal) as refusal:
                move()
            assert refusal.value.code == "INSUFFICIENT_TREASURY"
        assert testbed.exists(nft)
    else:
        player.confirm_buyback(nft, early)
        assert testbed.balance_lamports(testbed.deployment.treasury) == left


@pytest.mark.smoke
@pytest.mark.guide("monitoring.failed-buybacks", "testing.error-cases")
def test_a_sale_is_paid_once(testbed: Testbed) -> None:
    """The same signed transaction is handed in twice: the second time is answered like the first
    and pays nothing."""
    player, nft = _holder(testbed)
    signed = player.sign(player.request_buyback(nft))
    first = player.confirm_buyback(nft, signed)
    balance = player.balance_lamports()
    assert player.confirm_buyback(nft, signed) == first
    assert player.balance_lamports() == balance


@pytest.mark.smoke
@pytest.mark.guide("testing.error-cases", "dont.trust-client")
def test_somebody_else_cannot_sell_it(testbed: Testbed) -> None:
    """A stranger asks to sell a player's NFT and is refused."""
    _, nft = _holder(testbed)
    stranger = testbed.player()
    with pytest.raises(ApiRefusal) as refusal:
        stranger.request_buyback(nft)
    assert refusal.value.code == "NOT_THE_HOLDER"
    assert testbed.exists(nft)


@pytest.mark.guide("testing.concurrent-reveals", "monitoring.failed-buybacks")
def test_confirming_twice_at_the_same_moment(testbed: Testbed) -> None:
    """Eight confirms of one sale arrive together: one payment, and everybody hears of that one."""
    player, nft = _holder(testbed)
    quoted, rent = player.quote(nft).lamports, testbed.rent_of(nft)
    signed = player.sign(player.request_buyback(nft))
    before = player.balance_lamports()
    answers = at_once([lambda: player.confirm_buyback(nft, signed)] * 8)
    assert len(set(accepted(answers))) == 1
    assert player.balance_lamports() == before + quoted + rent - 10_000


@pytest.mark.guide("monitoring.failed-buybacks")
def test_two_quotes_for_one_skin(testbed: Testbed) -> None:
    """A player asks twice before signing. Whatever the second answer is, only one is paid."""
    player, nft = _holder(testbed)
    quoted, rent = player.quote(nft).lamports, testbed.rent_of(nft)
    first = player.sign(player.request_buyback(nft))
    try:
        second = player.sign(player.request_buyback(nft))
    except ApiRefusal:
        second = first
    before = player.balance_lamports()
    answers = at_once([partial(player.confirm_buyback, nft, one) for one in (first, second)])
    assert len(set(accepted(answers))) == 1
    assert player.balance_lamports() == before + quoted + rent - 10_000


@pytest.mark.guide("testing.error-cases")
def test_a_quote_dies(testbed: Testbed) -> None:
    """The player signs two minutes after asking: the quote has expired, the skin is still there,
    and a new quote is paid."""
    player, nft = _holder(testbed)
    unsigned = player.request_buyback(nft)
    testbed.clock.sleep(120)
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, player.sign(unsigned))
    assert refusal.value.code == "QUOTE_EXPIRED"
    assert testbed.exists(nft)
    player.sell(nft)


@pytest.mark.guide("issues.not-in-inventory")
def test_an_unopened_box_cannot_be_sold(testbed: Testbed) -> None:
    """The player skips the reveal: the inventory does not know the NFT yet."""
    player = testbed.player()
    nft = player.mint()
    with pytest.raises(ApiRefusal) as refusal:
        player.quote(nft)
    assert refusal.value.code == "NFT_NOT_FOUND"
    player.reveal(nft)
    player.sell(nft)


# -- amounts ------------------------------------------------------------------------------------

_PRICES_USD = ("0.0004", "0.0137", "1", "37.6725", "1234.5678", "1000000")


@pytest.mark.needs("database", "reference backend")
@pytest.mark.guide("testing.treasury-decreases", "dont.trust-client")
@pytest.mark.parametrize("sol_usd", ["1", "103.37", "200", "10000"])
@pytest.mark.testbed(treasury_lamports=4_000_000 * 10**9)
def test_the_exact_amount(testbed: Testbed, sol_usd: str) -> None:
    """Skins from fractions of a cent to a million dollars are sold at one SOL price: each is paid
    floor(USD / SOL USD x 0.85 x 10^9) lamports, to the lamport."""
    testbed.market.move(sol_usd=sol_usd)
    player = testbed.player()
    for usd in _PRICES_USD:
        nft = player.mint()
        player.reveal(nft)
        testbed.books.set_price(usd, nft)
        terms = testbed.market.terms
        nft_price = testbed.books.price_of(nft)
        right = payout_lamports(nft_price, terms.rate, terms.sol_usd)
        assert player.quote(nft).lamports == right
        treasury = testbed.balance_lamports(testbed.deployment.treasury)
        player.sell(nft)
        assert testbed.balance_lamports(testbed.deployment.treasury) == treasury - right


@pytest.mark.needs("database", "reference backend")
@pytest.mark.guide("testing.error-cases")
def test_an_amount_that_rounds_to_nothing(testbed: Testbed) -> None:
    """A worthless skin would be burnt for no lamport at all: refused, and it stays."""
    player, nft = _holder(testbed)
    testbed.books.set_price("0", nft)
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "NOTHING_TO_PAY"
    assert testbed.exists(nft)


@pytest.mark.needs("reference backend")
@pytest.mark.guide("dont.trust-client")
def test_the_price_moves_between_quote_and_confirm(testbed: Testbed) -> None:
    """SOL doubles after the transaction was signed: what was quoted is paid, not more and not
    less; the next skin is paid by the new price."""
    player, nft = _holder(testbed)
    other = player.mint()
    player.reveal(other)
    quoted = player.quote(nft).lamports
    signed = player.sign(player.request_buyback(nft))
    testbed.market.move(sol_usd=str(2 * testbed.market.terms.sol_usd))
    treasury = testbed.balance_lamports(testbed.deployment.treasury)
    player.confirm_buyback(nft, signed)
    assert testbed.balance_lamports(testbed.deployment.treasury) == treasury - quoted
    before = payout_lamports(testbed.books.price_of(other), testbed.market.terms.rate,
                             testbed.market.history[0].sol_usd)  # fmt: skip
    assert player.quote(other).lamports in (before // 2, before // 2 + 1)
    player.sell(other)


@pytest.mark.needs("reference backend")
def test_the_rate_is_changed_live(testbed: Testbed) -> None:
    """The operator lowers BUYBACK_RATE to 0.5 and restarts: the next quote follows, the one that
    was signed before is paid as it was signed."""
    player, nft = _holder(testbed)
    other = player.mint()
    player.reveal(other)
    signed = player.sign(player.request_buyback(nft))
    testbed.change_rate("0.5")
    player.confirm_buyback(nft, signed)
    right = payout_lamports(testbed.books.price_of(other), testbed.market.terms.rate,
                            testbed.market.terms.sol_usd)  # fmt: skip
    assert player.quote(other).lamports == right
    player.sell(other)


# -- what a cheat hands in ----------------------------------------------------------------------


def _dearer(instruction: Instruction) -> Instruction:
    """The buyback with a hundred times its amount."""
    if len(instruction.data) != 16:  # discriminator and amount
        return instruction
    amount = int.from_bytes(instruction.data[8:], "little") * 100
    data = instruction.data[:8] + amount.to_bytes(8, "little")
    return Instruction(instruction.program_id, data, instruction.accounts)


def _read_only(instruction: Instruction) -> Instruction:
    """The buyback with its last account writable: another message, same meaning."""
    if len(instruction.data) != 16:
        return instruction
    last = instruction.accounts[-1]
    changed = [*instruction.accounts[:-1], AccountMeta(last.pubkey, last.is_signer, True)]
    return Instruction(instruction.program_id, instruction.data, changed)


@pytest.mark.guide("do.validate-inputs", "dont.trust-client", "dont.skip-validation")
@pytest.mark.parametrize("change", [_dearer, _read_only], ids=["amount", "accounts"])
def test_a_tampered_transaction(testbed: Testbed, change: Change) -> None:
    """A cheat changes what the treasury signed. The backend refuses it, the ledger would too, and
    the honest transaction is still good afterwards."""
    player, nft = _holder(testbed)
    honest = player.request_buyback(nft)
    treasury = testbed.balance_lamports(testbed.deployment.treasury)
    forged = player.sign(with_instructions(honest, change=change))
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, forged)
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    assert player.broadcast(nft, forged).outcome is Outcome.REFUSED
    assert testbed.balance_lamports(testbed.deployment.treasury) == treasury
    player.confirm_buyback(nft, player.sign(honest))


@pytest.mark.guide("do.validate-inputs", "dont.trust-client")
def test_an_extra_instruction_is_smuggled_in(testbed: Testbed) -> None:
    """A cheat appends a transfer out of the treasury to the signed sale."""
    player, nft = _holder(testbed)
    treasury = testbed.deployment.treasury
    honest = player.request_buyback(nft)
    loot = transfer(TransferParams(from_pubkey=treasury, to_pubkey=player.pubkey, lamports=10**9))
    before = testbed.balance_lamports(treasury)
    forged = player.sign(with_instructions(honest, after=[loot]))
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, forged)
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    assert player.broadcast(nft, forged).outcome is Outcome.REFUSED
    assert testbed.balance_lamports(treasury) == before


@pytest.mark.guide("do.validate-inputs", "dont.trust-client")
def test_a_different_transaction_altogether(testbed: Testbed) -> None:
    """A cheat hands in a payment between friends instead of the sale, and the sale of another
    skin instead of this one."""
    player, nft = _holder(testbed)
    other = player.mint()
    player.reveal(other)
    request = player.request_buyback(nft)
    unrelated = rebuilt(
        request,
        [transfer(TransferParams(from_pubkey=player.pubkey, to_pubkey=player.pubkey, lamports=1))],
    )
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, player.sign(unrelated))
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(other, player.sign(request))
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    assert testbed.exists(nft)
    assert testbed.exists(other)


@pytest.mark.guide("do.validate-inputs", "dont.trust-client")
def test_another_signer(testbed: Testbed) -> None:
    """A stranger gets hold of the unsigned sale and hands it in as an own one, or unsigned."""
    player, nft = _holder(testbed)
    stranger = testbed.player()
    unsigned = player.request_buyback(nft)
    with pytest.raises(ApiRefusal) as refusal:
        stranger.confirm_buyback(nft, unsigned)
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, unsigned)
    assert refusal.value.code == "MISSING_SIGNATURE"
    assert testbed.exists(nft)


@pytest.mark.guide("do.validate-inputs", "dont.skip-validation", "dont.trust-client")
def test_a_client_that_states_its_own_amount(testbed: Testbed) -> None:
    """A client adds an amount to its request: it is ignored, what the rule gives is paid."""
    player, nft = _holder(testbed)
    quoted = player.quote(nft).lamports
    body = {
        "nftMint": str(nft.mint),
        "walletAddress": str(player.pubkey),
        "buybackAmount": 1_000_000,
        "buybackAmountLamports": "1000000000000000",
    }
    answer = testbed.api.send(player.name, "POST", "/buyback/request", body, nft.mint)
    assert answer["buybackAmountLamports"] == str(quoted)


@pytest.mark.guide("do.validate-inputs", "dont.skip-validation")
@pytest.mark.parametrize(
    ("route", "change"),
    [
        ("request", {"nftMint": "nonsense"}),
        ("request", {"walletAddress": None}),
        ("request", {"walletAddress": "0OIl"}),
        ("confirm", {"signedTransaction": "not base64!"}),
        ("confirm", {"signedTransaction": "AAAA"}),
        ("confirm", {"signedTransaction": "A" * 20_000}),
    ],
)
def test_nonsense_pays_nothing(testbed: Testbed, route: str, change: dict[str, object]) -> None:
    """Requests that make no sense are refused by what is wrong with them and change nothing."""
    player, nft = _holder(testbed)
    body: dict[str, object] = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}
    treasury = testbed.balance_lamports(testbed.deployment.treasury)
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.send(player.name, "POST", f"/buyback/{route}", {**body, **change}, nft.mint)
    assert refusal.value.status in (413, 422)
    assert testbed.balance_lamports(testbed.deployment.treasury) == treasury
    player.sell(nft)


# -- past the backend ---------------------------------------------------------------------------


@pytest.mark.guide("monitoring.failed-buybacks", "do.audit-buybacks")
@pytest.mark.parametrize("confirms", [True, False], ids=["confirms later", "never confirms"])
@pytest.mark.needs("database", "reference backend")
def test_the_player_broadcasts_the_sale(testbed: Testbed, confirms: bool) -> None:
    """The player sends the signed sale to the ledger past the backend. Confirmed afterwards or
    not, it is paid once and stands in the books."""
    player, nft = _holder(testbed)
    signed = player.sign(player.sell_unsigned(nft))
    assert player.broadcast(nft, signed).outcome is Outcome.LANDED
    if confirms:
        player.confirm_buyback(nft, signed)
    else:
        testbed.clock.sleep(120)
        testbed.backend.tick()
    assert testbed.books.records(nft) == 1


@pytest.mark.needs("operator")
@pytest.mark.guide("issues.treasury-insufficient", "do.watch-treasury")
def test_open_quotes_never_promise_more_than_there_is(testbed: Testbed) -> None:
    """The treasury can pay two of five skins. Five players ask together: quotes are given for what
    is there, everybody who got one is paid, and the minimum is never touched."""
    testbed.books.set_price("100")
    holders = [_holder(testbed) for _ in range(5)]
    payout = holders[0][0].quote(holders[0][1]).lamports
    treasury = testbed.deployment.treasury
    testbed.operator.set_min_treasury(testbed.balance_lamports(treasury) - 2 * payout)
    issued = at_once([partial(who.request_buyback, nft) for who, nft in holders])
    assert len(accepted(issued)) == 2
    for (who, nft), answer in zip(holders, issued, strict=True):
        if not isinstance(answer, HarnessError):
            who.confirm_buyback(nft, who.sign(answer))
    assert testbed.balance_lamports(treasury) == testbed.min_treasury_lamports


@pytest.mark.guide("testing.error-cases")
@pytest.mark.parametrize("locked", [False, True], ids=["listed", "listed and frozen"])
def test_a_skin_that_is_listed_on_a_market(testbed: Testbed, locked: bool) -> None:
    """The skin is listed on a market place: its holder may still sell it back unless it is frozen,
    and then nothing is paid and nothing is burnt."""
    player, nft = _holder(testbed)
    market = testbed.player()
    player.list_for_sale(nft, market, locked=locked)
    treasury = testbed.balance_lamports(testbed.deployment.treasury)
    if locked:
        with pytest.raises(ApiRefusal):
            player.sell(nft)
        assert testbed.exists(nft)
        assert testbed.balance_lamports(testbed.deployment.treasury) == treasury
    else:
        player.sell(nft)
        assert not testbed.exists(nft)
