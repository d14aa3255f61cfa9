"""Where a SOL price can be asked for: Pyth's Hermes, CoinGecko, Kraken.

Three clocks on three towers, each read in its own way and told in one form: a price, how sure its
source is, and when it was made. Base URLs are settings, so that tests and mirrors can serve them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from backend.settings import Settings

#: SOL/USD on Pyth, on all networks.
PYTH_SOL_USD = "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d"
_TIMEOUT_SECONDS = 5.0
_ANSWER_BYTES_MAX = 262_144


class SourceFailed(Exception):
    """A source gave no usable price; its text says why, in a few words."""


@dataclass(frozen=True)
class Reading:
    """A price in US dollars a SOL, give or take `confidence_usd`, made at `at`."""

    source: str
    usd: Decimal
    confidence_usd: Decimal
    at: datetime


@dataclass
class HttpSource:
    """One GET, one price."""

    name: str
    url: str
    read: Callable[[Any, datetime], tuple[Decimal, Decimal, datetime]]
    params: dict[str, str] | None = None
    headers: dict[str, str] | None = None

    def fetch(self, now: datetime) -> Reading:
        """Raises SourceFailed."""
        try:
            answer = json.loads(asyncio.run(self._answer()), parse_float=Decimal)
            usd, confidence, at = self.read(answer, now)
        except SourceFailed:
            raise
        except httpx.HTTPStatusError as error:
            raise SourceFailed(f"answered {error.response.status_code}") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise SourceFailed(f"did not answer ({type(error).__name__})") from None
        except Exception:  # whatever reading what is not as expected can raise
            raise SourceFailed("answered in an unknown form") from None
        if not (usd.is_finite() and confidence.is_finite() and usd > 0 and confidence >= 0):
            raise SourceFailed("answered no price")
        return Reading(self.name, usd, confidence, at)

    async def _answer(self) -> bytes:
        """The body, if all of it comes in time; not packed, since then it could be of any size."""
        headers, body = {"accept-encoding": "identity", **(self.headers or {})}, b""
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            httpx.AsyncClient(headers=headers) as http,
            http.stream("GET", self.url, params=self.params) as answer,
        ):
            answer.raise_for_status()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > _ANSWER_BYTES_MAX:
                    raise SourceFailed("the answer is too large")
        return body


@dataclass(frozen=True)
class StaticSource:
    """SOL_PRICE_USD, always of now."""

    usd: Decimal
    name: str = "static"

    def fetch(self, now: datetime) -> Reading:
        return Reading(self.name, self.usd, Decimal(0), now)


Source = HttpSource | StaticSource


def _pyth(answer: Any, _: datetime) -> tuple[Decimal, Decimal, datetime]:
    price = next(one["price"] for one in answer["parsed"] if one["id"] == PYTH_SOL_USD)
    unit = Decimal(1).scaleb(int(price["expo"]))
    at = datetime.fromtimestamp(int(price["publish_time"]), UTC)
    return Decimal(price["price"]) * unit, Decimal(price["conf"]) * unit, at


def _coingecko(answer: Any, _: datetime) -> tuple[Decimal, Decimal, datetime]:
    at = datetime.fromtimestamp(int(answer["solana"]["last_updated_at"]), UTC)
    return Decimal(answer["solana"]["usd"]), Decimal(0), at


def _kraken(answer: Any, now: datetime) -> tuple[Decimal, Decimal, datetime]:
    """The middle between best bid and ask, sure to half of what lies between them."""
    if answer["error"]:
        raise ValueError
    ticker = next(iter(answer["result"].values()))
    ask, bid = Decimal(ticker["a"][0]), Decimal(ticker["b"][0])
    return (ask + bid) / 2, (ask - bid) / 2, now


def make_sources(settings: Settings) -> list[Source]:
    """The sources of PRICE_SOURCES, in its order."""
    key = settings.coingecko_api_key.get_secret_value()
    made: dict[str, Callable[[], Source]] = {
        "pyth": lambda: HttpSource(
            "pyth", f"{settings.pyth_url}/v2/updates/price/latest", _pyth,
            {"ids[]": PYTH_SOL_USD, "parsed": "true"},
        ),
        "coingecko": lambda: HttpSource(
            "coingecko", f"{settings.coingecko_url}/api/v3/simple/price", _coingecko,
            {"ids": "solana", "vs_currencies": "usd", "include_last_updated_at": "true",
             "precision": "full"},
            {"x-cg-demo-api-key": key} if key else None,
        ),
        "kraken": lambda: HttpSource(
            "kraken", f"{settings.kraken_url}/0/public/Ticker", _kraken, {"pair": "SOLUSD"}
        ),
        "static": lambda: StaticSource(settings.sol_price_usd),
    }  # fmt: skip
    return [made[name]() for name in settings.price_sources]
