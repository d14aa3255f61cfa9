"""A price source on loopback that can be right, wrong, slow to change or silent.

An exchange's ticker window: it answers in Kraken's form with whatever hangs in it. The backend's
own feed asks it over HTTP, as it would ask the exchange.
"""

from __future__ import annotations

import json

from harness.faults.loopback import LoopbackServer, QuietHandler


class PriceBoard(LoopbackServer):
    """Serves one SOL price; use as a context manager. `usd` None answers HTTP 500."""

    def __init__(self, usd: str) -> None:
        self.usd: str | None = usd
        board = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802  # as http.server calls it
                price = board.usd
                ticker = {"a": [price, "1", "1"], "b": [price, "1", "1"]}
                body = json.dumps({"error": [], "result": {"SOLUSD": ticker}}).encode()
                self.answer(500 if price is None else 200, body)

        super().__init__(Handler, "price board")
