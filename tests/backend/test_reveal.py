"""Reveals when something goes wrong: the draw stays, the ledger decides, nothing happens twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from solana.exceptions import SolanaRpcException
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from sqlalchemy import text

from backend.adapters.ledger import Ledger
from backend.domain.errors import (
    ForeignNft,
    LabelTooLong,
    MetadataNotFound,
    NotAMysteryBox,
    NoTemplate,
    NotTheHolder,
    RevealFailed,
    RevealInProgress,
    UnknownBox,
)
from backend.domain.fairness import Proof, read_choices, repeat_roll
from backend.domain.price import StaticPrice
from backend.domain.rarity import GUIDE_ODDS
from backend.service.wiring import Services, build_services
from backend.settings import Settings
from harness.players.player import Nft
from harness.testbed import Testbed
from programs.token_metadata import client as token_metadata


class Dies(Exception):
    """Stands for a process that is gone: nothing after it runs."""


def services_of(testbed: Testbed, **changes: Any) -> Services:
    """A second backend on the testbed's ledger and database, as another process would be."""
    values = {
        "node_env": "test",
        "database_url": SecretStr(testbed.engine.url.render_as_string(hide_password=False)),
        "buyback_program_id": str(testbed.deployment.buyback_program),
        "collection_mint": str(testbed.deployment.collection_mint),
        "candy_machine_id": str(testbed.deployment.candy_machine),
        "admin_wallet_private_key": SecretStr(json.dumps(list(bytes(testbed.treasury_key)))),
        "admin_private_key": SecretStr(str(testbed.authority_key)),
        "placeholder_uri": testbed.config.hidden.uri,
        **changes,
    }
    settings = Settings(**values)
    ledger = Ledger(testbed.client, testbed.clock)
    return build_services(
        settings, testbed.engine, ledger, testbed.clock,
        randomness=testbed.seed.generator("second backend"),
        price=StaticPrice(settings.sol_price_usd),
    )  # fmt: skip


def rows(testbed: Testbed, query: str) -> list[Any]:
    with testbed.engine.begin() as connection:
        result = connection.execute(text(query))
        return list(result.all()) if result.returns_rows else []


