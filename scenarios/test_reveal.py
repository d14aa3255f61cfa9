"""Opening a box: once, by the rules, and never what a client would like it to be."""

from __future__ import annotations

import pytest

from harness.faults.rpc_proxy import Kind
from harness.players.api import ApiRefusal
from harness.players.crowd import accepted, at_once
from harness.testbed import Testbed


@pytest.mark.guide("issues.metadata-not-found", "monitoring.failed-reveals")
@pytest.mark.needs("reference backend")
def test_metadata_that_is_not_there_yet(testbed: Testbed) -> None:
    """A page asks for the reveal before the mint has spread: it is told that the metadata is not
    found, and once it is there the backend's worker reveals the box by itself."""
    player = testbed.player()
    coming = testbed.expected_nft()
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(coming, wait=False)
    assert refusal.value.code == "METADATA_NOT_FOUND"
    nft = player.mint()
    assert nft == coming
    testbed.clock.sleep(30)
    testbed.backend.tick()
    assert testbed.metadata(nft).uri != testbed.config.hidden.uri
    revealed = player.reveal(nft)
    assert testbed.metadata(nft).name == revealed.skin_name


@pytest.mark.guide("monitoring.failed-reveals")
def test_revealing_twice_answers_the_same(testbed: Testbed) -> None:
    """An impatient player asks twice and gets the same skin, written on the ledger once."""
    player = testbed.player()
    nft = player.mint()
    assert player.reveal(nft) == player.reveal(nft, wait=False)


@pytest.mark.guide("testing.concurrent-reveals")
def test_a_hundred_reveals_at_once(testbed: Testbed) -> None:
    """A hundred requests for one box arrive together: whoever gets a skin gets the same one, and
    the ledger sees one rewrite."""
    player = testbed.player()
    nft = player.mint()
    testbed.clock.sleep(testbed.settings.propagation_seconds)
    answers = at_once([lambda: player.reveal(nft, wait=False)] * 100)
    revealed = accepted(answers)
    assert revealed, answers[0]
    assert len(set(revealed)) == 1
    assert player.reveal(nft) == revealed[0]


@pytest.mark.guide("testing.error-cases")
def test_a_foreign_nft_is_not_revealed(testbed: Testbed) -> None:
    """Somebody makes an NFT that looks like a box but came from no machine of ours."""
    forger = testbed.player()
    forged = forger.create_foreign_nft()
    with pytest.raises(ApiRefusal) as refusal:
        forger.reveal(forged)
    assert refusal.value.code == "FOREIGN_NFT"
    assert testbed.metadata(forged).name == "Mystery Skin #1"


@pytest.mark.guide("testing.error-cases")
def test_a_burnt_box_is_not_revealed(testbed: Testbed) -> None:
    """A player burns an unopened box: there is nothing to reveal any more, and nothing is owed."""
    player = testbed.player()
    nft = player.mint()
    player.burn(nft)
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft)
    assert refusal.value.code == "METADATA_NOT_FOUND"


@pytest.mark.needs("operator")
@pytest.mark.finds("revealed once, as recorded")
@pytest.mark.guide("issues.not-in-inventory")
def test_a_box_opened_by_hand_is_not_rolled_again(testbed: Testbed) -> None:
    """Somebody with the key has rewritten a box past the backend. The backend does not roll over
    it, it can't be sold, and the judges notice the rewrite that no row explains."""
    player = testbed.player()
    nft = player.mint()
    testbed.operator.rewrite_metadata(nft, "AWP | By Hand", "https://example.test/1")
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft)
    assert refusal.value.code == "NOT_A_MYSTERY_BOX"
    with pytest.raises(ApiRefusal) as refusal:
        player.quote(nft)
    assert refusal.value.code == "NFT_NOT_FOUND"
    assert testbed.metadata(nft).name == "AWP | By Hand"


@pytest.mark.guide("dont.trust-client")
def test_a_client_that_names_another_box(testbed: Testbed) -> None:
    """A client asks for the reveal of a dearer box than the one it bought, and is refused; the
    bought box can still be opened."""
    player = testbed.player()
    nft = player.mint()
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft, box_id="golden-box")
    assert refusal.value.code == "UNKNOWN_BOX"
    player.reveal(nft)


