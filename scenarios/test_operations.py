"""When machines fail: the backend, the database, the RPC, and what operators see and set right."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from harness.faults.rpc_proxy import Kind
from harness.players.api import ApiRefusal
from harness.players.crowd import at_once
from harness.players.nft import Nft
from harness.players.player import Player
from harness.submission import Outcome
from harness.testbed import Testbed

pytestmark = pytest.mark.needs("reference backend")


def _holder(testbed: Testbed) -> tuple[Player, Nft]:
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    return player, nft


def _killed_while(testbed: Testbed, kind: Kind, move: object) -> None:
    """Start a move, kill the backend while its transaction is on the way, and start it again."""
    assert testbed.weather is not None
    assert callable(move)
    held = testbed.weather.trouble(kind, "sendTransaction")

    def try_it() -> None:
        with pytest.raises(ApiRefusal):
            move()

    trying = threading.Thread(target=try_it, daemon=True)
    trying.start()
    held.wait_until_held()
    testbed.backend.kill()
    held.released.set()
    trying.join(30)
    testbed.weather.clear()
    testbed.backend.start()


@pytest.mark.guide("monitoring.failed-reveals")
@pytest.mark.testbed(rpc_weather=True, backend_process=True)
@pytest.mark.parametrize("kind", [Kind.HELD_BEFORE, Kind.HELD_AFTER], ids=["before", "after"])
def test_killed_while_revealing(testbed: Testbed, kind: Kind) -> None:
    """kill -9 hits the backend while a reveal is on its way, before or after it reached the
    ledger. After the restart the player asks again and gets the one skin that was drawn."""
    player = testbed.player()
    nft = player.mint()
    _killed_while(testbed, kind, partial(player.reveal, nft))
    revealed = player.reveal(nft)
    assert player.reveal(nft) == revealed
    assert testbed.metadata(nft).name == revealed.skin_name


@pytest.mark.guide("monitoring.failed-buybacks")
@pytest.mark.testbed(rpc_weather=True, backend_process=True)
@pytest.mark.parametrize("kind", [Kind.HELD_BEFORE, Kind.HELD_AFTER], ids=["before", "after"])
def test_killed_while_paying(testbed: Testbed, kind: Kind) -> None:
    """kill -9 hits the backend while a payment is on its way. After the restart the player
    confirms again: paid once, recorded once."""
    player, nft = _holder(testbed)
    quoted, rent = player.quote(nft).lamports, testbed.rent_of(nft)
    signed = player.sign(player.request_buyback(nft))
    before = player.balance_lamports()
    _killed_while(testbed, kind, partial(player.confirm_buyback, nft, signed))
    player.confirm_buyback(nft, signed)
    assert player.balance_lamports() == before + quoted + rent - 10_000
    assert testbed.books.records(nft) == 1


@pytest.mark.needs("database server")
@pytest.mark.guide("monitoring.database-connections")
def test_the_database_crashes_and_comes_back(testbed: Testbed) -> None:
    """Postgres loses a process to kill -9 and recovers from its log, between reveal and sale and
    again between request and confirm. Connections that died are replaced, nothing is lost."""
    player, nft = _holder(testbed)
    quoted = player.quote(nft).lamports
    testbed.books.crash()
    assert player.patiently(partial(player.quote, nft)).lamports == quoted
    signed = player.sign(player.request_buyback(nft))
    testbed.books.crash()
    player.patiently(partial(player.confirm_buyback, nft, signed))
    assert testbed.books.records(nft) == 1


@pytest.mark.guide("monitoring.rpc-limits", "dont.ignore-errors")
@pytest.mark.testbed(rpc_weather=True)
def test_the_rpc_is_over_its_limit(testbed: Testbed) -> None:
    """The RPC answers 429 to everything for a while: the backend says that the ledger does not
    answer, counts the 429s for the operators' alert, and pays once the weather is fair."""
    assert testbed.weather is not None
    player, nft = _holder(testbed)
    testbed.weather.trouble(Kind.TOO_MANY, times=50)
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "LEDGER_UNAVAILABLE"
    testbed.weather.clear()
    assert testbed.api.metrics()['rpc_requests_total{outcome="rate_limited"}'] >= 1
    player.sell(nft)


