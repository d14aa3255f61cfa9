"""Configuration, from the guide's environment variables.

Secrets are `SecretStr`: printing or logging the settings does not show them. What production may
not be is in `backend.production`; every problem is reported, not only the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from backend.domain.boxes import Box, Boxes, read_boxes
from backend.production import RULES

_DRIVER = "postgresql+psycopg"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> timedelta:
    """`24h` as a timedelta. Raises ValueError."""
    if not re.fullmatch(r"[1-9]\d{0,5}[smhd]", text):
        raise ValueError("must be a duration such as 30m, 24h or 7d")
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])


def _treasury(secret: SecretStr) -> Keypair:
    try:
        return Keypair.from_bytes(bytes(json.loads(secret.get_secret_value())))
    except (ValueError, TypeError):
        raise ValueError("must be a private key as an array of 64 numbers") from None


def _authority(secret: SecretStr) -> Keypair:
    try:
        return Keypair.from_base58_string(secret.get_secret_value())
    except ValueError:
        raise ValueError("must be a private key in base58") from None


def _database(secret: SecretStr) -> SecretStr:
    """The URL with the driver in it. Whoever hands URLs out calls the scheme postgres, too."""
    scheme, _, place = secret.get_secret_value().partition("://")
    try:
        if scheme in ("postgres", "postgresql", _DRIVER) and make_url(f"x://{place}").database:
            return SecretStr(f"{_DRIVER}://{place}")
    except (ArgumentError, ValueError):
        pass  # a port that is none, for one
    raise ValueError("must be a URL such as postgresql://user:password@host:5432/name")


def _origin(text: str) -> None:
    if text != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", text):
        raise ValueError(f"{text} is not an origin such as https://example.com")


def _url(*schemes: str) -> Callable[[str], None]:
    def check(url: str) -> None:
        if urlsplit(url).scheme not in schemes or not urlsplit(url).hostname:
            raise ValueError(f"must be a URL that begins with {schemes[0]}:// or {schemes[1]}://")

    return check


def _checked(check: Callable[[Any], object]) -> AfterValidator:
    """The value as it is, if `check` does not raise ValueError."""
    return AfterValidator(lambda value: (check(value), value)[1])


Address = Annotated[str, _checked(Pubkey.from_string)]
HttpUrl = Annotated[str, _checked(_url("http", "https"))]
Duration = Annotated[str, _checked(duration)]
PriceSource = Literal["pyth", "coingecko", "kraken", "static"]
_BLANK = SecretStr("")
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Everything the backend can be told. Names are those of the guide, in lower case."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, validate_default=True, env_ignore_empty=True
    )

    node_env: Literal["development", "test", "production"] = "development"
    host: str = "127.0.0.1"
    port: Port = 4000
    workers: int = Field(default=1, ge=1, le=64)
    api_prefix: str = Field(default="/api/v1", pattern=r"^(/[A-Za-z0-9_.-]+)+$")
    cors_origins: Annotated[tuple[Annotated[str, _checked(_origin)], ...], NoDecode] = ()
    #: Addresses or networks whose X-Forwarded-For is believed.
    trusted_proxies: Annotated[tuple[Annotated[str, _checked(ip_network)], ...], NoDecode] = ()
    body_bytes_max: int = Field(default=16_384, ge=4096, le=1_048_576)
    #: How long a body may take to arrive, for as long as it holds a place of IN_FLIGHT_MAX.
    body_seconds_max: int = Field(default=10, ge=1, le=300)
    #: Requests at work at once in one process; fewer suit a near RPC, more a far one.
    threads: int = Field(default=40, ge=1, le=1000)
    #: Requests under way in one process; further ones are told to come back (OVERLOADED).
    in_flight_max: int = Field(default=80, ge=1, le=10_000)
    #: How long a stop waits for what is in flight; the worker goes on with the rest later.
    shutdown_seconds: int = Field(default=30, ge=1, le=300)

    #: Instead of the five below.
    database_url: Annotated[SecretStr, AfterValidator(_database)] | None = None
    db_host: str = "127.0.0.1"
    db_port: Port = 5432
    db_username: str = "postgres"
    db_password: SecretStr = _BLANK
    db_database: str = "loot"
    #: The guide's name. Migrations change the schema here, so it must stay false.
    db_synchronize: bool = False
    db_logging: bool = False

    #: Rate limits are counted there by all processes; without it, in each one's memory.
    redis_host: str | None = None
    redis_port: Port = 6379
    redis_password: SecretStr = _BLANK

    #: Signs access tokens. Empty outside production: made up anew at each start.
    jwt_secret: SecretStr = _BLANK
    jwt_expire: Duration = "24h"
    jwt_refresh_expire: Duration = "7d"
    #: `required` in production; elsewhere optional, as the guide's table has it.
    wallet_auth: Literal["required", "optional"] | None = None
    sign_in_domain: str = Field(default="localhost", pattern=r"^[A-Za-z0-9.-]+(:\d+)?$")
    #: 0 turns a limit off.
    rate_limit_window_ms: int = Field(default=900_000, ge=1000)
    rate_limit_max_requests: int = Field(default=100, ge=0)
    reveal_limit_window_ms: int = Field(default=60_000, ge=1000)
    reveal_limit_max_requests: int = Field(default=5, ge=0)
    #: `python -m backend admin` serves operators there; without a token it will not.
    admin_port: Port = 4001
    admin_token: SecretStr | None = None

    solana_rpc_url: HttpUrl = "http://127.0.0.1:8899"
    buyback_program_id: Address
    #: Which of the program's configurations is in use; an upgrade can bring a new one.
    buyback_config_version: int = Field(default=1, ge=0, le=255)
    collection_mint: Address
    candy_machine_id: Address
    #: Buyback treasury, as an array of bytes.
    admin_wallet_private_key: Annotated[SecretStr, _checked(_treasury)]
    #: Metadata update authority, in base58.
    admin_private_key: Annotated[SecretStr, _checked(_authority)]

    #: Boxes with a machine and odds of their own, as a JSON array (backend/domain/boxes.py);
    #: empty for one box, BOX_ID, sold by CANDY_MACHINE_ID at the guide's odds.
    boxes: Annotated[str, _checked(lambda text: text and read_boxes(text, ""))] = ""
    box_id: str = "mystery-box"
    #: `treasury-first` is the guide's order; `user-first` is the safer one (docs/backend.md).
    signing_order: Literal["treasury-first", "user-first"] = "treasury-first"
    quote_seconds: int = Field(default=60, ge=5, le=600)
    #: Rolls come from a committed server seed and can be verified later.
    provably_fair: bool = False
    buyback_rate: Decimal = Field(default=Decimal("0.85"), ge=0, le=1)
    placeholder_uri: str = "https://arweave.net/placeholder"
    metadata_base_uri: str = "https://arweave.net/skins"

    #: Asked in this order until one answers (docs/prices.md).
    price_sources: Annotated[tuple[PriceSource, ...], NoDecode] = ("static",)
    sol_price_usd: Decimal = Field(default=Decimal("200"), gt=0)
    price_refresh_seconds: int = Field(default=300, ge=10, le=600)
    price_max_age_seconds: int = Field(default=900, ge=60, le=3600)
    price_max_jump: Decimal = Field(default=Decimal("0.2"), gt=0, le=1)
    pyth_url: HttpUrl = "https://hermes.pyth.network"
    coingecko_url: HttpUrl = "https://api.coingecko.com"
    coingecko_api_key: SecretStr = _BLANK
    kraken_url: HttpUrl = "https://api.kraken.com"

    log_level: Literal["debug", "info", "warn", "error"] = "info"
    #: JSON objects, or for people key=value; `combined` is the guide's name for the latter.
    log_format: Literal["json", "text", "combined"] = "json"

    #: The guide's, for what is not here: there are no passwords to hash, and no such parts. They
    #: are taken and checked, so that the guide's .env works, and secrets among them never shown.
    bcrypt_rounds: int = Field(default=12, ge=10, le=16)
    solana_ws_url: Annotated[str, _checked(_url("ws", "wss"))] | None = None
    program_id: Address | None = None
    steam_api_key: SecretStr = _BLANK
    csgofloat_api_key: SecretStr = _BLANK
    dmarket_api_key: SecretStr = _BLANK
    discord_bot_token: SecretStr = _BLANK

    @field_validator("cors_origins", "trusted_proxies", "price_sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(filter(None, (part.strip() for part in value.split(","))))

    @field_validator("price_sources")
    @classmethod
    def _are_some(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if not sources or len(set(sources)) != len(sources):
            raise ValueError("must name each once, of pyth, coingecko, kraken, static")
        return sources

    @field_validator("price_max_age_seconds")
    @classmethod
    def _outlives_a_refresh(cls, seconds: int, info: ValidationInfo) -> int:
        if seconds <= info.data.get("price_refresh_seconds", 0):
            raise ValueError("must be more than PRICE_REFRESH_SECONDS")
        return seconds

    @field_validator(*RULES)
    @classmethod
    def _fit_for_production(cls, value: Any, info: ValidationInfo) -> Any:
        refused, cure = RULES[str(info.field_name)]
        if info.data.get("node_env") == "production" and refused(value, info.data):
            raise ValueError(f"{cure} (NODE_ENV=production)")
        return value

    @property
    def auth_required(self) -> bool:
        return self.node_env == "production" or self.wallet_auth == "required"

    def sqlalchemy_url(self) -> str:
        """The database's URL, password included: not for logs."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        password = quote(self.db_password.get_secret_value(), safe="")
        user, place = quote(self.db_username, safe=""), f"{self.db_host}:{self.db_port}"
        return f"{_DRIVER}://{user}:{password}@{place}/{self.db_database}"

    def redis_url(self) -> str | None:
        if self.redis_host is None:
            return None
        password = quote(self.redis_password.get_secret_value(), safe="")
        return f"redis://{f':{password}@' if password else ''}{self.redis_host}:{self.redis_port}"

    def treasury(self) -> Keypair:
        return _treasury(self.admin_wallet_private_key)

    def update_authority(self) -> Keypair:
        return _authority(self.admin_private_key)

    def sold_boxes(self) -> Boxes:
        """BOXES, or the one box of BOX_ID and CANDY_MACHINE_ID."""
        if self.boxes:
            return read_boxes(self.boxes, self.placeholder_uri)
        machine = Pubkey.from_string(self.candy_machine_id)
        return Boxes([Box(self.box_id, machine, self.placeholder_uri)])

    def secret_texts(self) -> tuple[str, ...]:
        """Everything that must never be written anywhere, for the redactor."""
        hidden = [value for value in vars(self).values() if isinstance(value, SecretStr)]
        texts = {secret.get_secret_value() for secret in hidden}
        for url in (self.solana_rpc_url, self.solana_ws_url or ""):  # providers put keys into both
            parts = (urlsplit(url).path.strip("/"), urlsplit(url).query)
            texts |= {part for part in parts if len(part) >= 16}
        return tuple(sorted((text for text in texts if len(text) >= 6), key=len, reverse=True))
