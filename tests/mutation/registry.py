"""Which defect each scenario must see: one way of breaking its subject, for every story.

A smoke detector is tested with smoke. Each mutation breaks one thing, in the backend, in a call of
a program, or in what an operator does; each scenario is played with its mutation and has to fail.
`python -m pytest -p tests.mutation.plugin scenarios` plays them all (see docs/gate.md).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

Apply = Callable[[Any], contextlib.AbstractContextManager[Any]]


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One defect. `apply(scenario module)` breaks and, on leaving, mends."""

    name: str
    apply: Apply
    stories: tuple[str, ...]


def _found(path: str) -> tuple[Any, str]:
    """The owner and the attribute behind `package.module:Class.attribute`."""
    module, _, inside = path.partition(":")
    owner = importlib.import_module(module)
    *steps, last = inside.split(".")
    for step in steps:
        owner = getattr(owner, step)
    return owner, last


def put(path: str, value: object) -> Apply:
    """Replace an attribute."""

    def apply(_: Any) -> Any:
        owner, name = _found(path)
        return mock.patch.object(owner, name, value)

    return apply


def wrap(path: str, change: Callable[..., object]) -> Apply:
    """Replace a function by `change(original, *its arguments)`."""

    def apply(_: Any) -> Any:
        owner, name = _found(path)
        original = getattr(owner, name)

        def changed(*arguments: Any, **named: Any) -> object:
            return change(original, *arguments, **named)

        return mock.patch.object(owner, name, changed)

    return apply


def in_scenario(name: str, value: object) -> Apply:
    """Replace what the scenario's own module calls by a name."""
    return lambda module: mock.patch.object(module, name, value)


def nothing(*_: object, **__: object) -> None:
    """Does not do what it should."""


@contextmanager
def _unrecorded(_: Any) -> Iterator[None]:
    """The payment is answered and never entered, here and in processes of their own."""
    from backend.service.buyback import BuybackService, Paid

    def forget(_: Any, quote: Any) -> Paid:
        return Paid(quote.tx_signature, quote.amount_lamports)

    with (
        mock.patch.object(BuybackService, "_record", forget),
        mock.patch.object(BuybackService, "repair", return_value=False),
        in_child_processes("unrecorded"),
    ):
        yield


@contextmanager
def _drawn_anew(_: Any) -> Iterator[None]:
    """What was drawn before is not looked for, here and in processes of their own."""
    from backend.service.reveal import RevealService

    with mock.patch.object(RevealService, "find", nothing), in_child_processes("drawn anew"):
        yield


@contextmanager
def in_child_processes(name: str) -> Iterator[None]:
    """Break processes that are started meanwhile, too: see site/sitecustomize.py."""
    import os
    from pathlib import Path

    site = str(Path(__file__).with_name("site"))
    root = str(Path(__file__).parent.parent.parent)
    values = {"TESTBED_MUTATION": name, "PYTHONPATH": os.pathsep.join([site, root])}
    with mock.patch.dict(os.environ, values):
        yield


def _dearer(original: Any, *amounts: Any) -> int:
    return int(original(*amounts)) + 1


def _without_guards(original: Any, self: Any) -> bytes:
    bare = dataclasses.replace(self, bot_tax=None, start_date=None, mint_limit=None)
    return bytes(original(bare))


def _free(original: Any, self: Any) -> bytes:
    payment = self.sol_payment and dataclasses.replace(self.sol_payment, lamports=0)
    return bytes(original(dataclasses.replace(self, sol_payment=payment)))


def _more_boxes(original: Any, *arguments: Any, **named: Any) -> Any:
    return original(*arguments, **{**named, "items_available": named["items_available"] + 20})


def _appending(original: Any, self: Any, instructions: Any, owner: Any) -> Any:
    return original(dataclasses.replace(self, adds_guard=True), instructions, owner)


def _signing(original: Any, self: Any, instructions: Any, owner: Any) -> Any:
    return original(dataclasses.replace(self, declines=False), instructions, owner)


def _usual_machine(original: Any, *, machine: Any, payer: Any, mint: Any) -> Any:
    return original(machine=_HONEST[0] if _HONEST else machine, payer=payer, mint=mint)


_HONEST: list[Any] = []


def _remembering(original: Any, *arguments: Any, **named: Any) -> Any:
    deployment = original(*arguments, **named)
    _HONEST[:] = [deployment.machine]
    return deployment


