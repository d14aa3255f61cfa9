"""Who may do what: signing in, other people's things, limits, and what nobody must see."""

from __future__ import annotations

import base64
import json

import pytest

from harness.players.api import ApiRefusal
from harness.players.player import Player
from harness.testbed import Testbed

pytestmark = pytest.mark.needs("reference backend")

_SECRET = "Zm9yIHRlc3QgbGVkZ2VycyBvbmx5LCBuZXZlciB1c2VkIQ=="


def _require_sign_in(testbed: Testbed) -> None:
    """What production settings do: nobody acts without having signed in."""
    testbed.backend.restart(wallet_auth="required", jwt_secret=_SECRET)


def _forged(token: str, **claims: object) -> str:
    """A token with other claims under the old signature."""
    head, body, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    content.update(claims)
    changed = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


def _code(testbed: Testbed, player: Player, token: str) -> str:
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.send(
            player.name, "GET", f"/inventory/{player.pubkey}",
            headers={"authorization": f"Bearer {token}"},
        )  # fmt: skip
    return refusal.value.code


@pytest.mark.guide("do.wallet-authentication")
def test_nobody_acts_without_signing_in(testbed: Testbed) -> None:
    """With sign-in required, a reveal and a sale without a token are refused; after signing in
    with the wallet the whole life goes through."""
    _require_sign_in(testbed)
    player = testbed.player()
    nft = player.mint()
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft)
    assert refusal.value.code == "SIGN_IN_REQUIRED"
    player.sign_in()
    player.reveal(nft)
    player.sell(nft)


@pytest.mark.guide("do.wallet-authentication", "testing.error-cases")
def test_a_stranger_opens_and_sells_nothing(testbed: Testbed) -> None:
    """A stranger who signed in can't open somebody's box, sell somebody's skin, nor look into
    somebody's inventory."""
    _require_sign_in(testbed)
    owner, stranger = testbed.player(), testbed.player()
    owner.sign_in()
    stranger.sign_in()
    nft = owner.mint()
    with pytest.raises(ApiRefusal) as refusal:
        stranger.reveal(nft)
    assert refusal.value.code == "NOT_THE_HOLDER"
    owner.reveal(nft)
    body = {"nftMint": str(nft.mint), "walletAddress": str(owner.pubkey)}
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.send(stranger.name, "POST", "/buyback/request", body, nft.mint)
    assert refusal.value.code == "WRONG_WALLET"
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.inventory(stranger.name, owner.pubkey)
    assert refusal.value.code == "WRONG_WALLET"
    assert len(testbed.api.inventory(owner.name, owner.pubkey)) == 1


@pytest.mark.guide("do.wallet-authentication", "dont.weak-jwt")
def test_a_forged_or_expired_token(testbed: Testbed) -> None:
    """Another wallet written into a token, no algorithm, rubbish, and a token a day old: none of
    them opens anything; a refresh gives a good one."""
    _require_sign_in(testbed)
    player, victim = testbed.player(), testbed.player()
    player.sign_in()
    good = testbed.api.tokens[player.name].access
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for token in (
        _forged(good, sub=str(victim.pubkey)),
        _forged(good, exp=4_000_000_000),
        f"{unsigned}.{good.split('.')[1]}.",
        "rubbish",
    ):
        assert _code(testbed, player, token) == "TOKEN_INVALID"
    testbed.clock.sleep(24 * 3600 + 1)
    assert _code(testbed, player, good) == "TOKEN_INVALID"
    testbed.api.refresh(player.name)
    assert testbed.api.inventory(player.name, player.pubkey) == []


@pytest.mark.guide("do.wallet-authentication")
def test_a_refresh_token_is_used_once(testbed: Testbed) -> None:
    """A thief uses a refresh token that its owner has used already: both are signed out. After a
    week without use a refresh token is worth nothing either."""
    _require_sign_in(testbed)
    player = testbed.player()
    player.sign_in()
    stolen = testbed.api.tokens[player.name].refresh
    newest = testbed.api.refresh(player.name).refresh
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.refresh("thief", stolen)
    assert refusal.value.code == "REFRESH_REUSED"
    with pytest.raises(ApiRefusal):
        testbed.api.refresh(player.name, newest)
    player.sign_in()
    testbed.clock.sleep(7 * 24 * 3600 + 1)
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.refresh(player.name)
    assert refusal.value.code == "REFRESH_INVALID"


