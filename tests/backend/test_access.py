"""Signing in with a wallet, tokens, and a wallet that acts for itself only."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from solders.keypair import Keypair
from sqlalchemy import text

from harness.testbed import Testbed
from tests.backend.serving import Served, code_of, serve

ANNA, BELA = Keypair.from_seed(b"a" * 32), Keypair.from_seed(b"b" * 32)


@dataclass(frozen=True)
class Session:
    access: str
    refresh: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access}"}


def challenge(served: Served, wallet: Keypair) -> dict[str, Any]:
    answer = served.http.post("/auth/challenge", json={"walletAddress": str(wallet.pubkey())})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def signed(asked: dict[str, Any], wallet: Keypair, by: Keypair | None = None) -> dict[str, str]:
    signature = (by or wallet).sign_message(asked["message"].encode())
    return {
        "walletAddress": str(wallet.pubkey()),
        "nonce": asked["nonce"],
        "signature": str(signature),
    }


def sign_in(served: Served, wallet: Keypair) -> Session:
    answer = served.http.post("/auth/sign-in", json=signed(challenge(served, wallet), wallet))
    assert answer.status_code == 200, answer.text
    return Session(answer.json()["accessToken"], answer.json()["refreshToken"])


@pytest.fixture
def strict(testbed: Testbed) -> Iterator[Served]:
    with serve(testbed, wallet_auth="required", sign_in_domain="boxes.example") as served:
        yield served


def test_the_message_names_the_site_the_wallet_and_an_end(strict: Served) -> None:
    asked = challenge(strict, ANNA)
    first, second = asked["message"].splitlines()[:2]
    assert first == "boxes.example wants you to sign in with your Solana account:"
    assert second == str(ANNA.pubkey())
    assert f"Nonce: {asked['nonce']}" in asked["message"]
    assert "Expiration Time: " in asked["message"]


def test_a_challenge_works_once_for_its_wallet_in_its_time(
    testbed: Testbed, strict: Served
) -> None:
    def attempt(body: dict[str, str]) -> str:
        return code_of(strict.http.post("/auth/sign-in", json=body))

    body = signed(challenge(strict, ANNA), ANNA)
    assert attempt(body) == "ok"
    assert attempt(body) == "CHALLENGE_INVALID", "used"
    forged = signed(challenge(strict, ANNA), ANNA, by=BELA)
    assert attempt(forged) == "WRONG_SIGNATURE"
    assert attempt({**forged, **signed({"message": "x", "nonce": forged["nonce"]}, ANNA)}) == (
        "CHALLENGE_INVALID"
    ), "a wrong signature uses it up"
    other = {**signed(challenge(strict, ANNA), BELA), "walletAddress": str(BELA.pubkey())}
    assert attempt(other) == "CHALLENGE_INVALID", "another wallet's"
    late = signed(challenge(strict, ANNA), ANNA)
    testbed.clock.sleep(5 * 60)
    assert attempt(late) == "CHALLENGE_INVALID", "expired"


def test_of_many_at_once_one_uses_a_challenge(strict: Served) -> None:
    body = signed(challenge(strict, ANNA), ANNA)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: strict.post("/auth/sign-in", body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


def test_a_message_for_another_site_does_not_sign_in(strict: Served) -> None:
    asked = challenge(strict, ANNA)
    asked["message"] = asked["message"].replace("boxes.example", "evil.example")
    assert code_of(strict.http.post("/auth/sign-in", json=signed(asked, ANNA))) == "WRONG_SIGNATURE"


def test_tokens_last_a_day_and_cannot_be_forged(testbed: Testbed, strict: Served) -> None:
    import jwt

    own = f"/inventory/{ANNA.pubkey()}"
    session = sign_in(strict, ANNA)

    def attempt(token: str | None) -> str:
        headers = {} if token is None else {"authorization": token}
        return code_of(strict.http.get(own, headers=headers))

    assert attempt(f"Bearer {session.access}") == "ok"
    assert attempt(None) == "SIGN_IN_REQUIRED"
    claims = jwt.decode(session.access, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 24 * 3600
    for forged in (
        jwt.encode(claims, "x" * 32),
        jwt.encode(claims, None, algorithm="none"),
        session.access[:-4] + "AAAA",
        "x",
    ):
        assert attempt(f"Bearer {forged}") == "TOKEN_INVALID"
    assert attempt(f"Basic {session.access}") == "TOKEN_INVALID"
    refused = strict.http.get(own, headers={"authorization": "Bearer x"})
    assert refused.headers["www-authenticate"] == "Bearer"
    testbed.clock.sleep(24 * 3600)
    assert attempt(f"Bearer {session.access}") == "TOKEN_INVALID", "a day later"


def test_refresh_rotates_and_reuse_revokes_the_family(testbed: Testbed, strict: Served) -> None:
    def refresh(token: str) -> httpx.Response:
        return strict.http.post("/auth/refresh", json={"refreshToken": token})

    first, other = sign_in(strict, ANNA).refresh, sign_in(strict, ANNA).refresh
    testbed.clock.sleep(3 * 86400)
    answer = refresh(first)
    second = answer.json()["refreshToken"]
    assert answer.json()["expiresInSeconds"] == 86400
    assert second != first
    assert code_of(refresh(first)) == "REFRESH_REUSED", "a thief or the owner: nobody knows"
    assert code_of(refresh(second)) == "REFRESH_INVALID", "so the newest is dead too"
    assert code_of(refresh(other)) == "ok", "another sign-in of the wallet lives on"
    assert code_of(refresh("A" * 22 + "." + "A" * 43)) == "REFRESH_INVALID"


def test_refresh_ends_after_a_week_and_with_signing_out(testbed: Testbed, strict: Served) -> None:
    old, fresh = sign_in(strict, ANNA), sign_in(strict, BELA)
    body = {"refreshToken": fresh.refresh}
    assert strict.http.post("/auth/sign-out", json=body).json() == {"success": True}
    assert code_of(strict.http.post("/auth/refresh", json=body)) == "REFRESH_INVALID"
    testbed.clock.sleep(7 * 86400)
    body = {"refreshToken": old.refresh}
    assert code_of(strict.http.post("/auth/refresh", json=body)) == "REFRESH_INVALID"


def test_access_tokens_end_with_their_sign_in(strict: Served) -> None:
    """Signing out, and a stolen refresh token that was used twice, end them before their day."""

    def own(session: Session) -> str:
        return code_of(strict.http.get(f"/inventory/{ANNA.pubkey()}", headers=session.headers))

    out, stolen, other = (sign_in(strict, ANNA) for _ in range(3))
    strict.http.post("/auth/sign-out", json={"refreshToken": out.refresh})
    for _ in range(2):
        strict.http.post("/auth/refresh", json={"refreshToken": stolen.refresh})
    answers = [own(session) for session in (out, stolen, other)]
    assert answers == ["TOKEN_INVALID", "TOKEN_INVALID", "ok"]


def test_of_two_refreshes_at_once_one_wins_and_the_family_dies(strict: Served) -> None:
    body = {"refreshToken": sign_in(strict, ANNA).refresh}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: strict.post("/auth/refresh", body), range(6)))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    newest = {"refreshToken": won[0].json()["refreshToken"]}
    assert code_of(strict.http.post("/auth/refresh", json=newest)) == "REFRESH_INVALID"


def test_nothing_that_signs_in_is_stored_in_clear(testbed: Testbed, strict: Served) -> None:
    session = sign_in(strict, ANNA)
    with testbed.engine.connect() as connection:
        rows = connection.execute(text("select * from sign_ins")).all()
    stored = " ".join(str(row) for row in rows)
    assert session.refresh.split(".")[1] not in stored
    assert session.access not in stored


def test_a_wallet_acts_for_itself_only(testbed: Testbed, strict: Served) -> None:
    """Reveal, inventory, request and confirm with another wallet's token change nothing."""
    player, thief = testbed.player(), testbed.player()
    nft = player.mint()
    testbed.clock.sleep(12)
    mine, theirs = sign_in(strict, player.keypair), sign_in(strict, thief.keypair)
    reveal, box = f"/reveal/{nft.mint}", {"boxId": testbed.box_id}
    sale = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}

    def attempt(method: str, path: str, session: Session | None, body: Any = None) -> str:
        headers = {} if session is None else session.headers
        return code_of(strict.http.request(method, path, json=body, headers=headers))

    assert attempt("POST", reveal, None, box) == "SIGN_IN_REQUIRED"
    assert attempt("POST", reveal, theirs, box) == "NOT_THE_HOLDER"
    assert testbed.metadata(nft).name == "Mystery Skin #1"
    assert attempt("POST", reveal, mine, box) == "ok"
    assert attempt("POST", "/buyback/request", None, sale) == "SIGN_IN_REQUIRED"
    assert attempt("POST", "/buyback/request", theirs, sale) == "WRONG_WALLET"
    swapped = {**sale, "walletAddress": str(thief.pubkey)}
    assert attempt("POST", "/buyback/request", theirs, swapped) == "NOT_THE_HOLDER"
    assert attempt("GET", f"/inventory/{player.pubkey}", theirs) == "WRONG_WALLET"
    assert attempt("GET", f"/buyback/calculate/{nft.mint}", None) == "SIGN_IN_REQUIRED"
    assert attempt("GET", "/buyback/status", None) == "ok", "the guide's first check stays open"
    owned = strict.http.get(f"/inventory/{player.pubkey}", headers=mine.headers).json()["data"]
    assert [one["nftMint"] for one in owned] == [str(nft.mint)]
    empty = strict.http.get(f"/inventory/{thief.pubkey}", headers=theirs.headers).json()["data"]
    assert empty == []
    assert attempt("POST", "/buyback/request", mine, sale) == "ok"
    assert testbed.exists(nft)
