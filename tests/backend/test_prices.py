"""SOL prices over real HTTP from recorded answers; skin prices from a file."""

from __future__ import annotations

import gzip
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from backend.adapters import price_sources
from backend.adapters.database import Database
from backend.adapters.price_feed import PriceFeed
from backend.adapters.price_sources import PYTH_SOL_USD, make_sources
from backend.adapters.skin_prices import BadPrices, update_prices
from backend.domain.errors import PriceTooOld, PriceUnavailable
from harness.clock import VirtualClock
from harness.ledger.embedded import START
from harness.testbed import Testbed
from tests.backend.serving import code_of, serve
from tests.backend.test_gate import settings

# As the services answer; only price and time are put in.
PYTH = (
    '{"binary":{"encoding":"hex","data":["504e4155"]},"parsed":[{"id":"%s",'
    '"price":{"price":"%d","conf":"%d","expo":-8,"publish_time":%d},'
    '"ema_price":{"price":"14001000000","conf":"8000000","expo":-8,"publish_time":%d},'
    '"metadata":{"slot":190000000,"proof_available_time":1,"prev_publish_time":1}}]}'
)
COINGECKO = '{"solana":{"usd":%s,"last_updated_at":%d}}'
KRAKEN = (
    '{"error":[],"result":{"SOLUSD":{"a":["%s","25","25.000"],"b":["%s","40","40.000"],'
    '"c":["140.12000","3.5"],"v":["1.0","2.0"],"p":["139.9","140.0"],"t":[10,20],'
    '"l":["135.0","134.0"],"h":["142.0","143.0"],"o":"139.0"}}}'
)