@pytest.mark.guide("monitoring.failed-buybacks", "dont.ignore-errors")
@pytest.mark.testbed(rpc_weather=True)
@pytest.mark.parametrize(
    "kind", [Kind.LOST_BEFORE, Kind.LOST_AFTER, Kind.ERROR], ids=["before", "after", "node behind"]
)
def test_a_payment_is_lost_on_the_way(testbed: Testbed, kind: Kind) -> None:
    """The sending of a payment is lost before the ledger, or its answer after it, or a node says
    that it is behind. Whatever the player is told, asking again ends with one payment."""
    assert testbed.weather is not None
    player, nft = _holder(testbed)
    quoted, rent = player.quote(nft).lamports, testbed.rent_of(nft)
    signed = player.sign(player.request_buyback(nft))
    before = player.balance_lamports()
    testbed.weather.trouble(kind, "sendTransaction")
    try:
        player.confirm_buyback(nft, signed)
    except ApiRefusal:
        testbed.backend.tick()
        if testbed.exists(nft):
            player.sell(nft)
    assert player.balance_lamports() == before + quoted + rent - 10_000
    assert testbed.books.records(nft) == 1


@pytest.mark.needs("database")
@pytest.mark.guide("dont.synchronize")
def test_the_schema_goes_down_and_up_with_its_data(testbed: Testbed) -> None:
    """The newest migrations are taken back and applied again with sales and skins in the books:
    every row is still there, and the skins that were kept are sold."""
    player, nft = _holder(testbed)
    sold = player.mint()
    player.reveal(sold)
    player.sell(sold)
    counted = [testbed.books.count(table) for table in ("user_skins", "buyback_records")]
    quoted = player.quote(nft).lamports
    testbed.migrate_down_and_up("0001")
    assert [testbed.books.count(table) for table in ("user_skins", "buyback_records")] == counted
    assert player.quote(nft).lamports == quoted
    player.sell(nft)


@pytest.mark.needs("database server")
@pytest.mark.guide("do.database-backups", "do.audit-buybacks")
def test_a_restored_backup_is_reconciled_with_the_ledger(testbed: Testbed) -> None:
    """The database is restored from a backup that is older than a sale. The books believe that
    the skin is still there; the worker compares them with the ledger and enters the sale."""
    player, nft = _holder(testbed)
    file = testbed.back_up()
    player.sell(nft)
    assert testbed.books.records(nft) == 1
    testbed.restore(file)
    assert testbed.books.records(nft) == 0
    testbed.clock.sleep(120)
    testbed.backend.tick()
    assert testbed.books.records(nft) == 1
    with pytest.raises(ApiRefusal) as refusal:
        player.quote(nft)
    assert refusal.value.code == "ALREADY_BOUGHT_BACK"


@pytest.mark.needs("database")
@pytest.mark.guide("do.audit-buybacks", "issues.not-in-inventory")
def test_rows_that_drifted_are_repaired(testbed: Testbed) -> None:
    """Somebody deletes a record and clears a mark: the worker finds the payment on the ledger and
    puts both back."""
    player, nft = _holder(testbed)
    player.sell(nft)
    testbed.books.change("delete from buyback_records")
    testbed.books.change(
        "update user_skins set is_burned_back = false, buyback_tx_signature = null"
    )
    testbed.clock.sleep(120)
    testbed.backend.tick()
    assert testbed.books.records(nft) == 1


@pytest.mark.guide("do.audit-buybacks")
def test_the_audit_of_payouts_cannot_be_changed(testbed: Testbed) -> None:
    """Every payout stands in the audit table, which refuses to be edited or emptied."""
    player, nft = _holder(testbed)
    player.sell(nft)
    assert testbed.books.count("payout_audit") == 1
    for statement in ("delete from payout_audit", "update payout_audit set amount_lamports = 1"):
        with pytest.raises(Exception, match="append-only"):
            testbed.books.change(statement)
    assert testbed.books.count("payout_audit") == 1


