"""A candy machine with configuration lines: made, filled, guarded, drawn from, emptied."""

from __future__ import annotations

from harness.programs.assets import label, master_edition, token
from harness.programs.candy import (
    Candy,
    bot_tax,
    date,
    guard_data,
    guard_set,
    sol_payment,
    writes,
)
from harness.programs.interface import GUARD, MACHINE
from harness.programs.stage import Stage

_ITEMS = 10
_PRICE, _TAX = 500_000_000, 10_000_000
_NO_STANDARD = 9


def play(stage: Stage) -> None:
    owner, payer = stage.wallet("owner"), stage.payer
    candy = Candy(stage, stage.key("machine"), stage.key("base"), stage.key("coll"), owner)
    _collection(stage, candy)
    _fill(stage, candy)
    first = stage.key("nft 1")
    stage.step("mint by a stranger", candy.mint(first, payer))
    stage.step("mint", candy.mint(first, owner))
    _guarded(stage, candy)
    _in_sequence(stage, candy)
    stage.step("unwrap", candy.unwrap())
    hand_over = MACHINE("setAuthority", bytes(payer), candy_machine=candy.machine, authority=owner)
    stage.step("hand over", hand_over)
    stage.step("withdraw", MACHINE("withdraw", candy_machine=candy.machine, authority=payer))
    stage.step("withdraw guard", GUARD("withdraw", candy_guard=candy.guard, authority=owner))


def _collection(stage: Stage, candy: Candy) -> None:
    mint, owner = candy.collection, candy.authority
    stage.step("collection mint", token(stage, mint, owner, owner))
    stage.step("label too long", label(stage, mint, owner, "x" * 40))
    stage.step("label", label(stage, mint, owner, "Coll"))
    stage.step("master edition", master_edition(stage, mint, owner))
    stage.step("label again", label(stage, mint, owner, "Coll"))


def _fill(stage: Stage, candy: Candy) -> None:
    stage.step("account", candy.account(_ITEMS))
    stage.step("unknown standard", candy.initialize(candy.data(_ITEMS), _NO_STANDARD))
    stage.step("initialize", candy.initialize(candy.data(_ITEMS)))
    stage.step("initialize again", candy.initialize(candy.data(_ITEMS)))
    lines = [(f"{number:04}", f"{number:04}.jsn") for number in range(_ITEMS)]
    stage.step("lines by a stranger", candy.lines(0, lines[:1], stage.payer))
    stage.step("line too long", candy.lines(0, [("00001", "0001.jsn")]))
    stage.step("lines", candy.lines(0, lines[:6]))
    stage.step("mint before all lines are there", candy.mint(stage.key("early"), candy.authority))
    stage.step("further lines", candy.lines(6, lines[6:]))
    stage.step("lines beyond the last", candy.lines(9, lines[:3]))


def _in_sequence(stage: Stage, drawn: Candy) -> None:
    """A second machine of the collection, whose lines are given out in order."""
    candy = Candy(stage, stage.key("row"), stage.key("base 2"), drawn.collection, drawn.authority)
    lines = [(f"{number:04}", f"{number:04}.jsn") for number in range(2)]
    stage.step("in sequence: account", candy.account(len(lines)))
    data = candy.data(len(lines), prefix="Row #", sequential=True)
    stage.step("in sequence: initialize", candy.initialize(data))
    stage.step("in sequence: lines", candy.lines(0, lines))
    for number in range(len(lines)):
        mint = candy.mint(stage.key(f"row {number}"), candy.authority)
        stage.step(f"in sequence: mint {number}", mint)


def _guarded(stage: Stage, candy: Candy) -> None:
    def guards(start: int) -> bytes:
        return guard_data(
            guard_set(
                bot_tax=bot_tax(_TAX),
                sol_payment=sol_payment(_PRICE, candy.authority),
                start_date=date(start),
            )
        )

    pays = [writes(candy.authority)]
    stage.step("guards cut short", candy.initialize_guard(guards(0)[:-6]))
    stage.step("guards", candy.initialize_guard(guards(0)))
    stage.step("wrap", candy.wrap())
    stage.step("taxed: no destination", candy.guarded_mint(stage.key("nft 2")))
    stage.step("guarded mint", candy.guarded_mint(stage.key("nft 2"), pays))
    stage.step("later start", candy.update_guard(guards(10**12)))
    stage.step("taxed: not begun", candy.guarded_mint(stage.key("nft 3"), pays))