@contextmanager
def _cheats_fail_to_cheat(module: Any) -> Iterator[None]:
    """Whatever machine a cheat names, the mint is made from the honest one."""
    with (
        wrap("harness.opening:deploy", _remembering)(module),
        wrap("programs.candy_guard.client:mint", _usual_machine)(module),
    ):
        yield


def _endless(counters: Any, key: str, window_seconds: int) -> tuple[int, float]:
    count = counters._kept.get(key, (0, 0.0))[0] + 1
    counters._kept[key] = (count, 0.0)
    return count, counters._clock.now().timestamp() + window_seconds


def _roomy(original: Any, *arguments: Any, **named: Any) -> Any:
    return original(*arguments, **{**named, "compute_units_limit": 800_000})


@contextmanager
def _public_operators(module: Any) -> Iterator[None]:
    def opened(original: Any, *arguments: Any) -> Any:
        router = original(*arguments)
        router.get("/payouts")(lambda: [{"amount_lamports": 1}])
        return router

    with wrap("backend.api.app:operations_routes", opened)(module):
        yield


def _telling(original: Any, self: Any) -> str:
    return str(original(self)) + self.secrets[0]


def _another_amount(original: Any, quote: Any) -> dict[str, Any]:
    """Each answer names another amount than the one before."""
    return {**original(quote), "buyback_amount_lamports": str(next(_AMOUNTS))}


_AMOUNTS = itertools.count(1)


def _down_to_nothing(original: Any, url: str, _: str) -> None:
    original(url, "base")


def _unchecked(original: Any, self: Any, mint: Any, *_: Any) -> Any:
    from backend.service.reveal import _parsed
    from programs.token_metadata import client as token_metadata

    return _parsed(self.ledger.accounts([token_metadata.metadata_address(mint)])[0])


def _opened_all_the_same(original: Any, self: Any, mint: Any, *rest: Any, **named: Any) -> Any:
    from backend.domain.errors import MetadataNotFound
    from backend.service.reveal import Revealed

    try:
        return original(self, mint, *rest, **named)
    except MetadataNotFound:
        return Revealed(str(mint), "AK-47 | Redline", "Common", "https://x.test/1", "1" * 64)


def _cut_to_fit(
    original: Any, self: Any, metadata: Any, name: str, uri: str, blockhash: Any
) -> Any:
    short = name.encode()[:32].decode(errors="ignore")
    return original(self, metadata, short, uri[:200], blockhash)


@contextmanager
def _labels_cut(module: Any) -> Iterator[None]:
    with (
        put("backend.service.reveal:NAME_BYTES_MAX", 10**6)(module),
        put("backend.service.reveal:URI_BYTES_MAX", 10**6)(module),
        wrap("backend.service.reveal:RevealService._transaction", _cut_to_fit)(module),
    ):
        yield


def _out_of_nothing(original: Any, self: Any) -> Any:
    from types import SimpleNamespace

    from backend.domain.rarity import GUIDE_ODDS

    skin = SimpleNamespace(id=1, title="AK-47 | Redline", weight=1, limited=False)
    return original(self) or {tier: [skin] for tier, _ in GUIDE_ODDS.tiers}


def _priced_by_guess(original: Any, self: Any, mint: Any) -> Any:
    from decimal import Decimal
    from types import SimpleNamespace

    from backend.domain.errors import NftNotFound

    try:
        return original(self, mint)
    except NftNotFound:
        return SimpleNamespace(price_usd=Decimal(1), paid_before=0, live_quote_id=None)


def _called_paid(original: Any, self: Any, mint: Any, wallet: Any, transaction: Any) -> Any:
    """Whatever is refused is sent as it is, and called paid."""
    from backend.domain.errors import MissingSignature, QuoteExpired, TransactionMismatch
    from backend.service.buyback import Paid

    try:
        return original(self, mint, wallet, transaction)
    except (MissingSignature, QuoteExpired, TransactionMismatch):
        with contextlib.suppress(Exception):
            self.ledger.send(bytes(transaction), 0)
        return Paid(str(transaction.signatures[0]), 1)


def _only_the_rarest(_: Any, self: Any, randomness: Any) -> str:
    randomness.random()
    return str(self.tiers[-1][0])


