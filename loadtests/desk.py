"""The backend's counter, seen from the queue: one call, its outcome, how long it took.

Latency counts from the moment the caller meant to start. A 429 or 503 that says when to come back
is `shed`: the backend protected itself. Anything else that is not the expected answer has failed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from geventhttpclient import HTTPClient

from harness.load.records import FAILED, OK, SHED, Record
from loadtests.recorder import Recorder

_TIMEOUT_SECONDS = 30.0
_SHED = (429, 503)


@dataclass(frozen=True)
class Answer:
    """What came back. `body` is {} where it was not a JSON object."""

    outcome: str
    status: int
    body: dict[str, Any]


class Desk:
    """Calls to one backend, for all greenlets of a process."""

    def __init__(self, url: str, prefix: str, recorder: Recorder, in_flight_max: int) -> None:
        parts = urlsplit(url)
        self._prefix = prefix
        self._recorder = recorder
        self._http = HTTPClient(
            parts.hostname or "127.0.0.1",
            parts.port,
            ssl=parts.scheme == "https",
            concurrency=in_flight_max,
            connection_timeout=_TIMEOUT_SECONDS,
            network_timeout=_TIMEOUT_SECONDS,
        )

    def call(
        self,
        name: str,
        stage: int,
        intended_s: float,
        method: str,
        path: str,
        body: object | None = None,
        headers: dict[str, str] | None = None,
        *,
        refusal_expected: bool = False,
    ) -> Answer:
        """Make one request and write it down under `name`.

        With `refusal_expected` a 4xx is what should come, and an acceptance is the failure.
        """
        started_s = self._recorder.now()
        answer = self._send(method, path, body, headers or {})
        outcome = _outcome(answer, refusal_expected)
        self._recorder.write(
            Record(
                intended_s, started_s, self._recorder.now(), stage, name, outcome,
                answer.status, _code(answer.body),
            )
        )  # fmt: skip
        return Answer(outcome, answer.status, answer.body)

    def _send(self, method: str, path: str, body: object | None, headers: dict[str, str]) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            headers = {"content-type": "application/json", **headers}
        try:
            response = self._http.request(method, self._prefix + path, body=data, headers=headers)
            content = response.read()
            retry_after = response.get("retry-after")
        except (OSError, ValueError, RuntimeError) as error:
            return Answer(FAILED, 0, {"error": {"code": type(error).__name__}})
        try:
            parsed = json.loads(content)
        except ValueError:
            parsed = {}
        shed = response.status_code in _SHED and retry_after is not None
        return Answer(
            SHED if shed else OK, response.status_code, parsed if isinstance(parsed, dict) else {}
        )

    def close(self) -> None:
        self._http.close()


def _outcome(answer: Answer, refusal_expected: bool) -> str:
    if answer.outcome != OK:
        return answer.outcome
    accepted = 200 <= answer.status < 300
    refused = 400 <= answer.status < 500
    return OK if (refused if refusal_expected else accepted) else FAILED


def _code(body: dict[str, Any]) -> str:
    error = body.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else ""
