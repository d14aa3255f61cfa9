"""Configuration, from the guide's environment variables.

Secrets are `SecretStr`: printing or logging the settings does not show them.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from solders.keypair import Keypair
from solders.pubkey import Pubkey


def _address(text: str) -> str:
    Pubkey.from_string(text)
    return text


class Settings(BaseSettings):
    """Everything the backend can be told. Names are those of the guide, in lower case."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    node_env: str = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=4000, ge=0, le=65535)
    api_prefix: str = "/api/v1"
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    db_host: str = "127.0.0.1"
    db_port: int = Field(default=5432, ge=1, le=65535)
    db_username: str = "postgres"
    db_password: SecretStr = SecretStr("")
    db_database: str = "loot"
    #: Instead of the five above.
    database_url: SecretStr | None = None

    solana_rpc_url: str = "http://127.0.0.1:8899"
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
    sol_price_usd: Decimal = Field(default=Decimal("200"), gt=0)
    placeholder_uri: str = "https://arweave.net/placeholder"
    metadata_base_uri: str = "https://arweave.net/skins"

    @field_validator("buyback_program_id", "collection_mint", "candy_machine_id")
    @classmethod
    def _is_address(cls, text: str) -> str:
        return _address(text)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

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

    def treasury(self) -> Keypair:
        return Keypair.from_bytes(
            bytes(json.loads(self.admin_wallet_private_key.get_secret_value()))
        )

    def update_authority(self) -> Keypair:
        return Keypair.from_base58_string(self.admin_private_key.get_secret_value())