class Market:
    """Three services on one port of 127.0.0.1; each answers, errs, or talks nonsense."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.prices = {"pyth": "140", "coingecko": "141", "kraken": "142"}
        self.confidence = Decimal("0.14")
        self.age = timedelta(0)
        self.broken: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []

    def answer(self, path: str) -> tuple[int, str]:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        at = int((self.clock.now() - self.age).timestamp())
        known: dict[str, tuple[str, Callable[[], str]]] = {
            "/v2/updates/price/latest": ("pyth", lambda: PYTH % (
                query["ids[]"][0], Decimal(self.prices["pyth"]) * 10**8,
                self.confidence * 10**8, at, at)),
            "/api/v3/simple/price": (
                "coingecko", lambda: COINGECKO % (self.prices["coingecko"], at)),
            "/0/public/Ticker": ("kraken", lambda: KRAKEN % (
                Decimal(self.prices["kraken"]) + Decimal("0.01"),
                Decimal(self.prices["kraken"]) - Decimal("0.01"))),
        }  # fmt: skip
        name, body = known[parts.path]
        self.asked.append(name)
        return self.broken.get(name) or (200, body())


@contextmanager
def open_market(clock: VirtualClock) -> Iterator[tuple[Market, str]]:
    market = Market(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = market.answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield market, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def market(clock: VirtualClock) -> Iterator[tuple[Market, str]]:
    with open_market(clock) as opened:
        yield opened


def make_feed(
    clock: VirtualClock, url: str, sources: str = "pyth,coingecko,kraken"
) -> tuple[PriceFeed, list[str]]:
    chosen = settings(
        price_sources=sources, pyth_url=url, coingecko_url=url, kraken_url=url,
        sol_price_usd="123",
    )  # fmt: skip
    told: list[str] = []
    feed = PriceFeed(
        make_sources(chosen), clock, refresh_seconds=300, max_age_seconds=900,
        max_jump=Decimal("0.2"), report=lambda source, problem: told.append(f"{source} {problem}"),
    )  # fmt: skip
    return feed, told


def test_each_source_is_read_and_its_upper_end_is_paid_with(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    """A higher SOL price means fewer lamports for the same skin."""
    for source, price in (
        ("pyth", "140.14"), ("coingecko", "141"), ("kraken", "142.01"), ("static", "123"),
    ):  # fmt: skip
        feed, told = make_feed(clock, market[1], source)
        with pytest.raises(PriceUnavailable):
            feed.payout_price()
        assert feed.refresh(), told
        assert feed.payout_price() == Decimal(price)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ((503, "busy"), "answered 503"),
        ((200, "{}"), "unknown form"),
        ((200, "[" * 5000), "unknown form"),
        ((200, '{"parsed":["x"]}'), "unknown form"),
        ((200, PYTH % (PYTH_SOL_USD, 14 * 10**9, 1, 2**60, 0)), "unknown form"),
((200, PYTH % (PYTH_SOL_USD, -5, 1, START.timestamp(), 0)), "no price"),
        ((200, "x" * 300_000), "too large"),
    ],
)  # fmt: skip
def test_the_next_source_stands_in(
    clock: VirtualClock, market: tuple[Market, str], problem: tuple[int, str], told: str
) -> None:
    market[0].broken["pyth"] = problem
    feed, reports = make_feed(clock, market[1])
    assert feed.refresh()
    assert feed.payout_price() == Decimal("141")
    assert told in reports[0]


def test_answers_of_no_known_form_do_not_end_the_feed(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    """Where an object should be is a list: that has no values()."""
    market[0].broken["kraken"] = (200, '{"error":[],"result":[]}')
    feed, told = make_feed(clock, market[1], "kraken,coingecko")
    assert feed.refresh()
    assert told == ["kraken answered in an unknown form"]


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", gzip.compress(b" " * 10**8)),
    ],
)
def test_a_source_that_never_ends_is_passed_over(
    clock: VirtualClock, market: tuple[Market, str], monkeypatch: pytest.MonkeyPatch,
    head: bytes, piece: bytes,
) -> None:  # fmt: skip
    """Byte by byte, each in time, or packed so that a little is a lot."""
    monkeypatch.setattr(price_sources, "_TIMEOUT_SECONDS", 0.5)

    class Dribbler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                self.wfile.write(head)
                for _ in range(50):
                    self.wfile.write(piece)
                    time.sleep(0.1)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Dribbler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    feed, told = make_feed(clock, market[1], "pyth,coingecko")
    assert isinstance(feed.sources[0], price_sources.HttpSource)
    feed.sources[0].url = f"http://127.0.0.1:{server.server_port}"
    started, memory = time.monotonic(), max_resident_bytes()
    assert feed.refresh()
    assert time.monotonic() - started < 3
    assert max_resident_bytes() - memory < 5 * 10**7
    assert told[0].startswith(("pyth did not answer", "pyth the answer is too large"))
    server.shutdown()
    server.server_close()


def max_resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_an_unsure_or_old_price_is_passed_over(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    feed, told = make_feed(clock, market[1])
    market[0].confidence = Decimal("2.9")  # more than 2 % of 140
    assert feed.refresh()
    assert feed.payout_price() == Decimal("141")
    market[0].confidence, market[0].age = Decimal("0.1"), timedelta(seconds=901)
    assert feed.refresh()
    assert feed.payout_price() == Decimal("142.01"), "the exchange's is of now"
    assert told[-2:] == ["pyth its price is too old", "coingecko its price is too old"]


def test_it_is_refreshed_every_five_minutes_and_sooner_after_a_failure(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    feed, _ = make_feed(clock, market[1], "pyth")
    for _ in range(3):
        feed.refresh_if_due()
    assert len(market[0].asked) == 1
    clock.sleep(300)
    market[0].broken["pyth"] = (500, "")
    feed.refresh_if_due()
    clock.sleep(29)
    feed.refresh_if_due()
    assert len(market[0].asked) == 2
    clock.sleep(1)
    feed.refresh_if_due()
    assert len(market[0].asked) == 3


def test_a_price_that_is_too_old_is_not_paid_with(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    feed, _ = make_feed(clock, market[1], "pyth")
    feed.refresh()
    market[0].broken["pyth"] = (500, "")
    clock.sleep(900)
    feed.refresh_if_due()
    assert feed.payout_price() == Decimal("140.14")
    clock.sleep(1)
    with pytest.raises(PriceTooOld):
        feed.payout_price()
    assert feed.age_seconds() == 901


def test_a_jump_needs_another_source_that_agrees(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    feed, told = make_feed(clock, market[1])
    feed.refresh()
    market[0].prices["pyth"] = "70"  # half: payouts would double
    assert feed.refresh()
    assert feed.payout_price() == Decimal("141"), "the others say that nothing happened"
    assert "jumped" in told[0]
    market[0].prices.update(pyth="100", coingecko="101")
    assert feed.refresh()
    assert feed.payout_price() == Decimal("101"), "two agree: it happened"


def test_a_jump_of_the_only_source_is_believed_an_interval_later(
    clock: VirtualClock, market: tuple[Market, str]
) -> None:
    feed, _ = make_feed(clock, market[1], "pyth")
    feed.refresh()
    market[0].prices["pyth"] = "70"
    assert not feed.refresh()
    clock.sleep(299)
    assert not feed.refresh()
    assert feed.payout_price() == Decimal("140.14")
    clock.sleep(1)
    assert feed.refresh()
    assert feed.payout_price() == Decimal("70.14")


def test_payouts_stop_rather_than_use_an_old_price(testbed: Testbed) -> None:
    """Calculate, request and status refuse; a quote that was made in time is still paid."""
    player = testbed.player()
    nft, other = player.mint(), player.mint()
    player.reveal(nft)
    player.reveal(other)
    assert isinstance(testbed.clock, VirtualClock)
    with open_market(testbed.clock) as (opened, url):
        feed, _ = make_feed(testbed.clock, url)
        with serve(testbed, price=feed) as served:
            sale = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}
            calls = (
                lambda: served.http.get(f"/buyback/calculate/{nft.mint}"),
                lambda: served.http.post("/buyback/request", json=sale),
                lambda: served.http.get("/buyback/status"),
            )
            assert [code_of(call()) for call in calls] == ["PRICE_UNAVAILABLE"] * 3
            feed.refresh()
            assert [code_of(call()) for call in calls] == ["ok"] * 3
            quoted = calls[0]().json()
            price = Decimal(str(quoted["skinPrice"])) * Decimal("140.14")
            with testbed.engine.connect() as connection:
                usd = connection.execute(text(
                    "select base_price_usd from skin_templates t join user_skins u"
                    " on u.skin_template_id = t.id where nft_mint_address = :mint"
                ), {"mint": str(nft.mint)}).scalar_one()  # fmt: skip
            assert abs(price - usd) < Decimal("0.000001")
            opened.broken = dict.fromkeys(opened.prices, (500, ""))
            testbed.clock.sleep(901)
            assert [code_of(call()) for call in calls] == ["PRICE_TOO_OLD"] * 3


def history(testbed: Testbed) -> list[tuple[Decimal, Decimal]]:
    query = "select old_price_usd, new_price_usd from skin_price_history order by id"
    with testbed.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(query))]


def test_skin_prices_come_from_a_file_and_leave_a_history(testbed: Testbed, tmp_path: Path) -> None:
    with testbed.engine.connect() as connection:
        weapon, skin, price = connection.execute(
            text("select weapon, skin_name, base_price_usd from skin_templates order by id limit 1")
        ).one()
    file = tmp_path / "prices.csv"
    head = "weapon,skinName,condition,basePriceUsd\n"
    file.write_text(f"{head}{weapon},{skin},,{price + 1}\n", encoding="utf-8")
    database = Database(testbed.engine)
    assert update_prices(database, file) == (1, 1)
    assert update_prices(database, file) == (1, 0), "again is nothing"
    assert history(testbed) == [(price, price + 1)]


def test_a_file_with_a_problem_changes_nothing(testbed: Testbed, tmp_path: Path) -> None:
    first = text("select weapon, skin_name from skin_templates order by id limit 1")
    with testbed.engine.connect() as connection:
        known = ",".join(connection.execute(first).one())
    file = tmp_path / "prices.csv"
    for rows, told in (
        ("{known},,1.5\nAK-48,Nothing,,1", "line 3: AK-48 | Nothing: no skin"),
        ("{known},,-1", "line 2: basePriceUsd: '-1' is no price"),
        ("{known},,1e400", "is no price"),
        ("{known},,1.00001", "is no price"),
        ("{known},,NaN", "is no price"),
        ("{known},,1\n{known},,2", "stands twice"),
        ("", "no rows"),
    ):
        head = "weapon,skinName,condition,basePriceUsd\n"
        file.write_text(head + rows.format(known=known), encoding="utf-8")
        with pytest.raises(BadPrices) as bad:
            update_prices(Database(testbed.engine), file)
        assert any(told in problem for problem in bad.value.problems), rows
    file.write_text("weapon;price\n", encoding="utf-8")
    with pytest.raises(BadPrices, match="missing columns: basePriceUsd, skinName, weapon"):
        update_prices(Database(testbed.engine), file)
    assert history(testbed) == []
