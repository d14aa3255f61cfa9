"""A price source on loopback that can be right, wrong, slow to change or silent.

An exchange's ticker window: it answers in Kraken's form with whatever hangs in it. The backend's
own feed asks it over HTTP, as it would ask the exchange.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class PriceBoard:
    """Serves one SOL price; use as a context manager. `usd` None answers HTTP 500."""

    def __init__(self, usd: str) -> None:
        self.usd: str | None = usd
        board = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                price = board.usd
                status = 500 if price is None else 200
                ticker = {"a": [price, "1", "1"], "b": [price, "1", "1"]}
                body = json.dumps({"error": [], "result": {"SOLUSD": ticker}}).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True,
            name="price board",
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
