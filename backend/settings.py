"""Configuration, from the guide's environment variables.

Secrets are `SecretStr`: printing or logging the settings does not show them. What production may
not be is in `backend.production`; every problem is reported, not only the first.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from backend.domain.boxes import read_boxes
from backend.production import RULES

PriceSource = Literal["pyth", "coingecko", "kraken", "static"]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_List = Annotated[tuple[str, ...], NoDecode]
_Blank = SecretStr("")


class Settings(BaseSettings):
    """Everything the backend can be told. Names are those of the guide, in lower case."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, validate_default=True, env_ignore_empty=True
    )

    node_env: Literal["development", "test", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=4000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    api_prefix: str = Field(default="/api/v1", pattern=r"^(/[A-Za-z0-9_.-]+)+$")
    cors_origins: _List = ()
    #: Addresses or networks whose X-Forwarded-For is believed.
    trusted_proxies: _List = ()
    body_bytes_max: int = Field(default=16_384, ge=4096, le=1_048_576)
    #: Requests under way in one process; further ones are told to come back (OVERLOADED).
    in_flight_max: int = Field(default=80, ge=1, le=10_000)
    #: How long a stop waits for what is in flight; the worker goes on with the rest later.
    shutdown_seconds: int = Field(default=30, ge=1, le=300)

    #: Instead of the five below.
    database_url: SecretStr | None = None
    db_host: str = "127.0.0.1"
    db_port: int = Field(default=5432, ge=1, le=65535)
    db_username: str = "postgres"
    db_password: SecretStr = _Blank
    db_database: str = "loot"
    #: The guide's name. Migrations change the schema here, so it must stay false.
    db_synchronize: bool = False
    db_logging: bool = False

    #: Rate limits are counted there by all processes; without it, in each one's memory.
    redis_host: str | None = None
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: SecretStr = _Blank

    #: Signs access tokens. Empty outside production: made up anew at each start.
    jwt_secret: SecretStr = _Blank
    jwt_expire: str = "24h"
    jwt_refresh_expire: str = "7d"
    #: `required` in production; elsewhere optional, as the guide's table has it.
    wallet_auth: Literal["required", "optional"] | None = None
    sign_in_domain: str = Field(default="localhost", pattern=r"^[A-Za-z0-9.-]+(:\d+)?$")
    bcrypt_rounds: int = Field(default=12, ge=10, le=16)
    #: 0 turns a limit off.
    rate_limit_window_ms: int = Field(default=900_000, ge=1000)
    rate_limit_max_requests: int = Field(default=100, ge=0)
    reveal_limit_window_ms: int = Field(default=60_000, ge=1000)
    reveal_limit_max_requests: int = Field(default=5, ge=0)
    #: `python -m backend admin` serves operators there; without a token it will not.
    admin_port: int = Field(default=4001, ge=0, le=65535)
    admin_token: SecretStr | None = None

    solana_rpc_url: str = "http://127.0.0.1:8899"
    solana_ws_url: str | None = None
    program_id: str | None = None
    buyback_program_id: str
    #: Which of the program's configurations is in use; an upgrade can bring a new one.
    buyback_config_version: int = Field(default=1, ge=0, le=255)
    collection_mint: str
    candy_machine_id: str
    #: Buyback treasury, as an array of bytes.
    admin_wallet_private_key: SecretStr
    #: Metadata update authority, in base58.
    admin_private_key: SecretStr

    #: Boxes with a machine and odds of their own, as a JSON array (backend/domain/boxes.py);
    #: empty for one box, BOX_ID, sold by CANDY_MACHINE_ID at the guide's odds.
    boxes: str = ""
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
    pyth_url: str = "https://hermes.pyth.network"
    coingecko_url: str = "https://api.coingecko.com"
    coingecko_api_key: SecretStr = _Blank
    kraken_url: str = "https://api.kraken.com"

    #: The guide's, for parts that this backend does not have; taken and never shown.
    steam_api_key: SecretStr = _Blank
    csgofloat_api_key: SecretStr = _Blank
    dmarket_api_key: SecretStr = _Blank
    discord_bot_token: SecretStr = _Blank
    discord_ticket_channel_id: str = ""
    discord_guild_id: str = ""
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    #: The guide's names; every line is a JSON object either way.
    log_format: Literal["combined", "json"] = "combined"

    @field_validator("cors_origins", "trusted_proxies", "price_sources", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(filter(None, (part.strip() for part in value.split(","))))

    @field_validator("boxes")
    @classmethod
    def _are_boxes(cls, text: str) -> str:
        if text:
            read_boxes(text, "")
        return text

    @field_validator("program_id", "buyback_program_id", "collection_mint", "candy_machine_id")
    @classmethod
    def _is_address(cls, text: str | None) -> str | None:
        if text is not None:
            Pubkey.from_string(text)
        return text

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", origin):
                raise ValueError(f"{origin} is not an origin such as https://example.com")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)
        return proxies

    @field_validator("price_sources")
    @classmethod
    def _are_some(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if not sources or len(set(sources)) != len(sources):
            raise ValueError(f"must name each once, of {', '.join(get_args(PriceSource))}")
        return sources

    @field_validator("price_max_age_seconds")
    @classmethod
    def _outlives_a_refresh(cls, seconds: int, info: ValidationInfo) -> int:
        if seconds <= info.data.get("price_refresh_seconds", 0):
            raise ValueError("must be more than PRICE_REFRESH_SECONDS")
        return seconds

    @field_validator("jwt_expire", "jwt_refresh_expire")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        if not re.fullmatch(r"[1-9]\d{0,5}[smhd]", text):
            raise ValueError("must be a duration such as 30m, 24h or 7d")
        return text

    @field_validator("solana_rpc_url", "solana_ws_url", "pyth_url", "coingecko_url", "kraken_url")
    @classmethod
    def _is_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        schemes = ("ws", "wss") if info.field_name == "solana_ws_url" else ("http", "https")
        if url is not None and (urlsplit(url).scheme not in schemes or not urlsplit(url).hostname):
            raise ValueError(f"must be a URL that begins with {schemes[0]}:// or {schemes[1]}://")
        return url

    @field_validator("admin_wallet_private_key")
    @classmethod
    def _is_key_array(cls, value: SecretStr) -> SecretStr:
        try:
            Keypair.from_bytes(bytes(json.loads(value.get_secret_value())))
        except (ValueError, TypeError):
            raise ValueError("must be a private key as an array of 64 numbers") from None
        return value

    @field_validator("admin_private_key")
    @classmethod
    def _is_key_base58(cls, value: SecretStr) -> SecretStr:
        try:
            Keypair.from_base58_string(value.get_secret_value())
        except ValueError:
            raise ValueError("must be a private key in base58") from None
        return value

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
        user = quote(self.db_username, safe="")
        return (
            f"postgresql+psycopg://{user}:{password}@{self.db_host}:{self.db_port}"
            f"/{self.db_database}"
        )

    def redis_url(self) -> str | None:
        if self.redis_host is None:
            return None
        password = quote(self.redis_password.get_secret_value(), safe="")
        return f"redis://{f':{password}@' if password else ''}{self.redis_host}:{self.redis_port}"

    def treasury(self) -> Keypair:
        return Keypair.from_bytes(
            bytes(json.loads(self.admin_wallet_private_key.get_secret_value()))
        )

    def update_authority(self) -> Keypair:
        return Keypair.from_base58_string(self.admin_private_key.get_secret_value())

    def secret_texts(self) -> tuple[str, ...]:
        """Everything that must never be written anywhere, for the redactor."""
        hidden = [value for value in vars(self).values() if isinstance(value, SecretStr)]
        texts = {secret.get_secret_value() for secret in hidden}
        texts |= {urlsplit(self.solana_rpc_url).query, urlsplit(self.solana_ws_url or "").query}
        return tuple(sorted((text for text in texts if len(text) >= 6), key=len, reverse=True))


def duration(text: str) -> timedelta:
    """`24h` as a timedelta; of the form that the settings let through."""
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
