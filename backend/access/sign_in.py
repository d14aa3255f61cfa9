"""Signing in with a wallet: a challenge, its signature, and a chain of refresh tokens.

Like a cloakroom whose ticket is exchanged at every visit: only the newest is good, and whoever
comes with an older one shows that there are two of them, so the coat goes to neither.

Stored are the challenge until it is used or expires, and for a sign-in only the hash of its newest
refresh token. Each step is one statement, so that of two callers at once one wins.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from solders.pubkey import Pubkey
from solders.signature import Signature
from sqlalchemy import TextClause, text

from backend.access.tokens import AccessTokens
from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.domain import errors as no
from backend.settings import Settings, duration

_CHALLENGE_LIFE = timedelta(minutes=5)

_ASK = text("""
    with expired as (delete from sign_in_challenges where nonce in
      (select nonce from sign_in_challenges where expires_at < :now limit 100))
    insert into sign_in_challenges (nonce, wallet, issued_at, expires_at)
    values (:nonce, :wallet, :now, :expires_at)""")
_USE = text("""
    delete from sign_in_challenges where nonce = :nonce returning wallet, issued_at, expires_at""")
_BEGIN = text("""
    with expired as (delete from sign_ins where family in
      (select family from sign_ins where expires_at < :now limit 100))
    insert into sign_ins (family, wallet, token_sha256, created_at, expires_at)
    values (:family, :wallet, :new, :now, :expires_at) returning wallet""")
_ROTATE = text("""
    update sign_ins set token_sha256 = :new, expires_at = :expires_at where family = :family
      and token_sha256 = :old and revoked_at is null and expires_at > :now returning wallet""")
_REVOKE = text("""
    update sign_ins set revoked_at = :now where family = :family and revoked_at is null
      and expires_at > :now returning family""")
_LIVE = text("select 1 from sign_ins where family = :family and revoked_at is null")


@dataclass(frozen=True)
class Challenge:
    """The text that a wallet signs to sign in: the format of Sign-In with Solana.

    It names the site, so that another site cannot have it signed; a nonce, so that it works once;
    and an end. A wallet shows it to its owner word for word.
    """

    domain: str
    wallet: str
    nonce: str
    issued_at: datetime
    expires_at: datetime

    @property
    def message(self) -> str:
        return (
            f"{self.domain} wants you to sign in with your Solana account:\n{self.wallet}\n\n"
            "Sign in to reveal and sell your mystery boxes. This costs nothing and moves nothing."
            f"\n\nURI: https://{self.domain}\nVersion: 1\nNonce: {self.nonce}"
            f"\nIssued At: {_iso(self.issued_at)}\nExpiration Time: {_iso(self.expires_at)}"
        )


@dataclass(frozen=True)
class Tokens:
    access_token: str
    refresh_token: str
    expires_in_seconds: int


@dataclass(frozen=True)
class SignIn:
    """Challenges, and the tokens that a signed one gives."""

    settings: Settings
    database: Database
    tokens: AccessTokens
    clock: Clock

    def challenge(self, wallet: Pubkey) -> Challenge:
        """A text for the wallet to sign, good once and for five minutes."""
        now, nonce, ends = self.clock.now(), secrets.token_hex(16), _CHALLENGE_LIFE
        self.database.rows(_ASK, nonce=nonce, wallet=str(wallet), now=now, expires_at=now + ends)
        return Challenge(self.settings.sign_in_domain, str(wallet), nonce, now, now + ends)

    def sign_in(self, wallet: Pubkey, nonce: str, signature: Signature) -> Tokens:
        """Tokens for the signed challenge, which is used up even if the signature is wrong.
        Raises ChallengeInvalid, WrongSignature."""
        row = self.database.first(_USE, nonce=nonce)
        if row is None or row.wallet != str(wallet) or row.expires_at <= self.clock.now():
            raise no.ChallengeInvalid
        asked = Challenge(
            self.settings.sign_in_domain, row.wallet, nonce, row.issued_at, row.expires_at
        )
        if not signature.verify(wallet, asked.message.encode()):
            raise no.WrongSignature
        return self._renewed(_BEGIN, secrets.token_urlsafe(16), wallet=str(wallet))

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for the newest refresh token. Raises RefreshInvalid, and RefreshReused for an
        older one, after which the whole sign-in is revoked."""
        family, _, secret = refresh_token.partition(".")
        try:
            return self._renewed(_ROTATE, family, old=_digest(secret))
        except no.RefreshInvalid:
            if self.sign_out(refresh_token):
                raise no.RefreshReused from None
            raise

    def sign_out(self, refresh_token: str) -> bool:
        """Revoke a sign-in and its access tokens; False if it was over already."""
        family = refresh_token.partition(".")[0]
        return bool(self.database.rows(_REVOKE, family=family, now=self.clock.now()))

    def check(self, family: str) -> None:
        """Raises TokenInvalid if the sign-in of an access token was revoked."""
        if not self.database.rows(_LIVE, family=family):
            raise no.TokenInvalid

    def _renewed(self, statement: TextClause, family: str, **values: object) -> Tokens:
        secret, now = secrets.token_urlsafe(32), self.clock.now()
        row = self.database.first(
            statement, family=family, new=_digest(secret), now=now,
            expires_at=now + duration(self.settings.jwt_refresh_expire), **values,
        )  # fmt: skip
        if row is None:
            raise no.RefreshInvalid
        access = self.tokens.issue(row.wallet, family)
        return Tokens(access, f"{family}.{secret}", self.tokens.lifetime_seconds)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
