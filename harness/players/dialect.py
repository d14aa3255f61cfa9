"""How a backend differs from the guide in words: paths, field names, error codes.

A phrase book. Players always speak the guide's language; where a backend has other words for the
same thing, a TOML file says which, and the calls are translated on the way out and back.

    prefix = "/v2"                                   # where --backend names no path; /api/v1
    [paths]                                          # the guide's route = theirs
    "/reveal/{nftMint}" = "/boxes/{nftMint}/open"
    [request]                                        # the guide's field = theirs
    walletAddress = "wallet"
    [answer]                                         # the guide's field = where theirs is
    skinName = "result.skin.title"
    [errors]                                         # where theirs are in a refusal
    code = "problem.id"
    message = "problem.text"
    [codes]                                          # their code = the guide's
    NOT_YOURS = "NOT_THE_HOLDER"
    [routes."/buyback/confirm".answer]               # for one route only; also .request
    txSignature = "receipt"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UsageError

GUIDE_PREFIX = "/api/v1"
ROUTES = (
    "/reveal/{nftMint}", "/buyback/calculate/{nftMint}", "/buyback/request", "/buyback/confirm",
    "/buyback/status", "/auth/challenge", "/auth/sign-in", "/auth/refresh",
)  # fmt: skip
_REQUEST = (
    "boxId", "nftMint", "walletAddress", "signedTransaction", "nonce", "signature", "refreshToken",
)  # fmt: skip
_ANSWER = (
    "skinName", "skinRarity", "metadataUri", "txSignature", "skinPrice", "buybackAmount",
    "buybackAmountLamports", "transaction", "amountPaid", "message", "buybackEnable",
    "minTreasuryBalance", "nonce", "accessToken", "refreshToken",
)  # fmt: skip
_ERRORS = ("code", "message")
_TABLES = ("paths", "request", "answer", "errors", "codes", "routes")

Words = Mapping[str, str]


class Answer(dict[str, Any]):
    """An answer in the guide's words. Raises HarnessError for a field that is not there."""

    def __init__(self, route: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self._route = route

    def __missing__(self, name: str) -> Any:
        raise HarnessError(f"{self._route} answered without {name}")


@dataclass(frozen=True)
class Dialect:
    """The words of one backend; without any, the guide's own."""

    prefix: str = GUIDE_PREFIX
    paths: Words = field(default_factory=dict)
    requests: Words = field(default_factory=dict)
    answers: Words = field(default_factory=dict)
    errors: Words = field(default_factory=dict)
    codes: Words = field(default_factory=dict)
    route_requests: Mapping[str, Words] = field(default_factory=dict)
    route_answers: Mapping[str, Words] = field(default_factory=dict)

    def path(self, route: str) -> str:
        """Their path for one of the guide's routes."""
        return self.paths.get(route, route)

    def body(self, route: str, body: object) -> object:
        """A request's body in their words."""
        words = {**self.requests, **self.route_requests.get(route, {})}
        if not words or not isinstance(body, dict):
            return body
        return {words.get(name, name): value for name, value in body.items()}

    def answer(self, route: str, content: Mapping[str, Any], data: Mapping[str, Any]) -> Answer:
        """An answer in the guide's words: `data`, and on top what the phrase book finds in the
        whole `content`."""
        words = {**self.answers, **self.route_answers.get(route, {})}
        found = {name: _at(content, where) for name, where in words.items()}
        present = {name: value for name, value in found.items() if value is not None}
        return Answer(route, {**data, **present})

    def error(self, content: Mapping[str, Any]) -> object:
        """What was refused and why, as the guide's `error` object."""
        told = content.get("error")
        if self.errors:
            told = {name: _at(content, where) for name, where in self.errors.items()}
        if self.codes and isinstance(told, dict) and "code" in told:
            code = str(told["code"])
            told = {**told, "code": self.codes.get(code, code)}
        return told


def read_dialect(path: Path | None) -> Dialect:
    """A mapping file; the guide's own words without one.

    Raises UsageError naming the key that is wrong.
    """
    if path is None:
        return Dialect()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: is not TOML: {error}") from None
    reader = _Reader(path.name)
    reader.known(values, ("prefix", *_TABLES), "")
    prefix = values.get("prefix", GUIDE_PREFIX)
    if not isinstance(prefix, str) or (prefix and not prefix.startswith("/")):
        raise reader.wrong("prefix", 'must be a path such as "/v2", or ""')
    routes = reader.table(values.get("routes", {}), "routes")
    reader.known(routes, ROUTES, "routes.")
    own: dict[str, dict[str, Words]] = {"request": {}, "answer": {}}
    for route, value in routes.items():
        at = f"routes.{route}"
        table = reader.table(value, at)
        reader.known(table, tuple(own), f"{at}.")
        for kind, names in (("request", _REQUEST), ("answer", _ANSWER)):
            own[kind][route] = reader.words(table.get(kind, {}), f"{at}.{kind}", names)
    return Dialect(
        prefix=prefix.rstrip("/"),
        paths=reader.paths(values.get("paths", {})),
        requests=reader.words(values.get("request", {}), "request", _REQUEST),
        answers=reader.words(values.get("answer", {}), "answer", _ANSWER),
        errors=reader.words(values.get("errors", {}), "errors", _ERRORS),
        codes=reader.words(values.get("codes", {}), "codes", None),
        route_requests=own["request"],
        route_answers=own["answer"],
    )


class _Reader:
    """Walks the file and says which key is wrong and why."""

    def __init__(self, source: str) -> None:
        self._source = source

    def wrong(self, key: str, why: str) -> UsageError:
        return UsageError(f"{self._source}: {key}: {why}")

    def table(self, value: object, key: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return value

    def known(self, table: Mapping[str, Any], names: tuple[str, ...], at: str) -> None:
        if unknown := sorted(set(table) - set(names)):
            raise self.wrong(at + unknown[0], f"unknown; known: {', '.join(names)}")

    def words(self, value: object, key: str, names: tuple[str, ...] | None) -> Words:
        table = self.table(value, key)
        if names is not None:
            self.known(table, names, f"{key}.")
        for name, word in table.items():
            if not isinstance(word, str) or not word:
                raise self.wrong(f"{key}.{name}", "must be a text that is not empty")
        return table

    def paths(self, value: object) -> Words:
        words = self.words(value, "paths", ROUTES)
        for route, theirs in words.items():
            if not theirs.startswith("/"):
                raise self.wrong(f"paths.{route}", f"must begin with /, is {theirs!r}")
            if "{nftMint}" in route and "{nftMint}" not in theirs:
                raise self.wrong(f"paths.{route}", "must hold {nftMint}")
        return words


def _at(content: object, where: str) -> Any:
    """What is at a dotted place; None if nothing is."""
    for name in where.split("."):
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content