@pytest.mark.needs("operator")
@pytest.mark.guide("monitoring.treasury-balance", "do.watch-treasury")
def test_a_low_treasury_is_seen(testbed: Testbed) -> None:
    """The treasury falls below 50 SOL: the number that the alert watches says so."""
    balance = testbed.balance_lamports(testbed.deployment.treasury)
    left = min(40 * 10**9, balance // 2)
    testbed.operator.withdraw(balance - left)
    assert testbed.api.metrics()["treasury_lamports"] == left
    assert testbed.api.metrics()["treasury_min_lamports"] == testbed.min_treasury_lamports


@pytest.mark.guide("monitoring.failed-reveals", "monitoring.failed-buybacks")
def test_failures_are_counted(testbed: Testbed) -> None:
    """A reveal and a buyback fail; each is counted under its reason, beside those that went well,
    and the pool's connections are shown."""
    player, nft = _holder(testbed)
    with pytest.raises(ApiRefusal):
        player.reveal(testbed.expected_nft())
    with pytest.raises(ApiRefusal):
        testbed.player().request_buyback(nft)
    player.sell(nft)
    seen = testbed.api.metrics()
    assert seen['reveals_total{code="",outcome="revealed"}'] == 1
    assert seen['reveals_total{code="METADATA_NOT_FOUND",outcome="refused"}'] == 1
    assert seen['buybacks_total{code="NOT_THE_HOLDER",outcome="refused"}'] == 1
    assert seen['buybacks_total{code="",outcome="paid"}'] == 1


@pytest.mark.guide("monitoring.database-connections")
def test_the_connection_pool_is_watched_and_not_exhausted(testbed: Testbed) -> None:
    """Forty quotes at once share the pool: all are answered, and afterwards none of its
    connections is left in use."""
    player, nft = _holder(testbed)
    answers = at_once([partial(player.quote, nft)] * 40)
    assert len({one.lamports for one in answers if hasattr(one, "lamports")}) == 1
    assert not [one for one in answers if isinstance(one, Exception)]
    assert testbed.api.metrics()["database_connections_in_use"] == 0


@pytest.mark.guide("monitoring.suspicious-patterns")
def test_a_bots_pattern_is_seen(testbed: Testbed) -> None:
    """Somebody who signed in keeps trying to sell other people's skins: the number of suspicious
    callers goes up, without naming anybody."""
    _, nft = _holder(testbed)
    bot = testbed.player()
    bot.sign_in()
    assert testbed.api.metrics()["suspicious_callers"] == 0
    for _ in range(6):
        with pytest.raises(ApiRefusal):
            bot.request_buyback(nft)
    seen = testbed.api.metrics()
    assert seen["suspicious_callers"] == 1
    assert seen['suspicious_refusals_total{code="NOT_THE_HOLDER"}'] == 6
    assert str(bot.pubkey) not in testbed.api.outside("/metrics").text


@pytest.mark.guide("dont.ignore-errors")
@pytest.mark.testbed(rpc_weather=True)
def test_readiness_tells_what_is_missing(testbed: Testbed) -> None:
    """Without an RPC the backend is alive but not ready, and says which part is missing."""
    assert testbed.weather is not None
    testbed.weather.trouble(Kind.TOO_MANY, times=50)
    assert testbed.api.outside("/health").status_code == 200
    answer = testbed.api.outside("/ready")
    assert answer.status_code == 503
    assert answer.json()["rpc"] == "LEDGER_UNAVAILABLE"
    assert answer.json()["database"] == "ok"


@pytest.mark.needs("operator")
@pytest.mark.guide("monitoring.failed-buybacks", "issues.treasury-insufficient")
def test_a_treasury_that_was_filled_up_pays_again(testbed: Testbed) -> None:
    """The treasury runs dry while a skin waits; the operator fills it up and the skin is sold."""
    player, nft = _holder(testbed)
    testbed.operator.withdraw(testbed.balance_lamports(testbed.deployment.treasury) - 10**9)
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "INSUFFICIENT_TREASURY"
    testbed.operator.fund_treasury(200 * 10**9)
    signed = player.sign(player.request_buyback(nft))
    assert player.broadcast(nft, signed).outcome is Outcome.LANDED
    player.confirm_buyback(nft, signed)
