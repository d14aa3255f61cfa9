"""The candy guard's guards: signers, limits, groups, proofs, allocation, freezing, tokens."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from harness.programs.assets import (
    NON_FUNGIBLE,
    PROGRAMMABLE,
    collection,
    mint_account,
    mint_to,
    token_account,
    token_record,
)
from harness.programs.borsh import i64, u32, u64
from harness.programs.candy import (
    Candy,
    bot_tax,
    date,
    guard_data,
    guard_set,
    mint_limit,
    program_gate,
    reads,
    sol_payment,
    writes,
)
from harness.programs.interface import GUARD
from harness.programs.keccak import keccak_256
from harness.programs.stage import START_UNIX_SECONDS, Stage
from programs.addresses import (
    ASSOCIATED_TOKEN,
    INSTRUCTIONS_SYSVAR,
    SYSTEM,
    TOKEN,
    associated_token_address,
)
from programs.candy_guard.client import mint_counter_address
from programs.token_metadata.client import PROGRAM_ID as METADATA_ID
from programs.token_metadata.client import edition_address, metadata_address

_MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_ITEMS = 12
_FAR = START_UNIX_SECONDS + 2**31
_LIMIT_ID, _ALLOCATION_ID = 5, 1
_FREEZE_SECONDS = 3600
_TOKENS, _TOKEN_PRICE, _TOKENS_BURNT = 100, 60, 5


def play_nft(stage: Stage) -> None:
    _play(stage, NON_FUNGIBLE)


def play_pnft(stage: Stage) -> None:
    _play(stage, PROGRAMMABLE)


class _Scene:
    """The machine and what the steps share."""

    def __init__(self, stage: Stage, standard: int) -> None:
        self.stage = stage
        self.owner = stage.wallet("owner")
        self.candy = Candy(
            stage, stage.key("machine"), stage.key("base"), stage.key("coll"), self.owner, standard
        )
        self.minted = 0
        self.spare: list[Pubkey] = []  # NFTs of the collection to pay with

    def next_mint(self) -> Pubkey:
        return self.stage.key(f"nft {self.minted + 1}")

    def mint(
        self, name: str, *remaining: AccountMeta, label: str | None = None, arguments: bytes = b""
    ) -> Pubkey:
        mint = self.next_mint()
        self.minted += 1
        self.stage.step(name, self.candy.guarded_mint(mint, remaining, arguments, label))
        return mint

    def address(self, *seeds: bytes) -> Pubkey:
        """An account of the guard's, for this guard and machine."""
        ends = [bytes(self.candy.guard), bytes(self.candy.machine)]
        return Pubkey.find_program_address([*seeds, *ends], GUARD.program)[0]


def _play(stage: Stage, standard: int) -> None:
    scene = _Scene(stage, standard)
    candy = scene.candy
    collection(stage, candy.collection, scene.owner)
    stage.step("account", candy.account(_ITEMS))
    stage.step("initialize", candy.initialize(candy.data(_ITEMS, prefix="Nft $ID+1$ ")))
    for first in (0, 6):
        lines = [(f"{number:04}", f"{number:04}.jsn") for number in range(first, first + 6)]
        stage.step(f"lines from {first}", candy.lines(first, lines))
    _limits(scene)
    _groups(scene)
    _freeze(scene)
    _tokens(scene)
    _nfts(scene)
    stage.step("unwrap", candy.unwrap())


def _limits(scene: _Scene) -> None:
    stage, candy, payer = scene.stage, scene.candy, scene.stage.payer
    third = stage.key("third party")
    guards = guard_data(
        guard_set(
            third_party_signer=bytes(third),
            mint_limit=mint_limit(_LIMIT_ID, 1),
            redeemed_amount=u64(3),
            address_gate=bytes(payer),
            end_date=date(_FAR),
        )
    )
    counter = writes(mint_counter_address(candy.guard, candy.machine, payer, _LIMIT_ID))
    stage.step("guards", candy.initialize_guard(guards))
    stage.step("wrap", candy.wrap())
    scene.mint("third party has not signed", reads(third), counter)
    scene.spare.append(scene.mint("mint", reads(third, signs=True), counter))
    scene.mint("over the limit", reads(third, signs=True), counter)
    scene.mint("unknown label", reads(third, signs=True), counter, label="X")
    stage.step("groups that are not there", candy.update_guard(guards[:-4] + u32(1)))


def _groups(scene: _Scene) -> None:
    stage, candy, payer = scene.stage, scene.candy, scene.stage.payer
    root = keccak_256(str(payer).encode())  # of a list with the payer alone
    paid = ("A", guard_set(sol_payment=sol_payment(12_345, scene.owner)))
    listed = ("BBBBBB", guard_set(allow_list=root))
    later = ("C", guard_set(start_date=date(_FAR), program_gate=program_gate()))
    counted = ("C", guard_set(allocation=bytes([_ALLOCATION_ID]) + u32(1)))
    taxed = guard_set(bot_tax=bot_tax(1_000, last_instruction=False))
    stage.step("groups", candy.update_guard(guard_data(taxed, paid, listed, later)))
    scene.mint("taxed: not begun", label="C")
    begun = ("C", guard_set(start_date=date(0), program_gate=program_gate()))
    stage.step("group C begins", candy.update_guard(guard_data(taxed, begun)))
    scene.mint("only the usual programs", label="C")
    memo = Instruction(_MEMO, b"hello", [])
    stage.step("taxed: another program too", candy.guarded_mint(scene.next_mint(), label="C"), memo)
    stage.step("other groups", candy.update_guard(guard_data(guard_set(), paid, listed, counted)))
    scene.mint("no label")
    scene.spare.append(scene.mint("paid", writes(scene.owner), label="A"))
    scene.mint("no proof", reads(payer), label="BBBBBB")
    proof = scene.address(b"allow_list", root, bytes(payer))
    accounts = [writes(proof), reads(SYSTEM)]
    wrong = u32(1) + bytes([7] * 32)
    stage.step("wrong proof", candy.route("allow_list", wrong, accounts, "BBBBBB"))
    stage.step("proof", candy.route("allow_list", u32(0), accounts, "BBBBBB"))
    scene.mint("proven", reads(proof), label="BBBBBB")
    allocation = scene.address(b"allocation", bytes([_ALLOCATION_ID]))
    accounts = [writes(allocation), reads(scene.owner, signs=True), reads(SYSTEM)]
    stage.step("allocation", candy.route("allocation", b"", accounts, "C"))
    scene.mint("allocated", writes(allocation), label="C")
    scene.mint("over the allocation", writes(allocation), label="C")


