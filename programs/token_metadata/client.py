"""Metaplex Token Metadata, as far as a mystery box needs it.

An NFT is a token mint with supply one; this program hangs a label on it (the metadata account)
and seals it (the master edition). Layouts: the published crate mpl-token-metadata 1.11.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from borsh_construct import U8, U16, U64, Bool, CStruct, Option, String, Vec
from construct import Bytes, ConstructError
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from programs.addresses import (
    ASSOCIATED_TOKEN,
    INSTRUCTIONS_SYSVAR,
    SYSTEM,
    TOKEN,
    associated_token_address,
)

PROGRAM_ID = Pubkey.from_string("metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s")

#: Limits of the program: longer texts are refused.
NAME_BYTES_MAX = 32
SYMBOL_BYTES_MAX = 10
URI_BYTES_MAX = 200

#: Size of an SPL token mint account.
MINT_BYTES = 82

_CREATE_MASTER_EDITION_V3 = 17
_VERIFY_COLLECTION = 18
_CREATE_METADATA_ACCOUNT_V3 = 33
_UPDATE = 50
_UPDATE_METADATA_ACCOUNT_V2 = 15

_Creator = CStruct("address" / Bytes(32), "verified" / Bool, "share" / U8)
_Data = CStruct(
    "name" / String,
    "symbol" / String,
    "uri" / String,
    "seller_fee_basis_points" / U16,
    "creators" / Option(Vec(_Creator)),
)
_Collection = CStruct("verified" / Bool, "key" / Bytes(32))
_Uses = CStruct("use_method" / U8, "remaining" / U64, "total" / U64)
_Metadata = CStruct(
    "key" / U8,
    "update_authority" / Bytes(32),
    "mint" / Bytes(32),
    "data" / _Data,
    "primary_sale_happened" / Bool,
    "is_mutable" / Bool,
    "edition_nonce" / Option(U8),
    "token_standard" / Option(U8),
    "collection" / Option(_Collection),
    "uses" / Option(_Uses),
)
_METADATA_KEY = 4


@dataclass(frozen=True)
class Creator:
    """Someone who shares in royalties; `verified` once they have signed."""

    address: Pubkey
    verified: bool
    share_percent: int


@dataclass(frozen=True)
class Collection:
    """Which collection an NFT says it belongs to; true only where `verified`."""

    key: Pubkey
    verified: bool


@dataclass(frozen=True)
class Metadata:
    """The label of an NFT."""

    update_authority: Pubkey
    mint: Pubkey
    name: str
    symbol: str
    uri: str
    seller_fee_basis_points: int
    creators: tuple[Creator, ...]
    is_mutable: bool
    collection: Collection | None
    token_standard: int | None

    @classmethod
    def parse(cls, data: bytes) -> Metadata:
        """Read a metadata account. Raises ValueError if the bytes are something else."""
        if data[:1] != bytes([_METADATA_KEY]):
            raise ValueError("not a metadata account: its first byte is not 4")
        try:
            raw = _Metadata.parse(data)
        except (ConstructError, UnicodeDecodeError) as error:
            raise ValueError(f"not a metadata account: {type(error).__name__}") from None
        return cls(
            update_authority=Pubkey(raw.update_authority),
            mint=Pubkey(raw.mint),
            name=raw.data.name.rstrip("\0"),
            symbol=raw.data.symbol.rstrip("\0"),
            uri=raw.data.uri.rstrip("\0"),
            seller_fee_basis_points=raw.data.seller_fee_basis_points,
            creators=tuple(
                Creator(Pubkey(creator.address), creator.verified, creator.share)
                for creator in raw.data.creators or ()
            ),
            is_mutable=raw.is_mutable,
            collection=raw.collection
            and Collection(Pubkey(raw.collection.key), raw.collection.verified),
            token_standard=raw.token_standard,
        )


def metadata_address(mint: Pubkey) -> Pubkey:
    """Where the metadata of a mint is."""
    seeds = [b"metadata", bytes(PROGRAM_ID), bytes(mint)]
    return Pubkey.find_program_address(seeds, PROGRAM_ID)[0]


def edition_address(mint: Pubkey) -> Pubkey:
    """Where the master edition of a mint is."""
    seeds = [b"metadata", bytes(PROGRAM_ID), bytes(mint), b"edition"]
    return Pubkey.find_program_address(seeds, PROGRAM_ID)[0]


def collection_delegate_address(mint: Pubkey, authority: Pubkey, delegate: Pubkey) -> Pubkey:
    """The record by which `authority` lets `delegate` verify members of a collection."""
    seeds = [
        b"metadata",
        bytes(PROGRAM_ID),
        bytes(mint),
        b"collection_delegate",
        bytes(authority),
        bytes(delegate),
    ]
    return Pubkey.find_program_address(seeds, PROGRAM_ID)[0]


def create_nft(
    *,
    authority: Pubkey,
    owner: Pubkey,
    mint: Pubkey,
    name: str,
    symbol: str,
    uri: str,
    seller_fee_basis_points: int,
    rent_lamports: int,
    collection: Pubkey | None = None,
    sized_collection: bool = False,
) -> list[Instruction]:
    """An NFT outside any candy machine, or a collection if `sized_collection`.

    Signed by `authority`, who pays, and by `mint`. `rent_lamports` is the rent of MINT_BYTES.
    """
    token = associated_token_address(owner, mint)
    metadata, edition = metadata_address(mint), edition_address(mint)
    data = _Data.build(
        {
            "name": name,
            "symbol": symbol,
            "uri": uri,
            "seller_fee_basis_points": seller_fee_basis_points,
            "creators": [{"address": bytes(authority), "verified": True, "share": 100}],
        }
    )
    member = b"\0" if collection is None else b"\1\0" + bytes(collection)
    details = b"\1\0" + bytes(8) if sized_collection else b"\0"
    return [
        create_account(
            CreateAccountParams(
                from_pubkey=authority,
                to_pubkey=mint,
                lamports=rent_lamports,
                space=MINT_BYTES,
                owner=TOKEN,
            )
        ),
        Instruction(  # InitializeMint2, no decimals, `authority` mints and freezes
            TOKEN, b"\x14\0" + bytes(authority) + b"\1" + bytes(authority), [_writable(mint)]
        ),
        Instruction(  # CreateIdempotent
            ASSOCIATED_TOKEN,
            b"\1",
            [
                _writable(authority, signer=True),
                _writable(token),
                _readonly(owner),
                _readonly(mint),
                _readonly(SYSTEM),
                _readonly(TOKEN),
            ],
        ),
        Instruction(  # MintTo, one
            TOKEN,
            b"\7" + (1).to_bytes(8, "little"),
            [_writable(mint), _writable(token), _readonly(authority, signer=True)],
        ),
        Instruction(
            PROGRAM_ID,
            bytes([_CREATE_METADATA_ACCOUNT_V3]) + data + member + b"\0" + b"\1" + details,
            [
                _writable(metadata),
                _readonly(mint),
                _readonly(authority, signer=True),
                _writable(authority, signer=True),
                _readonly(authority, signer=True),
                _readonly(SYSTEM),
            ],
        ),
        Instruction(
            PROGRAM_ID,
            bytes([_CREATE_MASTER_EDITION_V3]) + b"\1" + bytes(8),
            [
                _writable(edition),
                _writable(mint),
                _readonly(authority, signer=True),
                _readonly(authority, signer=True),
                _writable(authority, signer=True),
                _writable(metadata),
                _readonly(TOKEN),
                _readonly(SYSTEM),
            ],
        ),
    ]


def verify_collection(*, mint: Pubkey, collection: Pubkey, authority: Pubkey) -> Instruction:
    """Confirm membership in an unsized collection. Signed by the collection's authority."""
    return Instruction(
        PROGRAM_ID,
        bytes([_VERIFY_COLLECTION]),
        [
            _writable(metadata_address(mint)),
            _writable(authority, signer=True),
            _writable(authority, signer=True),
            _readonly(collection),
            _readonly(metadata_address(collection)),
            _readonly(edition_address(collection)),
        ],
    )


