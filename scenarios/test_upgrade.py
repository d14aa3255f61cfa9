"""The upgrade rehearsed: a second program beside the first, rolled out bit by bit, and back."""

from __future__ import annotations

from functools import partial

import pytest

from harness.players.api import ApiRefusal
from harness.players.crowd import at_once
from harness.players.release import Release, roll_out
from harness.testbed import Testbed

pytestmark = pytest.mark.needs("operator", "reference backend", "embedded ledger")


def _ready_release(testbed: Testbed) -> Release:
    """The second version, deployed, initialised and with half of what the first can spend."""
    balance = testbed.balance_lamports(testbed.deployment.treasury)
    half = (balance - testbed.min_treasury_lamports) // 2
    release = Release(testbed)
    release.deploy()
    release.initialise(min_treasury_lamports=half // 4)
    release.migrate_treasury(half)
    return release


@pytest.mark.guide(
    "upgrade.deploy-version", "upgrade.new-config", "upgrade.migrate-treasury",
    "upgrade.switch-program-id",
)  # fmt: skip
def test_the_upgrade_path_step_by_step(testbed: Testbed) -> None:
    """Deploy, initialise, migrate, switch BUYBACK_PROGRAM_ID: before, the old treasury pays;
    after, the new one; a sale that was signed before the switch is still paid by the old."""
    player = testbed.player()
    skins = [player.mint() for _ in range(3)]
    for nft in skins:
        player.reveal(nft)
    player.sell(skins[0])
    release = _ready_release(testbed)
    signed = player.sign(player.request_buyback(skins[1]))
    old = testbed.balance_lamports(testbed.deployment.treasury)
    player.confirm_buyback(skins[1], signed)
    assert testbed.balance_lamports(testbed.deployment.treasury) < old
    with release.backend() as new:
        player.api = new
        before = testbed.balance_lamports(release.treasury.pubkey())
        quoted = player.quote(skins[2]).lamports
        player.sell(skins[2])
        assert testbed.balance_lamports(release.treasury.pubkey()) == before - quoted


@pytest.mark.guide("upgrade.gradual-rollout")
def test_a_gradual_rollout_with_both_versions_live(testbed: Testbed) -> None:
    """None, half, all of eight players are led to the new version, selling all the while, at the
    same moment on both. Every skin is paid once, by the treasury of the version that sold it."""
    release = _ready_release(testbed)
    players = [testbed.player() for _ in range(8)]
    with release.backend() as new:
        moved = []
        for percent in (0, 50, 100):
            moved.append(roll_out(players, percent, new, testbed.api))
            skins = [player.mint() for player in players]
            for player, nft in zip(players, skins, strict=True):
                player.reveal(nft)
            at_once([partial(who.sell, nft) for who, nft in zip(players, skins, strict=True)])
            assert not [nft for nft in skins if testbed.exists(nft)]
        assert moved[0] == 0
        assert moved[2] == 8
        assert moved[0] <= moved[1] <= moved[2]


@pytest.mark.guide("upgrade.gradual-rollout", "upgrade.switch-program-id")
def test_a_sale_that_is_asked_of_both_versions(testbed: Testbed) -> None:
    """A player asks the old version and the new one for the same skin and hands in whatever it
    got, at the same moment: one payment in all."""
    release = _ready_release(testbed)
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    twin = testbed.player_again(player)
    with release.backend() as new:
        twin.api = new
        first = player.sign(player.request_buyback(nft))
        try:
            second = twin.sign(twin.request_buyback(nft))
        except ApiRefusal:
            second = first
        at_once(
            [
                partial(player.confirm_buyback, nft, first),
                partial(twin.confirm_buyback, nft, second),
            ]
        )
    testbed.clock.sleep(120)
    testbed.backend.tick()
    assert testbed.books.records(nft) == 1


@pytest.mark.guide("upgrade.gradual-rollout", "upgrade.migrate-treasury")
def test_the_upgrade_is_rolled_back(testbed: Testbed) -> None:
    """The new version misbehaves: it is paused, players are led back, its treasury is migrated
    back, and the old version pays as before. Nothing that was sold is sold again."""
    release = _ready_release(testbed)
    player = testbed.player()
    skins = [player.mint() for _ in range(2)]
    for nft in skins:
        player.reveal(nft)
    with release.backend() as new:
        player.api = new
        player.sell(skins[0])
        release.pause()
        with pytest.raises(ApiRefusal) as refusal:
            player.request_buyback(skins[1])
        assert refusal.value.code == "BUYBACK_DISABLED"
    assert not release.enabled()
    player.api = testbed.api
    release.migrate_treasury(testbed.balance_lamports(release.treasury.pubkey()), back=True)
    player.sell(skins[1])
    with pytest.raises(ApiRefusal) as refusal:
        player.quote(skins[0])
    assert refusal.value.code == "ALREADY_BOUGHT_BACK"