@pytest.mark.needs("database")
@pytest.mark.guide("issues.uri-too-long")
def test_a_name_that_does_not_fit(testbed: Testbed) -> None:
    """The catalogue holds names of more than 32 bytes: the backend says so before it sends
    anything, and reveals once the catalogue is right again."""
    player = testbed.player()
    nft = player.mint()
    testbed.books.name_skins("A name that is far too long to fit")
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft)
    assert refusal.value.code == "LABEL_TOO_LONG"
    assert testbed.metadata(nft).uri == testbed.config.hidden.uri
    testbed.books.name_skins("Short")
    testbed.clock.sleep(61)  # the backend keeps the catalogue for a minute
    player.reveal(nft)


@pytest.mark.needs("reference backend")
@pytest.mark.guide("issues.uri-too-long")
def test_a_uri_that_does_not_fit(testbed: Testbed) -> None:
    """The base of the metadata's addresses is longer than 200 bytes: refused before sending; with
    a short one the box opens."""
    player = testbed.player()
    nft = player.mint()
    testbed.backend.restart(metadata_base_uri="https://arweave.net/" + "x" * 190)
    with pytest.raises(ApiRefusal) as refusal:
        player.reveal(nft)
    assert refusal.value.code == "LABEL_TOO_LONG"
    testbed.backend.restart(metadata_base_uri="https://arweave.net/skins")
    player.reveal(nft)


@pytest.mark.needs("database")
def test_no_skin_is_left(testbed: Testbed) -> None:
    """Every skin is out of stock: the box stays closed and is opened when there are skins again;
    a stock of one is not given out twice."""
    first, second = testbed.player(), testbed.player()
    nft, other = first.mint(), second.mint()
    testbed.books.set_stock(0)
    with pytest.raises(ApiRefusal) as refusal:
        first.reveal(nft)
    assert refusal.value.code == "NO_TEMPLATE"
    assert testbed.metadata(nft).uri == testbed.config.hidden.uri
    testbed.books.set_stock(1)
    testbed.clock.sleep(61)
    assert first.reveal(nft).skin_name != second.reveal(other).skin_name


@pytest.mark.needs("operator")
@pytest.mark.finds("revealed once, as recorded")
@pytest.mark.guide("monitoring.failed-reveals")
def test_the_metadata_authority_is_lost(testbed: Testbed) -> None:
    """The update authority of a box belongs to somebody else now: the backend can't open it, says
    so, and does not claim that it did. The judges notice the change that no row explains."""
    player = testbed.player()
    nft = player.mint()
    testbed.operator.hand_over_metadata(nft, player.pubkey)
    with pytest.raises(ApiRefusal):
        player.reveal(nft)
    assert testbed.metadata(nft).uri == testbed.config.hidden.uri
    with pytest.raises(ApiRefusal) as refusal:
        player.quote(nft)
    assert refusal.value.code == "NFT_NOT_FOUND"


@pytest.mark.needs("reference backend")
@pytest.mark.guide("monitoring.failed-reveals")
@pytest.mark.testbed(rpc_weather=True)
def test_an_unknown_outcome_is_looked_up(testbed: Testbed) -> None:
    """The answer to the reveal's sending is lost on the way back. The backend looks on the ledger
    instead of sending another, and the box is opened once."""
    assert testbed.weather is not None
    player = testbed.player()
    nft = player.mint()
    testbed.weather.trouble(Kind.LOST_AFTER, "sendTransaction")
    revealed = player.reveal(nft)
    assert testbed.weather.troubled[Kind.LOST_AFTER] == 1
    assert player.reveal(nft) == revealed


@pytest.mark.guide("testing.error-cases", "do.validate-inputs", "dont.skip-validation")
@pytest.mark.parametrize(
    ("mint", "body"),
    [
        ("not-an-address", {"boxId": "mystery-box"}),
        ("1" * 200, {"boxId": "mystery-box"}),
        (None, {}),
        (None, {"boxId": ""}),
        (None, {"boxId": 7}),
        (None, {"boxId": "x" * 10_000}),
        (None, ["mystery-box"]),
        (None, None),
    ],
    ids=["no address", "too long", "no box", "empty box", "a number", "huge", "a list", "nothing"],
)
def test_nonsense_opens_nothing(testbed: Testbed, mint: str | None, body: object) -> None:
    """Requests that make no sense are refused by what is wrong with them and change nothing."""
    player = testbed.player()
    nft = player.mint()
    with pytest.raises(ApiRefusal) as refusal:
        testbed.api.send(player.name, "POST", f"/reveal/{mint or nft.mint}", body)
    assert refusal.value.status in (404, 413, 422)
    assert testbed.metadata(nft).uri == testbed.config.hidden.uri