def _freeze(scene: _Scene) -> None:
    stage, candy, payer = scene.stage, scene.candy, scene.stage.payer
    payment = sol_payment(777_000_000, scene.owner)
    stage.step("freezing", candy.update_guard(guard_data(guard_set(freeze_sol_payment=payment))))
    escrow = scene.address(b"freeze_escrow", bytes(scene.owner))
    operator = [writes(escrow), reads(scene.owner, signs=True), reads(SYSTEM)]
    start = b"\0" + i64(_FREEZE_SECONDS)
    stage.step("freeze: begin", candy.route("freeze_sol_payment", start, operator))
    held = associated_token_address(payer, scene.next_mint())
    absent = [reads(GUARD.program)] if candy.standard == PROGRAMMABLE else []
    mint = scene.mint("freeze: mint", writes(escrow), writes(held), *absent)
    thaw = [
        writes(escrow),
        reads(mint),
        reads(payer),
        writes(held),
        reads(edition_address(mint)),
        reads(TOKEN),
        reads(METADATA_ID),
    ]
    if candy.standard == PROGRAMMABLE:
        passing = associated_token_address(escrow, mint)  # it is moved there and back
        thaw += [
            writes(metadata_address(mint)),
            writes(passing),
            reads(SYSTEM),
            reads(INSTRUCTIONS_SYSVAR),
            reads(ASSOCIATED_TOKEN),
            writes(token_record(mint, held)),
            writes(token_record(mint, passing)),
        ]
    stage.step("freeze: thaw too early", candy.route("freeze_sol_payment", b"\1", thaw))
    stage.advance(_FREEZE_SECONDS + 1)
    stage.step("freeze: thaw", candy.route("freeze_sol_payment", b"\1", thaw))
    funds = [writes(escrow), reads(scene.owner, signs=True), writes(scene.owner), reads(SYSTEM)]
    stage.step("freeze: unlock", candy.route("freeze_sol_payment", b"\2", funds))


def _tokens(scene: _Scene) -> None:
    stage, candy, payer, owner = scene.stage, scene.candy, scene.stage.payer, scene.owner
    coin = stage.key("coin")
    stage.step(
        "coins",
        mint_account(stage, coin, payer),
        token_account(stage, payer, coin),
        token_account(stage, owner, coin),
        mint_to(coin, payer, payer, _TOKENS),
    )
    purse, till = (associated_token_address(one, coin) for one in (payer, owner))
    guards = guard_set(
        token_payment=u64(_TOKEN_PRICE) + bytes(coin) + bytes(till),
        token_burn=u64(_TOKENS_BURNT) + bytes(coin),
        token_gate=u64(1) + bytes(coin),
    )
    stage.step("token guards", candy.update_guard(guard_data(guards)))
    accounts = [writes(purse), writes(till), reads(purse), writes(purse), writes(coin)]
    scene.mint("paid in coins", *accounts)
    scene.mint("too few coins", *accounts)


def _nfts(scene: _Scene) -> None:
    """An NFT of the collection lets in, is paid over, is burnt."""
    stage, candy, payer, owner = scene.stage, scene.candy, scene.stage.payer, scene.owner
    group, programmable = bytes(candy.collection), candy.standard == PROGRAMMABLE

    def guarded(name: str, fields: bytes) -> None:
        stage.step(f"{name} guard", candy.update_guard(guard_data(guard_set(**{name: fields}))))

    given, burnt = scene.spare
    held, label = associated_token_address(payer, given), metadata_address(given)
    guarded("nft_gate", group)
    scene.mint("gate: let in", reads(held), reads(label))
    scene.mint("gate: with nothing", reads(associated_token_address(owner, given)), reads(label))

    till = associated_token_address(owner, given)
    guarded("nft_payment", group + bytes(owner))
    over = [writes(held), writes(label), reads(given), reads(owner), writes(till)]
    over.append(reads(ASSOCIATED_TOKEN))
    if programmable:
        over.append(reads(edition_address(given)))
        over += [writes(token_record(given, one)) for one in (held, till)]
    scene.mint("paid with an NFT", *over)
    scene.mint("paid with what is gone", *over)

    held = associated_token_address(payer, burnt)
    guarded("nft_burn", group)
    ashes = [held, metadata_address(burnt), edition_address(burnt), burnt]
    ashes.append(metadata_address(candy.collection))
    if programmable:
        ashes.append(token_record(burnt, held))
    scene.mint("burnt an NFT", *map(writes, ashes))
    scene.mint("burnt what is gone", *map(writes, ashes))
