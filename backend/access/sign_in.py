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
from datetime import timedelta

from solders.pubkey import Pubkey
from solders.signature import Signature
from sqlalchemy import TextClause, text

from backend.access.tokens import AccessTokens
from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.domain.access_errors import (
    ChallengeInvalid,
    RefreshInvalid,
    RefreshReused,
    WrongSignature,
)
from backend.domain.challenge import Challenge
from backend.settings import Settings, duration

_CHALLENGE_LIFE = timedelta(minutes=5)

_ASK = text(
    "with expired as (delete from sign_in_challenges where nonce in"
    " (select nonce from sign_in_challenges where expires_at < :now limit 100))"
    " insert into sign_in_challenges (nonce, wallet, issued_at, expires_at)"
    " values (:nonce, :wallet, :now, :expires_at)"
)
_USE = text(
    "delete from sign_in_challenges where nonce = :nonce returning wallet, issued_at, expires_at"
)
_BEGIN = text(
    "with expired as (delete from sign_ins where family in"
    " (select family from sign_ins where expires_at < :now limit 100))"
    " insert into sign_ins (family, wallet, token_sha256, created_at, expires_at)"
    " values (:family, :wallet, :new, :now, :expires_at)"
)
_ROTATE = text(
    "update sign_ins set token_sha256 = :new, expires_at = :expires_at where family = :family"
    " and token_sha256 = :old and revoked_at is null and expires_at > :now returning wallet"
)
_REVOKE = text(
    "update sign_ins set revoked_at = :now where family = :family and revoked_at is null"
    " and expires_at > :now returning family"
)


@dataclass(frozen=True)
class Tokens:
    access_token: str
    refresh_token: str
    expires_in_seconds: int


class SignIn:
    def __init__(
        self, settings: Settings, database: Database, tokens: AccessTokens, clock: Clock
    ) -> None:
        self._domain = settings.sign_in_domain
        self._refresh_life = duration(settings.jwt_refresh_expire)
        self._database = database
        self._tokens = tokens
        self._clock = clock

    def challenge(self, wallet: Pubkey) -> Challenge:
        """A text for the wallet to sign, good once and for five minutes."""
        now = self._clock.now()
        asked = Challenge(
            self._domain, str(wallet), secrets.token_hex(16), now, now + _CHALLENGE_LIFE
        )
        self._database.rows(
            _ASK, nonce=asked.nonce, wallet=asked.wallet, now=now, expires_at=asked.expires_at
        )
        return asked

    def sign_in(self, wallet: Pubkey, nonce: str, signature: Signature) -> Tokens:
        """Tokens for the signed challenge, which is used up even if the signature is wrong.
        Raises ChallengeInvalid, WrongSignature."""
        row = self._database.first(_USE, nonce=nonce)
        if row is None or row.wallet != str(wallet) or row.expires_at <= self._clock.now():
            raise ChallengeInvalid
        asked = Challenge(self._domain, row.wallet, nonce, row.issued_at, row.expires_at)
        if not signature.verify(wallet, asked.message.encode()):
            raise WrongSignature
        family = secrets.token_urlsafe(16)
        return self._renewed(_BEGIN, family, wallet=str(wallet))

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for the newest refresh token. Raises RefreshInvalid, and RefreshReused for an
        older one, after which the whole sign-in is revoked."""
        family, _, secret = refresh_token.partition(".")
        try:
            return self._renewed(_ROTATE, family, old=_digest(secret))
        except RefreshInvalid:
            if self.sign_out(refresh_token):
                raise RefreshReused from None
            raise

    def sign_out(self, refresh_token: str) -> bool:
        """Revoke a sign-in; False if it was over already."""
        family = refresh_token.partition(".")[0]
        return bool(self._database.rows(_REVOKE, family=family, now=self._clock.now()))

    def _renewed(self, statement: TextClause, family: str, **values: object) -> Tokens:
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        rows = self._database.rows(
            statement, family=family, new=_digest(secret), now=now,
            expires_at=now + self._refresh_life, **values,
        )  # fmt: skip
        wallet = values.get("wallet") or (rows[0].wallet if rows else None)
        if wallet is None:
            raise RefreshInvalid
        return Tokens(
            self._tokens.issue(str(wallet)), f"{family}.{secret}", self._tokens.lifetime_seconds
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