@pytest.mark.guide("do.rate-limits")
@pytest.mark.testbed(rate_limit_requests=100, reveal_limit_requests=5)
def test_limits_and_their_reset(testbed: Testbed) -> None:
    """Five openings a minute and a hundred requests in fifteen: one more is refused and told how
    long to wait, and after that wait it is served again."""
    player = testbed.player()
    nft = player.mint()
    for _ in range(5):
        player.reveal(nft, wait=False)
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft, wait=False)
    assert (refusal.value.status, refusal.value.code) == (429, "RATE_LIMITED")
    testbed.clock.sleep(61)
    player.reveal(nft, wait=False)
    for _ in range(100 - 7):  # a refused request counts too
        testbed.api.status(player.name)
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.status(player.name)
    assert refusal.value.status == 429
    testbed.clock.sleep(901)
    testbed.api.status(player.name)


@pytest.mark.guide("do.rate-limits")
@pytest.mark.testbed(rate_limit_requests=10)
def test_a_spoofed_proxy_header_gets_no_fresh_limit(testbed: Testbed) -> None:
    """A bot gives another address in X-Forwarded-For with every request: it is counted as the one
    that it is."""
    statuses = []
    for number in range(15):
        try:
            testbed.api.send(
                "a bot",
                "GET",
                "/buyback/status",
                headers={"x-forwarded-for": f"203.0.113.{number}"},
            )
            statuses.append(200)
        except ApiRefusal as refusal:
            statuses.append(refusal.status)
    assert statuses == [200] * 10 + [429] * 5


@pytest.mark.guide("do.rate-limits")
@pytest.mark.testbed(rate_limit_requests=10)
def test_a_trusted_proxy_speaks_for_its_clients(testbed: Testbed) -> None:
    """Behind a proxy that is trusted, each of its clients has a limit of its own."""
    testbed.backend.restart(trusted_proxies="127.0.0.1")
    for number in range(15):
        header = {"x-forwarded-for": f"203.0.113.{number}"}
        testbed.api.send("a visitor", "GET", "/buyback/status", headers=header)


@pytest.mark.guide("do.https-only")
def test_only_our_pages_may_call(testbed: Testbed) -> None:
    """The browser is told that our own https site may call the API; another site, and ours over
    plain http, may not."""
    testbed.backend.restart(cors_origins="https://yourdomain.com")
    allowed = "access-control-allow-origin"
    assert testbed.api.preflight("https://yourdomain.com").headers[allowed] == (
        "https://yourdomain.com"
    )
    for origin in ("https://evil.example", "http://yourdomain.com", "http://localhost:3000"):
        assert allowed not in testbed.api.preflight(origin).headers


@pytest.mark.guide("dont.public-admin")
def test_no_admin_route_is_public(testbed: Testbed) -> None:
    """Operators' routes are not on the public port, under no prefix and with no token."""
    for path in ("/obligations", "/payouts", "/fairness/rotate", "/admin", "/admin/payouts"):
        for prefix in ("", "/api/v1"):
            answer = testbed.api.outside(prefix + path, authorization=f"Bearer {_SECRET}")
            assert answer.status_code in (401, 404, 405, 422), path
            assert "amount" not in answer.text


@pytest.mark.guide("dont.log-secrets", "do.environment-secrets", "do.keys-in-vault")
def test_secrets_are_nowhere(testbed: Testbed) -> None:
    """After whole lives, refusals and a crash of a price, no key, token or password stands in the
    logs, the metrics, the answers' documentation or the journal."""
    _require_sign_in(testbed)
    player = testbed.player()
    player.sign_in()
    nft = player.mint()
    player.reveal(nft)
    player.sell(nft)
    with pytest.raises(ApiRefusal):
        testbed.api.send(player.name, "POST", "/buyback/confirm", {"signedTransaction": _SECRET})
    tokens = testbed.api.tokens[player.name]
    seen = {
        "log": testbed.backend.log_text(),
        "metrics": testbed.api.outside("/metrics").text,
        "documentation": testbed.api.outside("/openapi.json").text,
        "journal": testbed.journal.path.read_text(encoding="utf-8"),
    }
    hidden = [*testbed.backend.secrets, _SECRET, tokens.access, tokens.refresh]
    for where, text in seen.items():
        assert [one for one in hidden if one in text] == [], where
        assert str(player.pubkey) not in text, where
        assert str(nft.mint) not in text, where
