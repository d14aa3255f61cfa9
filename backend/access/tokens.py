"""Access tokens: a signed note that its bearer signed in with a wallet, good for a day.

JSON web tokens with HS256; nothing about them is stored, so they can't be taken back before they
expire. Time is the passed clock's.
"""

from __future__ import annotations

import secrets

import jwt
from solders.pubkey import Pubkey

from backend.adapters.clock import Clock
from backend.domain.access_errors import TokenInvalid
from backend.settings import Settings, duration

_ALGORITHM = "HS256"
_BYTES_MAX = 1024


class AccessTokens:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._secret = settings.jwt_secret.get_secret_value() or secrets.token_urlsafe(32)
        self._lifetime = duration(settings.jwt_expire)
        self._issuer = settings.sign_in_domain
        self._clock = clock

    @property
    def lifetime_seconds(self) -> int:
        return int(self._lifetime.total_seconds())

    def issue(self, wallet: str) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._issuer, "sub": wallet, "iat": now, "exp": now + self.lifetime_seconds,
        }  # fmt: skip
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def caller(self, authorization: str | None) -> tuple[Pubkey | None, TokenInvalid | None]:
        """The wallet of an Authorization header, or what is wrong with it; neither without one."""
        if authorization is None:
            return None, None
        scheme, _, token = authorization.partition(" ")
        try:
            if scheme.lower() != "bearer" or len(token) > _BYTES_MAX:
                raise ValueError
            claims = jwt.decode(
                token, self._secret, [_ALGORITHM], issuer=self._issuer,
                options={"require": ["sub", "exp", "iss"], "verify_exp": False,
                         "verify_iat": False},
            )  # fmt: skip
            if int(claims["exp"]) <= self._clock.now().timestamp():
                raise ValueError
            return Pubkey.from_string(claims["sub"]), None
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None, TokenInvalid()
