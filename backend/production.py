"""What a production configuration must not be, variable by variable.

A doorkeeper's list: each line names a setting, what is wrong with it, and what to do instead. The
settings ask it only if NODE_ENV is production, for every variable, so that all problems are told
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import make_url

_SECRET_BYTES_MIN = 32
_SECRET_DISTINCT_MIN = 12
_PLACEHOLDERS = ("changeme", "secret", "password", "example", "generate", "your-", "<", "...")
_DEFAULT_PASSWORDS = ("", "postgres", "password", "admin", "root", "changeme", "secret", "loot")
_LOCAL = ("localhost", "127.0.0.1", "0.0.0.0", "::1", "")


def weak_secret(secret: str) -> bool:
    """Short, repetitive or a placeholder. `openssl rand -base64 32` gives 44 characters."""
    return (
        len(secret.encode()) < _SECRET_BYTES_MIN
        or len(set(secret)) < _SECRET_DISTINCT_MIN
        or any(word in secret.lower() for word in _PLACEHOLDERS)
    )


def _local(url: str) -> bool:
    return (urlsplit(url if "//" in url else f"//{url}").hostname or "") in _LOCAL


def _default_password_in(url: SecretStr | None) -> bool:
    return url is not None and (
        (make_url(url.get_secret_value()).password or "") in _DEFAULT_PASSWORDS
    )


def _test_network(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return "devnet" in host or "testnet" in host or url == "http://127.0.0.1:8899"


_MAKE_ONE = "is weak; set what `openssl rand -base64 32` prints"
_STAYS_ON = "must not be 0: limits stay on"
#: Field: whether its value is refused (given the fields before it), and what to do.
RULES: dict[str, tuple[Callable[[Any, Mapping[str, Any]], bool], str]] = {
    "jwt_secret": (lambda value, _: weak_secret(value.get_secret_value()), _MAKE_ONE),
    "admin_token": (
        lambda value, _: value is not None and weak_secret(value.get_secret_value()), _MAKE_ONE,
    ),
    "cors_origins": (
        lambda value, _: any("*" in origin or _local(origin) for origin in value),
        "must not hold * or localhost; name your own origins",
    ),
    "solana_rpc_url": (
        lambda value, _: _test_network(value),
        "is devnet, testnet or the default; set a mainnet RPC",
    ),
    "wallet_auth": (lambda value, _: value == "optional", "must be required, not optional"),
    "sign_in_domain": (lambda value, _: _local(value), "must be the site's own domain"),
    "database_url": (
        lambda value, _: _default_password_in(value), "holds no or a default password",
    ),
    "db_password": (
        lambda value, data: data.get("database_url") is None
        and value.get_secret_value() in _DEFAULT_PASSWORDS,
        "is empty or a default; set a strong one",
    ),
    "db_synchronize": (lambda value, _: value, "must be false; migrations change the schema"),
    "db_logging": (lambda value, _: value, "must be false; statements hold wallets"),
    "price_sources": (lambda value, _: "static" in value, "must not hold static: no fixed price"),
    "rate_limit_max_requests": (lambda value, _: value == 0, _STAYS_ON),
    "reveal_limit_max_requests": (lambda value, _: value == 0, _STAYS_ON),
}  # fmt: skip