MUTATIONS = (
    Mutation(
        "nobody waits for the metadata",
        wrap("harness.players.player:Player.reveal",
             lambda original, self, nft, **_: original(self, nft, wait=False)),
        ("test_a_reveal_waits_for_the_metadata_to_spread",),
    ),
    Mutation(
        "blockhashes never die",
        put("harness.ledger.embedded.chain:Chain.is_blockhash_valid", lambda *_: True),
        ("test_a_blockhash_expires_after_its_slots",),
    ),
    Mutation(
        "the ledger forgets what it has run",
        put("harness.ledger.embedded.history:History.__contains__", lambda *_: False),
        ("test_lost_bytes_are_sent_again_and_land_once",),
    ),
    Mutation(
        "the payment is never sent",
        in_scenario("_send", lambda _, transaction: transaction.signatures[0]),
        ("test_a_transaction_climbs_through_the_commitment_levels",),
    ),
    Mutation(
        "the treasury signs whatever the user signed",
        put("backend.service.buyback:check_message", nothing),
        ("test_a_nonce_account_keeps_a_sale_alive[user first]",),
    ),
    Mutation(
        "every box holds a Legendary", wrap("backend.domain.rarity:Odds.roll", _only_the_rarest),
        (
            "test_the_reveal_keeps_its_promise", "test_two_box_types_keep_a_promise_each",
            "test_nights_together_do_not_refute_the_roll",
        ),
    ),
    Mutation(
        "every payout is a lamport too much",
        wrap("backend.service.buyback:to_lamports", _dearer),
        (
            "test_one_life_cycle", "test_several_players_sell_or_keep", "test_many_wallets_at_once",
            "test_a_keeper_sells_after_a_year", "test_the_exact_amount",
            "test_a_whole_life_with_the_wallet", "test_the_price_moves_between_quote_and_confirm",
            "test_the_rate_is_changed_live", "test_the_minimum_balance_is_never_touched",
            "test_a_wallet_that_disconnects_midway", "test_a_skin_that_is_listed_on_a_market",
            "test_open_quotes_never_promise_more_than_there_is",
            "test_a_skin_sold_on_between_request_and_confirm",
        ),
    ),
    Mutation(
        "nobody looks who holds the NFT",
        put("backend.service.buyback:holds", lambda *_: True),
        (
            "test_a_box_given_away_unopened", "test_a_skin_sold_on_before_the_buyback",
            "test_somebody_else_cannot_sell_it", "test_a_bots_pattern_is_seen",
        ),
    ),
    Mutation(
        "what was drawn is drawn again", _drawn_anew,
        (
            "test_revealing_twice_answers_the_same", "test_a_hundred_reveals_at_once",
            "test_an_unknown_outcome_is_looked_up", "test_killed_while_revealing",
        ),
    ),
    Mutation(
        "any NFT passes for a box",
        wrap("backend.service.reveal:RevealService._mystery_box", _unchecked),
        ("test_a_foreign_nft_is_not_revealed", "test_a_box_opened_by_hand_is_not_rolled_again"),
    ),
    Mutation(
        "a box that is gone is opened all the same",
        wrap("backend.service.reveal:RevealService.reveal", _opened_all_the_same),
        ("test_a_burnt_box_is_not_revealed",),
    ),
    Mutation(
        "the authority is not handed over",
        put("harness.players.operator:Operator.hand_over_metadata", nothing),
        ("test_the_metadata_authority_is_lost",),
    ),
    Mutation(
        "the minimum is not set",
        put("harness.players.operator:Operator.set_min_treasury", nothing),
        ("test_the_minimum_balance_is_never_touched[one below]",),
    ),
    Mutation(
        "a body that is too large is a server error",
        put("backend.domain.errors:BodyTooLarge.status", 500),
        ("test_nonsense_pays_nothing[confirm-change5]",),
    ),
    Mutation(
        "nothing is frozen", put("harness.players.holdings:freeze", nothing),
        ("test_a_skin_that_is_listed_on_a_market[listed and frozen]",),
    ),
    Mutation(
        "any box name will do",
        wrap("backend.domain.boxes:Boxes.named", lambda _, self, __: next(iter(self))),
        ("test_a_client_that_names_another_box",),
    ),
    Mutation(
        "labels are cut to fit",
        _labels_cut,
        ("test_a_name_that_does_not_fit", "test_a_uri_that_does_not_fit"),
    ),
    Mutation(
        "what is out of stock is given out",
        wrap("backend.service.reveal:RevealService._by_tier", _out_of_nothing),
        ("test_no_skin_is_left",),
    ),
    Mutation(
        "nonsense is a server error", put("backend.domain.errors:InvalidInput.status", 500),
        ("test_nonsense_opens_nothing", "test_nonsense_pays_nothing"),
    ),
    Mutation(
        "pausing does nothing", put("harness.players.operator:Operator.pause", nothing),
        ("test_paused_buybacks_are_refused", "test_a_pause_between_request_and_confirm_holds"),
    ),
    Mutation(
        "payments are not recorded", _unrecorded,
        (
            "test_a_sale_is_paid_once", "test_confirming_twice_at_the_same_moment",
            "test_two_quotes_for_one_skin", "test_killed_while_paying",
            "test_a_payment_is_lost_on_the_way", "test_the_audit_of_payouts_cannot_be_changed",
            "test_a_sale_that_is_asked_of_both_versions", "test_failures_are_counted",
            "test_the_player_broadcasts_the_sale[confirms later]",
        ),
    ),
    Mutation(
        "an unknown skin is priced by guess",
        wrap("backend.service.buyback:BuybackService._sellable", _priced_by_guess),
        ("test_an_unopened_box_cannot_be_sold",),
    ),
    Mutation(
        "a worthless skin is paid a lamport",
        wrap("backend.service.buyback:to_lamports", lambda original, *of: max(original(*of), 1)),
        ("test_an_amount_that_rounds_to_nothing",),
    ),
    Mutation(
        "what is refused is sent as it is, and called paid",
        wrap("backend.service.buyback:BuybackService.confirm", _called_paid),
        (
            "test_a_quote_dies", "test_a_quote_dies_with_its_blockhash",
            "test_a_hardware_wallet_that_is_too_slow",
            "test_a_nonce_account_keeps_a_sale_alive",
            "test_a_tampered_transaction", "test_an_extra_instruction_is_smuggled_in",
            "test_a_durable_nonce_instead_of_a_blockhash", "test_another_signer",
            "test_a_different_transaction_altogether",
            "test_a_wallet_that_meddles_with_a_signed_transaction",
        ),
    ),
    Mutation(
        "every answer names another amount",
        wrap("backend.api.answers:quote_fields", _another_amount),
        ("test_a_client_that_states_its_own_amount",),
    ),
    Mutation(
        "the worker does nothing", put("backend.service.worker:Worker.tick", nothing),
        (
            "test_the_player_broadcasts_the_sale", "test_a_wallet_that_sends_itself",
            "test_a_restored_backup_is_reconciled_with_the_ledger",
            "test_rows_that_drifted_are_repaired", "test_metadata_that_is_not_there_yet",
        ),
    ),
    Mutation(
        "the machine has more boxes than it says", wrap("harness.opening:deploy", _more_boxes),
        ("test_the_machine_sells_out", "test_a_race_for_the_last_box"),
    ),
    Mutation(
        "guards are left out",
        wrap("programs.candy_guard.client:Guards.encode", _without_guards),
        (
            "test_a_bot_is_taxed", "test_a_wallet_that_appends_a_guard_is_taxed",
            "test_before_the_go_live_date", "test_a_mint_limit_holds",
            "test_a_forgotten_destination_is_missing_remaining_account",
        ),
    ),
    Mutation(
        "boxes cost nothing", wrap("programs.candy_guard.client:Guards.encode", _free),
        ("test_a_poor_wallet_mints_nothing",),
    ),
    Mutation(
        "lastInstruction stays on",
        put("harness.players.operator:Operator.allow_instructions_after_mint", nothing),
        ("test_without_last_instruction_more_may_follow",),
    ),
    Mutation(
        "every wallet appends an instruction",
        wrap("harness.players.wallets:Wallet.dress", _appending),
        ("test_a_priority_fee_is_no_reason_for_the_tax",),
    ),
    Mutation(
        "every mint asks for 800,000 units", wrap("harness.testbed:sign", _roomy),
        ("test_too_small_a_compute_budget",),
    ),
    Mutation(
        "cheats mint from the honest machine", _cheats_fail_to_cheat,
        (
            "test_another_collection_than_the_machines",
            "test_paying_oneself_instead_of_the_treasury",
        ),
    ),
    Mutation(
        "nobody can decline", wrap("harness.players.wallets:Wallet.dress", _signing),
        ("test_a_user_who_declines",),
    ),
    Mutation(
        "nobody asks who is calling", put("backend.api.routes:caller_of", nothing),
        ("test_nobody_acts_without_signing_in", "test_a_stranger_opens_and_sells_nothing"),
    ),
    Mutation(
        "no token is looked at",
        put("backend.access.tokens:AccessTokens.caller", lambda *_: (None, None)),
        ("test_a_forged_or_expired_token",),
    ),
    Mutation(
        "a refresh token that is used twice signs nobody out",
        put("backend.access.sign_in:SignIn.sign_out", lambda *_: False),
        ("test_a_refresh_token_is_used_once",),
    ),
    Mutation(
        "every hop of a proxy header is believed",
        put("backend.api.limits:Proxies.caller", lambda _, peer, forwarded: forwarded or peer),
        ("test_a_spoofed_proxy_header_gets_no_fresh_limit",),
    ),
    Mutation(
        "no proxy is believed",
        put("backend.api.limits:Proxies.caller", lambda _, peer, __: peer),
        ("test_a_trusted_proxy_speaks_for_its_clients",),
    ),
    Mutation(
        "limits never end",
        put("backend.api.limits:Counters.count", _endless),
        ("test_limits_and_their_reset",),
    ),
    Mutation(
        "every page may call",
        put("starlette.middleware.cors:CORSMiddleware.is_allowed_origin", lambda *_: True),
        ("test_only_our_pages_may_call",),
    ),
    Mutation("operators' routes are public", _public_operators, ("test_no_admin_route_is_public",)),
    Mutation(
        "a key stands in the log", wrap("harness.backend_server:BackendServer.log_text", _telling),
        ("test_secrets_are_nowhere",),
    ),
    Mutation(
        "nothing is sound", in_scenario("check_configuration", lambda _: (2, [])),
        ("test_a_sound_configuration_is_taken",),
    ),
    Mutation(
        "everything is sound",
        in_scenario("check_configuration", lambda _: (0, ["the configuration is sound"])),
        ("test_an_unsound_configuration_is_refused",),
    ),
    Mutation(
        "an .env file is tracked",
        lambda module: mock.patch.object(
            module.subprocess,
            "run",
            return_value=mock.Mock(returncode=0, stdout=".env\n"),
        ),
        ("test_no_environment_file_is_in_the_repository",),
    ),
    Mutation(
        "a price never gets old",
        wrap("backend.adapters.price_feed:PriceFeed.payout_price",
             lambda _, self: self._taken.usd + self._taken.confidence_usd),
        ("test_a_stale_or_failing_oracle_stops_payouts",),
    ),
    Mutation(
        "a lost database is a server error",
        put("backend.adapters.database:_answering", contextlib.nullcontext),
        ("test_the_database_crashes_and_comes_back",),
    ),
    Mutation(
        "429s are not counted", put("backend.api.metrics:Metrics.rpc_answered", nothing),
        ("test_the_rpc_is_over_its_limit",),
    ),
    Mutation(
        "migrating down loses the data", wrap("harness.testbed:remigrate", _down_to_nothing),
        ("test_the_schema_goes_down_and_up_with_its_data",),
    ),
    Mutation(
        "no gauge is shown", put("backend.api.probes:Probes.gauges", lambda _: {}),
        ("test_a_low_treasury_is_seen", "test_the_connection_pool_is_watched_and_not_exhausted"),
    ),
    Mutation(
        "always ready", put("backend.api.probes:Seen.ready", True),
        ("test_readiness_tells_what_is_missing",),
    ),
    Mutation(
        "the treasury is not filled up",
        put("harness.players.operator:Operator.fund_treasury", nothing),
        ("test_a_treasury_that_was_filled_up_pays_again",),
    ),
    Mutation(
        "the treasury is not migrated",
        put("harness.players.release:Release.migrate_treasury", nothing),
        ("test_the_upgrade_path_step_by_step",),
    ),
    Mutation(
        "nobody is led over", in_scenario("roll_out", lambda *_: 0),
        ("test_a_gradual_rollout_with_both_versions_live",),
    ),
    Mutation(
        "the second version is not paused", put("harness.players.release:Release.pause", nothing),
        ("test_the_upgrade_is_rolled_back",),
    ),
)  # fmt: skip


def mutation_of(name: str, story: str) -> Mutation | None:
    """The mutation for a test's name, with its parameters first, or for the whole story."""
    found = by_story()
    return found.get(name) or found.get(story)


def by_story() -> dict[str, Mutation]:
    """The mutation of each story, or of one of its variants. Raises ValueError if it has two."""
    found: dict[str, Mutation] = {}
    for mutation in MUTATIONS:
        for story in mutation.stories:
            if story in found:
                raise ValueError(f"{story} has two mutations")
            found[story] = mutation
    return found
