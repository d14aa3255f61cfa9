"""Access tokens: a signed note that its bearer signed in with a wallet, good for a day.

JSON web tokens with HS256. They name the sign-in, so that revoking that ends them too. Time is the
passed clock's.
"""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import jwt
from solders.pubkey import Pubkey

from backend.adapters.clock import Clock
from backend.domain.errors import Refusal, TokenInvalid
from backend.settings import Settings, duration

_ALGORITHM = "HS256"
_BYTES_MAX = 1024
_OPTIONS: Any = {"require": ["sub", "sid", "exp", "iss"], "verify_exp": False, "verify_iat": False}


class Caller(NamedTuple):
    """Whose token it is, and of which sign-in."""

    wallet: Pubkey
    family: str


class AccessTokens:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._secret = settings.jwt_secret.get_secret_value() or secrets.token_urlsafe(32)
        self._issuer = settings.sign_in_domain
        self._clock = clock
        self.lifetime_seconds = int(duration(settings.jwt_expire).total_seconds())

    def issue(self, wallet: str, family: str) -> str:
        now = int(self._clock.now().timestamp())
        claims = {"iss": self._issuer, "sub": wallet, "sid": family, "iat": now,
                  "exp": now + self.lifetime_seconds}  # fmt: skip
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def caller(self, authorization: str | None) -> tuple[Caller | None, Refusal | None]:
        """Who an Authorization header names, or what is wrong with it; neither without one."""
        if authorization is None:
            return None, None
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme.lower() != "bearer" or len(token) > _BYTES_MAX:
                raise ValueError
            claims = jwt.decode(
                token, self._secret, [_ALGORITHM], issuer=self._issuer, options=_OPTIONS
            )
            if int(claims["exp"]) <= self._clock.now().timestamp():
                raise ValueError
            return Caller(Pubkey.from_string(claims["sub"]), str(claims["sid"])), None
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None, TokenInvalid()
