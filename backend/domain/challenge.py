"""The text that a wallet signs to sign in: the format of Sign-In with Solana.

It names the site, so that another site cannot have it signed; a nonce, so that it works once; and
an end. A wallet shows it to its owner word for word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Challenge:
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


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
