"""What people do at the backend: reveal, look, ask for a price, sell; and what bots try.

Each action is one arrival: it makes its requests in order and writes each of them down, and a
journey as a whole too. The same actions serve Locust's closed users and open arrival.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from random import Random

from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from harness.load.plan import Plan, signed_challenge
from harness.load.records import DROPPED, FAILED, OK, Record
from loadtests.desk import Answer, Desk
from loadtests.minting import Minting
from loadtests.recorder import Recorder
from loadtests.stock import Holding, Stock

_BOT = "198.19.255.254"  # all bots come from one address
_BODY_BYTES = 300_000  # far more than any request needs


class Actions:
    """The moves of this process's players. Each takes the stage and the intended start."""

    def __init__(
        self, plan: Plan, desk: Desk, recorder: Recorder, stock: Stock, random: Random
    ) -> None:
        self._plan = plan
        self._desk = desk
        self._recorder = recorder
        self._stock = stock
        self._random = random
        self._minting = Minting(plan, recorder)
        self._tokens: dict[str, str] = {}  # by wallet
        self._by_name: dict[str, Callable[[int, float], None]] = {
            "status": self.status,
            "reveal": self.reveal,
            "look": self.look,
            "quote": self.quote,
            "sell": self.sell,
            "journey": self.journey,
            "bot": self.bot,
            "abuse": self.abuse,
            "signin": self.signin,
            "session": self.session,
            "inventory": self.inventory,
            "fairness": self.fairness,
            "proof": self.proof,
        }

    def play(self, action: str, stage: int, intended_s: float) -> None:
        """One arrival of the named kind. An answer that cannot be used is a failure, not an end."""
        try:
            self._by_name[action](stage, intended_s)
        except Exception as error:  # whatever a backend may have put into a success
            now, name = self._recorder.now(), type(error).__name__
            self._recorder.write(
                Record(intended_s, intended_s, now, stage, action, FAILED, 0, name)
            )

    def dropped(self, action: str, stage: int, intended_s: float, why: str) -> None:
        """An arrival that could not even start."""
        self._recorder.write(
            Record(intended_s, intended_s, intended_s, stage, action, DROPPED, 0, why)
        )

    def status(self, stage: int, intended_s: float) -> None:
        self._desk.call("status", stage, intended_s, "GET", "/buyback/status")

    def reveal(self, stage: int, intended_s: float) -> None:
        holding = self._stock.take_sealed()
        if holding is None:
            self.dropped("reveal", stage, intended_s, "no sealed NFT left")
            return
        answer = self._reveal(holding, stage, intended_s)
        if answer.outcome == OK:
            self._stock.revealed.append(holding)
        else:
            self._stock.sealed.append(holding)

    def look(self, stage: int, intended_s: float) -> None:
        holding = self._stock.any_revealed()
        if holding is None:
            self.dropped("look", stage, intended_s, "no revealed NFT yet")
            return
        self._look(holding, stage, intended_s)

    def quote(self, stage: int, intended_s: float) -> None:
        holding = self._stock.take_revealed()
        if holding is None:
            self.dropped("quote", stage, intended_s, "no revealed NFT left")
            return
        self._request(holding, "quote", stage, intended_s)

    def sell(self, stage: int, intended_s: float) -> None:
        holding = self._stock.take_revealed()
        if holding is None:
            self.dropped("sell", stage, intended_s, "no revealed NFT left")
            return
        outcome, status = self._sell(holding, stage, intended_s)
        self._whole("sell", stage, intended_s, outcome, status)

    def journey(self, stage: int, intended_s: float) -> None:
        """Mint, reveal, look, sell. The mint is the ledger's time and is measured apart."""
        wallet = self._stock.any_wallet()
        if wallet is None:
            self.dropped("journey", stage, intended_s, "no wallet to mint with")
            return
        started_s = self._recorder.now()
        mint, reason = self._minting.mint(wallet.wallet)
        minted_s = self._recorder.now()
        outcome = OK if mint is not None else FAILED
        self._recorder.write(
            Record(intended_s, started_s, minted_s, stage, "mint", outcome, 0, reason)
        )
        if mint is None:
            self._whole("journey", stage, intended_s, FAILED, 0)
            return
        holding = Holding(wallet.wallet, str(mint), wallet.address)
        answer = self._reveal(holding, stage, minted_s)
        if answer.outcome == OK:
            answer = self._look(holding, stage, self._recorder.now())
        outcome, status = answer.outcome, answer.status
        if outcome == OK:
            outcome, status = self._sell(holding, stage, self._recorder.now())
        self._whole("journey", stage, intended_s, outcome, status)

    def bot(self, stage: int, intended_s: float) -> None:
        """Ask again and again for the reveal of one NFT; every answer must be the same one."""
        holding = self._stock.any_revealed()
        if holding is None:
            self.dropped("bot", stage, intended_s, "no revealed NFT yet")
            return
        self._call(
            replace(holding, address=_BOT), "bot", stage, intended_s, "POST",
            f"/reveal/{holding.mint}", {"boxId": self._plan.box_id},
        )  # fmt: skip

    def abuse(self, stage: int, intended_s: float) -> None:
        """Something that must be refused, and must not be an error of the server's."""
        stranger = str(Pubkey.new_unique())
        wallet = {"nftMint": stranger, "walletAddress": stranger}
        attempts: list[tuple[str, str, object | None]] = [
            ("POST", f"/reveal/{stranger}", {"boxId": self._plan.box_id}),
            ("POST", "/reveal/not-an-address", {"boxId": self._plan.box_id}),
            ("POST", f"/reveal/{stranger}", {"boxId": "x" * _BODY_BYTES}),
            ("GET", f"/buyback/calculate/{stranger}", None),
            ("POST", "/buyback/request", {**wallet, "amount": 10**12}),
            ("POST", "/buyback/confirm", {**wallet, "signedTransaction": "AAAA"}),
            ("POST", "/buyback/confirm", []),
        ]
        method, path, body = self._random.choice(attempts)
        self._desk.call("abuse", stage, intended_s, method, path, body, refusal_expected=True)

    def signin(self, stage: int, intended_s: float) -> None:
        holding = self._stock.any_wallet()
        if holding is None:
            self.dropped("signin", stage, intended_s, "no wallet to sign in with")
            return
        self._sign_in(holding, stage, intended_s)

    def session(self, stage: int, intended_s: float) -> None:
        """Sign in, renew the token, sign out."""
        holding = self._stock.any_wallet()
        if holding is None:
            self.dropped("session", stage, intended_s, "no wallet to sign in with")
            return
        headers = self._headers(holding)
        answer = self._take_token(holding, stage, intended_s)
        for name, path in (("refresh", "/auth/refresh"), ("signout", "/auth/sign-out")):
            if answer.outcome != OK:
                break
            body = {"refreshToken": str(answer.body.get("refreshToken", ""))}
            now = self._recorder.now()
            answer = self._desk.call(name, stage, now, "POST", path, body, headers)
        self._whole("session", stage, intended_s, answer.outcome, answer.status)

    def inventory(self, stage: int, intended_s: float) -> None:
        holding = self._stock.any_revealed()
        if holding is None:
            self.dropped("inventory", stage, intended_s, "no revealed NFT yet")
            return
        path = f"/inventory/{holding.wallet.pubkey()}"
        self._call(holding, "inventory", stage, intended_s, "GET", path)

    def fairness(self, stage: int, intended_s: float) -> None:
        self._desk.call("fairness", stage, intended_s, "GET", "/fairness")

    def proof(self, stage: int, intended_s: float) -> None:
        holding = self._stock.any_revealed()
        if holding is None:
            self.dropped("proof", stage, intended_s, "no revealed NFT yet")
            return
        self._desk.call("proof", stage, intended_s, "GET", f"/fairness/{holding.mint}")

    def _sign_in(self, holding: Holding, stage: int, intended_s: float) -> Answer:
        """Take a token and keep it."""
        answer = self._take_token(holding, stage, intended_s)
        if answer.outcome == OK:
            self._tokens[str(holding.wallet.pubkey())] = str(answer.body["accessToken"])
        self._whole("signin", stage, intended_s, answer.outcome, answer.status)
        return answer

    def _take_token(self, holding: Holding, stage: int, intended_s: float) -> Answer:
        """Ask for a challenge and sign it."""
        headers = self._headers(holding)
        body: object = {"walletAddress": str(holding.wallet.pubkey())}
        answer = self._desk.call(
            "challenge", stage, intended_s, "POST", "/auth/challenge", body, headers
        )
        if answer.outcome == OK:
            body = signed_challenge(holding.wallet, answer.body)
            now = self._recorder.now()
            answer = self._desk.call("token", stage, now, "POST", "/auth/sign-in", body, headers)
        return answer

    def _call(
        self,
        holding: Holding,
        name: str,
        stage: int,
        intended_s: float,
        method: str,
        path: str,
        body: object | None = None,
    ) -> Answer:
        """A request of the holder's, who signs in first where that is asked for."""
        wallet = str(holding.wallet.pubkey())
        if self._plan.sign_in and wallet not in self._tokens:
            answer = self._sign_in(holding, stage, intended_s)
            if answer.outcome != OK:
                return answer
            intended_s = self._recorder.now()
        headers = self._headers(holding)
        if self._plan.sign_in:
            headers["authorization"] = f"Bearer {self._tokens[wallet]}"
        return self._desk.call(name, stage, intended_s, method, path, body, headers)

    def _reveal(self, holding: Holding, stage: int, intended_s: float) -> Answer:
        return self._call(
            holding, "reveal", stage, intended_s, "POST", f"/reveal/{holding.mint}",
            {"boxId": self._plan.box_id},
        )  # fmt: skip

    def _look(self, holding: Holding, stage: int, intended_s: float) -> Answer:
        path = f"/buyback/calculate/{holding.mint}"
        return self._call(holding, "look", stage, intended_s, "GET", path)

    def _request(self, holding: Holding, name: str, stage: int, intended_s: float) -> Answer:
        body = {"nftMint": holding.mint, "walletAddress": str(holding.wallet.pubkey())}
        return self._call(holding, name, stage, intended_s, "POST", "/buyback/request", body)

    def _sell(self, holding: Holding, stage: int, intended_s: float) -> tuple[str, int]:
        issued = self._request(holding, "request", stage, intended_s)
        if issued.outcome != OK:
            return issued.outcome, issued.status
        body = {
            "nftMint": holding.mint,
            "walletAddress": str(holding.wallet.pubkey()),
            "signedTransaction": _signed(issued.body["transaction"], holding),
        }
        now = self._recorder.now()
        paid = self._call(holding, "confirm", stage, now, "POST", "/buyback/confirm", body)
        return paid.outcome, paid.status

    def _whole(self, name: str, stage: int, intended_s: float, outcome: str, status: int) -> None:
        now = self._recorder.now()
        self._recorder.write(Record(intended_s, intended_s, now, stage, name, outcome, status, ""))

    def _headers(self, holding: Holding) -> dict[str, str]:
        return {"x-forwarded-for": holding.address} if self._plan.forwarded else {}


def _signed(encoded: str, holding: Holding) -> str:
    """The transaction with the wallet's signature in its place, as a wallet does it."""
    transaction = VersionedTransaction.from_bytes(base64.b64decode(encoded))
    message = transaction.message
    signatures = list(transaction.signatures)
    place = list(message.account_keys).index(holding.wallet.pubkey())
    signatures[place] = holding.wallet.sign_message(to_bytes_versioned(message))
    return base64.b64encode(bytes(VersionedTransaction.populate(message, signatures))).decode()
