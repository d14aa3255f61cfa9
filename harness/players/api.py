"""The backend as a player's browser sees it: the guide's endpoints over HTTP, nothing else.

Works against the reference backend and against any other that keeps the guide's interface. Every
call is written to the journal with what it was answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from solders.pubkey import Pubkey

from harness.address_book import AddressBook
from harness.errors import HarnessError
from harness.journal import Journal

_TIMEOUT_SECONDS = 60.0

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
    """A player's view of the backend at `base_url` (with the API prefix)."""

    def __init__(self, base_url: str, book: AddressBook, journal: Journal) -> None:
        # Reading the machine's certificates takes longer than a whole life cycle; only for https.
        verify = base_url.startswith("https://")
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT_SECONDS, verify=verify)
        self._book = book
        self._journal = journal

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
        self, actor: str, method: str, route: str, body: object = None, mint: Pubkey | None = None
    ) -> dict[str, Any]:
        """Any call with any body, as somebody sends who does not keep to the guide.

        Raises ApiRefusal.
        """
        return self._call(actor, method, route, mint, body)

    def _call(
        self,
        actor: str,
        method: str,
        route: str,
        mint: Pubkey | None = None,
        body: object = None,
        *,
        enveloped: bool = False,
    ) -> dict[str, Any]:
        path = route.replace("{nftMint}", str(mint))
        answer = self._http.request(method, path, json=body)
        content = _json_object(answer)
        error = content.get("error") if answer.is_error else None
        code, message = _error_of(error, answer) if answer.is_error else (None, "")
        data = content.get("data", content) if enveloped else content
        self._journal.write(
            "http",
            actor=actor,
            method=method,
            route=route,
            status=answer.status_code,
            nft=None if mint is None else self._book.name(mint),
            error_code=code,
            answer={key: _exact(data[key]) for key in _JOURNALED if key in data},
        )
        if code is not None:
            raise ApiRefusal(route, answer.status_code, code, self._book.redact(message))
        return data


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


def _exact(value: object) -> object:
    """Floats as text: the journal holds no binary fractions."""
    return repr(value) if isinstance(value, float) else value
