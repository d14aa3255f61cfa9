"""The backend as a player's browser sees it: the guide's endpoints over HTTP, nothing else.

Works against the reference backend and against any other that keeps the guide's interface. Every
call is written to the journal with what it was answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.address_book import AddressBook
from harness.errors import HarnessError
from harness.journal import Journal
from harness.players.dialect import Dialect

_TIMEOUT_SECONDS = 60.0

_METRICS_NAMESPACE = "mystery_box_"

#: The code of a call that nobody answered.
NO_ANSWER = "NO_ANSWER"

# Fields of an answer that go to the journal: those that repeat from run to run and give no
# address, signature or transaction away.
_JOURNALED = (
    "skinName", "skinRarity", "skinPrice", "buybackAmount", "buybackAmountLamports", "amountPaid",
    "message", "buybackEnable", "minTreasuryBalance",
)  # fmt: skip


class ApiRefusal(HarnessError):
    """The backend answered with an error. `code` is the backend's stable error code."""

    def __init__(self, route: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{route} answered {status} {code}: {message}")
        self.route = route
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Tokens:
    """What signing in gives."""

    access: str
    refresh: str


@dataclass(frozen=True)
class Reveal:
    """The guide's answer to a reveal."""

    skin_name: str
    rarity: str
    metadata_uri: str
    signature: str


@dataclass(frozen=True)
class Quote:
    """The guide's answer to calculate. `lamports` is what would be paid now."""

    skin_price_sol: float
    buyback_sol: float
    lamports: int


class BackendApi:
    """A player's view of the backend at `base_url` (with the API prefix), which speaks `dialect`,
    by default the guide's own words. `after_call` is told of each NFT that a call may have
    changed."""

    def __init__(
        self,
        base_url: str,
        book: AddressBook,
        journal: Journal,
        dialect: Dialect | None = None,
        after_call: Callable[[Pubkey], None] | None = None,
    ) -> None:
        # Reading the machine's certificates takes longer than a whole life cycle; only for https.
        verify = base_url.startswith("https://")
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT_SECONDS, verify=verify)
        self._book = book
        self._journal = journal
        self._dialect = dialect or Dialect()
        self.after_call = after_call
        #: Access and refresh tokens by who signed in.
        self.tokens: dict[str, Tokens] = {}

    def close(self) -> None:
        self._http.close()

    def reveal(self, actor: str, mint: Pubkey, box_id: str) -> Reveal:
        """POST /reveal/{nftMint}. Raises ApiRefusal."""
        data = self._call(
            actor, "POST", "/reveal/{nftMint}", mint, {"boxId": box_id}, enveloped=True
        )
        return Reveal(
            data["skinName"], data["skinRarity"], data["metadataUri"], data["txSignature"]
        )

    def calculate(self, actor: str, mint: Pubkey) -> Quote:
        """GET /buyback/calculate/{nftMint}. Raises ApiRefusal."""
        data = self._call(actor, "GET", "/buyback/calculate/{nftMint}", mint)
        return Quote(data["skinPrice"], data["buybackAmount"], int(data["buybackAmountLamports"]))

    def request(self, actor: str, mint: Pubkey, wallet: Pubkey) -> str:
        """POST /buyback/request: the transaction to sign, base64. Raises ApiRefusal."""
        body = {"nftMint": str(mint), "walletAddress": str(wallet)}
        return str(self._call(actor, "POST", "/buyback/request", mint, body)["transaction"])

    def confirm(self, actor: str, mint: Pubkey, wallet: Pubkey, signed: str) -> str:
        """POST /buyback/confirm: the signature of the payment. Raises ApiRefusal."""
        body = {"nftMint": str(mint), "walletAddress": str(wallet), "signedTransaction": signed}
        return str(self._call(actor, "POST", "/buyback/confirm", mint, body)["txSignature"])

    def status(self, actor: str) -> dict[str, Any]:
        """GET /buyback/status."""
        return self._call(actor, "GET", "/buyback/status", enveloped=True)

    def send(
        self,
        actor: str,
        method: str,
        route: str,
        body: object = None,
        mint: Pubkey | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Any call with any body, as somebody sends who does not keep to the guide.

        Raises ApiRefusal.
        """
        return self._call(actor, method, route, mint, body, headers=headers)

    def sign_in(self, actor: str, keypair: Keypair) -> Tokens:
        """Ask for a challenge, sign it, keep the tokens for this actor. Raises ApiRefusal."""
        wallet = str(keypair.pubkey())
        asked = self._call(actor, "POST", "/auth/challenge", body={"walletAddress": wallet})
        asked = asked.get("data", asked)
        signature = str(keypair.sign_message(asked["message"].encode()))
        body = {"walletAddress": wallet, "nonce": asked["nonce"], "signature": signature}
        return self._keep(actor, self._call(actor, "POST", "/auth/sign-in", body=body))

    def refresh(self, actor: str, refresh_token: str | None = None) -> Tokens:
        """New tokens for the newest refresh token, or for one given. Raises ApiRefusal."""
        token = refresh_token or self.tokens[actor].refresh
        body = {"refreshToken": token}
        return self._keep(actor, self._call(actor, "POST", "/auth/refresh", body=body))

    def inventory(self, actor: str, wallet: Pubkey) -> list[dict[str, Any]]:
        """GET /inventory/{wallet}. Raises ApiRefusal."""
        answer = self._call(actor, "GET", f"/inventory/{wallet}")
        data = answer.get("data", answer)
        return list(data["skins"] if isinstance(data, dict) else data)

    def outside(self, path: str, **headers: str) -> httpx.Response:
        """GET a path beside the API, such as /metrics, as anybody sees it."""
        root = str(self._http.base_url.copy_with(path="/")).rstrip("/")
        return self._http.get(root + path, headers=headers)

    def metrics(self) -> dict[str, float]:
        """What /metrics says now: each series, labels included and without the backend's
        namespace, and its value."""
        found = {}
        for line in self.outside("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name.removeprefix(_METRICS_NAMESPACE)] = float(value)
        return found

    def preflight(self, origin: str) -> httpx.Response:
        """What a browser asks before it lets a page of `origin` call the API."""
        return self._http.options(
            "/buyback/request",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type",
            },
        )

    def _keep(self, actor: str, answer: dict[str, Any]) -> Tokens:
        data = answer.get("data", answer)
        self.tokens[actor] = Tokens(data["accessToken"], data["refreshToken"])
        return self.tokens[actor]

    def _call(
        self,
        actor: str,
        method: str,
        route: str,
        mint: Pubkey | None = None,
        body: object = None,
        *,
        enveloped: bool = False,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        path = self._dialect.path(route).replace("{nftMint}", str(mint))
        carried = dict(headers or {})
        if actor in self.tokens and not route.startswith("/auth/"):
            carried.setdefault("authorization", f"Bearer {self.tokens[actor].access}")
        try:
            told_body = self._dialect.body(route, body)
            answer = self._http.request(method, path, json=told_body, headers=carried)
        except httpx.TransportError as gone:
            self._note(actor, method, route, mint, 0, NO_ANSWER, {})
            reason = f"the backend did not answer ({type(gone).__name__})"
            raise ApiRefusal(route, 0, NO_ANSWER, reason) from None
        content = _json_object(answer)
        error = self._dialect.error(content) if answer.is_error else None
        code, message = _error_of(error, answer) if answer.is_error else (None, "")
        inner = content.get("data", content) if enveloped else content
        data = self._dialect.answer(route, content, inner if isinstance(inner, dict) else {})
        told = {key: self._told(data[key]) for key in _JOURNALED if key in data}
        self._note(actor, method, route, mint, answer.status_code, code, told)
        if code is not None:
            raise ApiRefusal(route, answer.status_code, code, self._book.redact(message))
        return data

    def _told(self, value: object) -> object:
        """A value for the journal: names for addresses, and floats as text, since it holds no
        binary fractions."""
        if isinstance(value, float):
            return repr(value)
        return self._book.redact(value) if isinstance(value, str) else value

    def _note(
        self,
        actor: str,
        method: str,
        route: str,
        mint: Pubkey | None,
        status: int,
        code: str | None,
        told: dict[str, object],
    ) -> None:
        self._journal.write(
            "http",
            actor=actor,
            method=method,
            route=self._book.redact(route),
            status=status,
            nft=None if mint is None else self._book.name(mint),
            error_code=code,
            answer=told,
        )
        if mint is not None and method != "GET" and self.after_call is not None:
            self.after_call(mint)


def _json_object(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _error_of(error: object, answer: httpx.Response) -> tuple[str, str]:
    if isinstance(error, dict):
        return str(error.get("code", "UNKNOWN")), str(error.get("message", ""))
    return "UNKNOWN", str(error or answer.reason_phrase)