@contextmanager
def broken(method: str, how: Callable[..., Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, method, how)
        yield


def dies(*_: Any, **__: Any) -> Any:
    raise Dies


def drawn_but_not_sent(testbed: Testbed, services: Services, nft: Nft) -> Any:
    with broken("send", dies), pytest.raises(Dies):
        services.reveals.reveal(nft.mint, testbed.box_id)
    return rows(testbed, "select skin_template_id, tx_signature, state from reveals")[0]


def test_a_draw_that_was_never_sent_is_the_one_that_is_sent_later(testbed: Testbed) -> None:
    nft, services = testbed.player().mint(), services_of(testbed)
    template, signature, state = drawn_but_not_sent(testbed, services, nft)
    assert state == "submitted"
    assert testbed.metadata(nft).name == "Mystery Skin #1"
    assert rows(testbed, "select * from user_skins") == []  # no reveal before it is on the ledger
    assert services.reveals.reveal(nft.mint, testbed.box_id).tx_signature == signature
    assert rows(testbed, "select skin_template_id from user_skins") == [(template,)]


def test_the_worker_finishes_what_a_dead_process_left(testbed: Testbed) -> None:
    nft, services = testbed.player().mint(), services_of(testbed)
    drawn_but_not_sent(testbed, services, nft)
    assert services.worker.tick() == 0  # the request may still be at it
    testbed.clock.sleep(61)
    assert services.worker.tick() == 1
    assert rows(testbed, "select state from reveals") == [("revealed",)]


def test_a_dead_blockhash_means_the_same_roll_signed_anew(testbed: Testbed) -> None:
    nft, services = testbed.player().mint(), services_of(testbed)
    template, signature, _ = drawn_but_not_sent(testbed, services, nft)
    testbed.clock.sleep(400 * 0.4)
    revealed = services.reveals.reveal(nft.mint, testbed.box_id)
    assert revealed.tx_signature != signature
    assert rows(testbed, "select skin_template_id from user_skins") == [(template,)]


def test_a_transaction_that_landed_unseen_is_never_signed_again(testbed: Testbed) -> None:
    """The answer to the broadcast is lost, the process dies, the blockhash expires, and a node
    says that it does not know the blockhash: the ledger's history still has it."""
    nft, services = testbed.player().mint(), services_of(testbed)
    with broken("fate", dies), pytest.raises(Dies):
        services.reveals.reveal(nft.mint, testbed.box_id)
    (signature,) = rows(testbed, "select tx_signature from reveals")[0]
    testbed.clock.sleep(400 * 0.4)
    assert services.reveals.reveal(nft.mint, testbed.box_id).tx_signature == signature


def test_while_the_ledger_does_not_answer_nothing_is_guessed(testbed: Testbed) -> None:
    nft, services = testbed.player().mint(), services_of(testbed)
    before = drawn_but_not_sent(testbed, services, nft)
    testbed.clock.sleep(400 * 0.4)

    def away(*_: Any, **__: Any) -> Any:
        raise SolanaRpcException(OSError("no route"), away, None, None)

    with pytest.MonkeyPatch.context() as patch:
        for method in ("get_signature_statuses", "get_epoch_info", "send_raw_transaction"):
            patch.setattr(type(testbed.client), method, away)
        with pytest.raises(RevealFailed):
            services.reveals.reveal(nft.mint, testbed.box_id)
    assert rows(testbed, "select skin_template_id, tx_signature, state from reveals") == [before]
    services.reveals.reveal(nft.mint, testbed.box_id)


def test_an_nft_whose_metadata_is_late_is_revealed_by_the_worker(testbed: Testbed) -> None:
    services, late = services_of(testbed), testbed.seed.keypair("nft-1").pubkey()
    with pytest.raises(MetadataNotFound):
        services.reveals.reveal(late, testbed.box_id)
    assert rows(testbed, "select state, skin_template_id from reveals") == [("pending", None)]
    nft = testbed.player().mint()
    assert nft.mint == late
    testbed.clock.sleep(10)
    assert services.worker.tick() == 1
    assert rows(testbed, "select state from reveals") == [("revealed",)]
    assert testbed.metadata(nft).name != "Mystery Skin #1"


def test_an_nft_that_never_appears_is_forgotten(testbed: Testbed) -> None:
    services = services_of(testbed)
    with pytest.raises(MetadataNotFound):
        services.reveals.reveal(Keypair.from_seed(b"n" * 32).pubkey(), testbed.box_id)
    waits = []
    for _ in range(40):
        due = rows(testbed, "select next_try_at from reveals")
        if not due:
            break
        waits.append((due[0][0] - testbed.clock.now()).total_seconds())
        testbed.clock.sleep(max(waits[-1], 0) + 0.001)
        services.worker.tick()
    assert rows(testbed, "select * from reveals") == []
    assert waits == sorted(waits)
    assert len(waits) == 13
    assert waits[-1] <= 300


@pytest.mark.unjudged  # burnt and not paid for, as judges do not expect
def test_a_box_that_is_burnt_before_its_reveal_fails_for_good(testbed: Testbed) -> None:
    """Its holder burns it between draw and broadcast: nothing owed, the limited skin is back."""
    rows(testbed, "update skin_templates set stock = 1")
    player = testbed.player()
    nft, services = player.mint(), services_of(testbed)
    (template, _, _) = drawn_but_not_sent(testbed, services, nft)
    assert rows(testbed, f"select stock from skin_templates where id = {template}") == [(0,)]
    burn = token_metadata_burn(player.pubkey, nft.mint, testbed.deployment.collection_mint)
    assert testbed.submit("player-1", "burn", [burn], [player.keypair]).receipt is not None
    testbed.clock.sleep(400 * 0.4)
    for _ in range(2):
        with pytest.raises(RevealFailed, match="not be revealed any more"):
            services.reveals.reveal(nft.mint, testbed.box_id)
    assert rows(testbed, f"select stock from skin_templates where id = {template}") == [(1,)]
    assert rows(testbed, "select state from reveals") == [("failed",)]
    assert rows(testbed, "select * from obligations") == []


def token_metadata_burn(owner: Pubkey, mint: Pubkey, collection: Pubkey) -> Any:
    """Token Metadata's BurnNft, as any wallet can send it."""
    from solders.instruction import AccountMeta, Instruction

    from programs.addresses import TOKEN, associated_token_address

    def meta(address: Pubkey, signer: bool = False) -> AccountMeta:
        return AccountMeta(address, signer, True)

    return Instruction(
        token_metadata.PROGRAM_ID,
        bytes([29]),
        [
            meta(token_metadata.metadata_address(mint)),
            meta(owner, True),
            meta(mint),
            meta(associated_token_address(owner, mint)),
            meta(token_metadata.edition_address(mint)),
            AccountMeta(TOKEN, False, False),
            meta(token_metadata.metadata_address(collection)),
        ],
    )


def test_a_limited_skin_is_given_out_as_often_as_there_are(testbed: Testbed) -> None:
    """Two of each skin are left and one tier is all there is: the eleventh box finds none."""
    rows(testbed, "update skin_templates set stock = 0")
    rows(testbed, "update skin_templates set stock = 2 where rarity = 'Common'")
    count = rows(testbed, "select sum(stock) from skin_templates")[0][0]
    odds = {"Common": "1"}
    machine = str(testbed.deployment.candy_machine)
    boxes = json.dumps([{"id": testbed.box_id, "candy_machine": machine, "odds": odds}])
    services = services_of(testbed, boxes=boxes)
    player = testbed.player(lamports=10**10)
    names = Counter(
        services.reveals.reveal(player.mint().mint, testbed.box_id).skin_name for _ in range(count)
    )
    assert set(names.values()) == {2}
    assert rows(testbed, "select sum(stock) from skin_templates") == [(0,)]
    late = player.mint()
    with pytest.raises(NoTemplate):
        services.reveals.reveal(late.mint, testbed.box_id)
    assert rows(testbed, f"select * from reveals where nft_mint = '{late.mint}'") == []
    rows(testbed, "update skin_templates set stock = 1 where rarity = 'Common'")
    testbed.clock.sleep(61)
    services.reveals.reveal(late.mint, testbed.box_id)


def test_the_machine_decides_which_box_it_is(testbed: Testbed) -> None:
    """A player calls a plain box a golden one, and a golden machine's name buys nothing."""
    machine = str(testbed.deployment.candy_machine)
    boxes = [
        {"id": testbed.box_id, "candy_machine": machine},
        {"id": "golden", "candy_machine": str(testbed.deployment.treasury), "odds": {"Epic": "1"}},
    ]
    services, nft = services_of(testbed, boxes=json.dumps(boxes)), testbed.player().mint()
    for _ in range(2):
        with pytest.raises(UnknownBox):
            services.reveals.reveal(nft.mint, "golden")
        if rows(testbed, "select * from reveals") == []:
            services.reveals.reveal(nft.mint, testbed.box_id)


def test_only_our_own_boxes_are_revealed(testbed: Testbed) -> None:
    """A member of the collection that no machine of ours minted is no box, whatever it shows."""
    services = services_of(testbed)
    authority, mint = testbed.authority_key, Keypair.from_seed(b"m" * 32)
    rent = testbed.client.get_minimum_balance_for_rent_exemption(token_metadata.MINT_BYTES).value
    create = token_metadata.create_nft(
        authority=authority.pubkey(), owner=authority.pubkey(), mint=mint.pubkey(), name="Fake",
        symbol="SKIN", uri=testbed.config.hidden.uri, seller_fee_basis_points=0,
        rent_lamports=rent, collection=testbed.deployment.collection_mint,
    )  # fmt: skip
    assert testbed.submit("operator", "forge", create, [authority, mint]).receipt is not None
    with pytest.raises(ForeignNft):
        services.reveals.reveal(mint.pubkey(), testbed.box_id)
    wrong = services_of(testbed, placeholder_uri="https://example.org/other")
    with pytest.raises(NotAMysteryBox):
        wrong.reveals.reveal(testbed.player().mint().mint, testbed.box_id)


def test_only_its_holder_may_have_it_revealed_once_people_sign_in(testbed: Testbed) -> None:
    owner, stranger, services = testbed.player(), testbed.player(), services_of(testbed)
    nft = owner.mint()
    with pytest.raises(NotTheHolder):
        services.reveals.reveal(nft.mint, testbed.box_id, caller=stranger.pubkey)
    services.reveals.reveal(nft.mint, testbed.box_id, caller=owner.pubkey)


@pytest.mark.parametrize(
    ("change", "uri"),
    [("weapon = repeat('x', 30)", "https://a.b"), ("weight = 1", "https://" + "x" * 195)],
)
def test_labels_that_the_ledger_would_refuse_are_never_sent(
    testbed: Testbed, change: str, uri: str
) -> None:
    rows(testbed, f"update skin_templates set {change}, stock = 5")
    services = services_of(testbed, metadata_base_uri=uri)
    with pytest.raises(LabelTooLong):
        services.reveals.reveal(testbed.player().mint().mint, testbed.box_id)
    assert rows(testbed, "select * from reveals") == []
    assert rows(testbed, "select min(stock) from skin_templates") == [(5,)]


def test_a_fair_roll_can_be_repeated_by_anybody(testbed: Testbed) -> None:
    """Commit, roll five times, disclose: each roll follows from the seeds, and from no others."""
    rows(testbed, "update skin_templates set stock = 1, weight = id")
    services, player = services_of(testbed, provably_fair=True), testbed.player()
    published = services.fairness.rotate()[0]
    for number in range(5):
        services.reveals.reveal(player.mint().mint, testbed.box_id, client_seed=f"mine {number}")
    disclosed = services.fairness.rotate()[1]
    assert disclosed is not None
    draws = rows(
        testbed,
        "select r.nonce, r.client_seed, r.choices, t.rarity, t.id from reveals r"
        " join skin_templates t on t.id = r.skin_template_id order by r.nonce",
    )
    assert [draw[0] for draw in draws] == list(range(5))
    for nonce, client_seed, choices, tier, template in draws:
        proof = Proof(published, client_seed, nonce, GUIDE_ODDS, read_choices(choices))
        assert repeat_roll(proof, disclosed) == (tier, template)
    with pytest.raises(ValueError, match="does not match"):
        repeat_roll(proof, b"another seed")


def test_without_a_seed_of_the_players_the_nft_is_the_seed(testbed: Testbed) -> None:
    """The worker commits to a seed of the server's before the first roll, once."""
    services, nft = services_of(testbed, provably_fair=True), testbed.player().mint()
    with pytest.raises(RevealInProgress, match="No server seed"):
        services.reveals.reveal(nft.mint, testbed.box_id)
    for _ in range(2):
        services.worker.tick()
    assert rows(testbed, "select count(*) from server_seeds") == [(1,)]
    services.reveals.reveal(nft.mint, testbed.box_id)
    assert rows(testbed, "select client_seed from reveals") == [(str(nft.mint),)]
