"""A candy machine with its guard, for the flows: addresses once, instructions by name."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from harness.programs.assets import PROGRAMMABLE, token_record
from harness.programs.borsh import (
    blob,
    creators,
    flag,
    i64,
    option,
    text,
    u8,
    u16,
    u32,
    u64,
    vector,
)
from harness.programs.interface import GUARD, MACHINE, Signed
from harness.programs.stage import Stage
from programs.addresses import associated_token_address
from programs.candy_guard.client import guard_address
from programs.candy_machine.client import ACCOUNT_BYTES, authority_address
from programs.candy_machine.client import PROGRAM_ID as MACHINE_ID
from programs.token_metadata.client import (
    collection_delegate_address,
    edition_address,
    metadata_address,
)

NAME_LETTERS, URI_LETTERS = 4, 8

#: The guards in the order of their bits (candy guard 3.0.0, `GuardType`).
GUARDS = (
    "bot_tax", "sol_payment", "token_payment", "start_date", "third_party_signer", "token_gate",
    "gatekeeper", "end_date", "allow_list", "mint_limit", "nft_payment", "redeemed_amount",
    "address_gate", "nft_gate", "nft_burn", "token_burn", "freeze_sol_payment",
    "freeze_token_payment", "program_gate", "allocation", "token2022_payment",
)  # fmt: skip
_GATED_PROGRAMS_MAX = 5


def guard_set(**guards: bytes) -> bytes:
    """Guards by name, with their encoded fields, as the program stores them."""
    present = [name for name in GUARDS if name in guards]
    if len(present) != len(guards):
        raise ValueError(f"unknown guard among {', '.join(guards)}")
    mask = sum(1 << GUARDS.index(name) for name in present)
    return u64(mask) + b"".join(guards[name] for name in present)


def guard_data(default: bytes, *groups: tuple[str, bytes]) -> bytes:
    """The default guard set and labelled groups of further ones."""
    return default + vector(label.encode().ljust(6, b"\0") + chosen for label, chosen in groups)


@dataclass(frozen=True)
class Candy:
    """One machine of `authority`, its guard and its collection."""

    stage: Stage
    machine: Pubkey
    base: Pubkey
    collection: Pubkey
    authority: Pubkey
    standard: int = 0

    @property
    def own(self) -> Pubkey:
        return authority_address(self.machine)

    @property
    def guard(self) -> Pubkey:
        return guard_address(self.base)

    @property
    def delegate(self) -> Pubkey:
        return collection_delegate_address(self.collection, self.authority, self.own)

    def account(self, items: int) -> Instruction:
        """The machine's account, with room for that many configuration lines."""
        line = NAME_LETTERS + URI_LETTERS
        size = ACCOUNT_BYTES + 4 + items * line + (items // 8 + 1) + items * 4 + 64
        return create_account(
            CreateAccountParams(
                from_pubkey=self.stage.payer,
                to_pubkey=self.machine,
                lamports=self.stage.rent(size),
                space=size,
                owner=MACHINE_ID,
            )
        )

    def data(self, items: int, *, prefix: str = "Nft #", sequential: bool = False) -> bytes:
        """Settings of a machine whose items are configuration lines, drawn or in sequence."""
        settings = text(prefix) + u32(NAME_LETTERS) + text("https://x/") + u32(URI_LETTERS)
        data = u64(items) + text("SYM") + u16(500) + u64(0) + flag(True)
        data += creators((self.authority, False, 100))
        return data + option(settings + flag(sequential)) + option(None)

    def initialize(self, data: bytes, standard: int | None = None) -> Instruction:
        return MACHINE(
            "initializeV2",
            data + u8(self.standard if standard is None else standard),
            candy_machine=self.machine,
            authority_pda=self.own,
            authority=self.authority,
            payer=self.stage.payer,
            collection_metadata=metadata_address(self.collection),
            collection_mint=self.collection,
            collection_master_edition=edition_address(self.collection),
            collection_update_authority=self.authority,
            collection_delegate_record=self.delegate,
        )

    def lines(
        self, first: int, lines: Sequence[tuple[str, str]], authority: Pubkey | None = None
    ) -> Instruction:
        """Configuration lines, name and URI each, from the place `first`."""
        return MACHINE(
            "addConfigLines",
            u32(first) + vector(text(name) + text(uri) for name, uri in lines),
            candy_machine=self.machine,
            authority=authority or self.authority,
        )

    def mint(self, mint: Pubkey, mint_authority: Pubkey) -> Instruction:
        """A mint from the bare machine."""
        return MACHINE(
            "mintV2",
            candy_machine=self.machine,
            authority_pda=self.own,
            mint_authority=mint_authority,
            nft_owner=self.stage.payer,
            **self._minted(mint),
        )

    def guarded_mint(
        self,
        mint: Pubkey,
        remaining: Sequence[AccountMeta] = (),
        arguments: bytes = b"",
        label: str | None = None,
    ) -> Instruction:
        """A mint through the guard; `remaining` are the accounts that guards ask for."""
        return GUARD(
            "mintV2",
            blob(arguments) + option(None if label is None else text(label)),
            remaining,
            candy_guard=self.guard,
            candy_machine=self.machine,
            candy_machine_authority_pda=self.own,
            minter=self.stage.payer,
            **self._minted(mint),
        )

    def _minted(self, mint: Pubkey) -> dict[str, Pubkey | Signed]:
        payer = self.stage.payer
        held = associated_token_address(payer, mint)
        record: dict[str, Pubkey | Signed] = (
            {"token_record": token_record(mint, held)} if self.standard == PROGRAMMABLE else {}
        )
        return record | {
            "payer": payer,
            "nft_mint": Signed(mint),
            "nft_mint_authority": payer,
            "nft_metadata": metadata_address(mint),
            "nft_master_edition": edition_address(mint),
            "token": held,
            "collection_delegate_record": self.delegate,
            "collection_mint": self.collection,
            "collection_metadata": metadata_address(self.collection),
            "collection_master_edition": edition_address(self.collection),
            "collection_update_authority": self.authority,
        }

    def initialize_guard(self, data: bytes) -> Instruction:
        return GUARD(
            "initialize",
            blob(data),
            candy_guard=self.guard,
            base=self.base,
            authority=self.authority,
            payer=self.stage.payer,
        )

    def update_guard(self, data: bytes) -> Instruction:
        return GUARD(
            "update",
            blob(data),
            candy_guard=self.guard,
            authority=self.authority,
            payer=self.stage.payer,
        )

    def wrap(self) -> Instruction:
        return GUARD("wrap", **self._pair())

    def unwrap(self) -> Instruction:
        return GUARD("unwrap", **self._pair())

    def _pair(self) -> dict[str, Pubkey]:
        return {
            "candy_guard": self.guard,
            "authority": self.authority,
            "candy_machine": self.machine,
            "candy_machine_authority": self.authority,
        }

    def route(
        self,
        guard: str,
        data: bytes,
        remaining: Sequence[AccountMeta],
        label: str | None = None,
    ) -> Instruction:
        """A call of one guard's own instruction."""
        return GUARD(
            "route",
            u8(GUARDS.index(guard)) + blob(data) + option(None if label is None else text(label)),
            remaining,
            candy_guard=self.guard,
            candy_machine=self.machine,
            payer=self.stage.payer,
        )


def bot_tax(lamports: int, *, last_instruction: bool = True) -> bytes:
    return u64(lamports) + flag(last_instruction)


def sol_payment(lamports: int, destination: Pubkey) -> bytes:
    return u64(lamports) + bytes(destination)


def date(unix_seconds: int) -> bytes:
    return i64(unix_seconds)


def program_gate(*programs: Pubkey) -> bytes:
    """Programs that a mint's transaction may have beside the usual ones; room for five."""
    listed = vector(bytes(program) for program in programs)
    return listed.ljust(4 + 32 * _GATED_PROGRAMS_MAX, b"\0")


def mint_limit(identifier: int, limit: int) -> bytes:
    return struct.pack("<BH", identifier, limit)


def reads(address: Pubkey, *, signs: bool = False) -> AccountMeta:
    return AccountMeta(address, signs, False)


def writes(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, False, True)