def update(
    *, mint: Pubkey, authority: Pubkey, metadata: Metadata, name: str, uri: str
) -> Instruction:
    """Rewrite name and URI and keep everything else. Signed by the update authority, who pays.

    Raises ValueError for a name or URI that the program would refuse.
    """
    for what, text, bytes_max in (("name", name, NAME_BYTES_MAX), ("URI", uri, URI_BYTES_MAX)):
        if len(text.encode()) > bytes_max:
            raise ValueError(f"{what} too long: {len(text.encode())} bytes, at most {bytes_max}")
    data = _Data.build(
        {
            "name": name,
            "symbol": metadata.symbol,
            "uri": uri,
            "seller_fee_basis_points": metadata.seller_fee_basis_points,
            "creators": [
                {
                    "address": bytes(creator.address),
                    "verified": creator.verified,
                    "share": creator.share_percent,
                }
                for creator in metadata.creators
            ]
            or None,
        }
    )
    # UpdateV1: no new authority, this data, sale, mutability, collection, details, uses, rule set
    # and authorisation untouched.
    arguments = bytes([_UPDATE, 0]) + b"\0" + b"\1" + data + bytes(2) + bytes(4) + b"\0"
    return _update(mint, authority, arguments)


def hand_over(*, mint: Pubkey, authority: Pubkey, new_authority: Pubkey) -> Instruction:
    """Give the update authority to another key, nothing else. Signed by the present one."""
    arguments = bytes([_UPDATE, 0]) + b"\1" + bytes(new_authority) + bytes(8)
    return _update(mint, authority, arguments)


def _update(mint: Pubkey, authority: Pubkey, arguments: bytes) -> Instruction:
    absent = _readonly(PROGRAM_ID)
    return Instruction(
        PROGRAM_ID,
        arguments,
        [
            _readonly(authority, signer=True),
            absent,  # delegate record
            absent,  # token
            _readonly(mint),
            _writable(metadata_address(mint)),
            absent,  # edition
            _writable(authority, signer=True),
            _readonly(SYSTEM),
            _readonly(INSTRUCTIONS_SYSVAR),
            absent,  # authorisation rules program
            absent,  # authorisation rules
        ],
    )


def _writable(address: Pubkey, signer: bool = False) -> AccountMeta:
    return AccountMeta(address, signer, True)


def _readonly(address: Pubkey, signer: bool = False) -> AccountMeta:
    return AccountMeta(address, signer, False)


def updated_name(data: bytes) -> str | None:
    """The name that an update instruction writes; None if the data are no update or change no name.

    Reads UpdateV1 and the older UpdateMetadataAccountV2, by which other backends may reveal.
    """
    if data[:1] == bytes([_UPDATE]) and data[1:2] == b"\0":
        place = 2 + (33 if data[2:3] == b"\1" else 1)  # an optional new update authority
    elif data[:1] == bytes([_UPDATE_METADATA_ACCOUNT_V2]):
        place = 1
    else:
        return None
    if data[place : place + 1] != b"\1":
        return None
    try:
        return str(_Data.parse(data[place + 1 :]).name).rstrip("\0")
    except (ConstructError, UnicodeDecodeError):
        return None
