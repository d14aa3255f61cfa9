"""Reveal: turn a mystery box into a skin, exactly once.

Like drawing a sealed envelope: the draw is entered in the book, with the signed transaction that
will publish it, before anything is sent. Whoever asks again, after a crash or by impatience, gets
the envelope that was drawn. No lock is held while the ledger is asked: a row moves only if it
still is what the mover saw, so processes may race and one of them wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from solders.account import Account
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from backend.adapters.clock import Clock
from backend.adapters.ledger import Ledger
from backend.adapters.reveal_rows import (
    AlreadyDrawn,
    DrawRows,
    FairNonce,
    RevealRows,
    StoredReveal,
    Template,
)
from backend.domain.boxes import Box, Boxes
from backend.domain.errors import (
    ForeignNft,
    LabelTooLong,
    MetadataNotFound,
    NotAMysteryBox,
    NoTemplate,
    NotTheHolder,
    Refusal,
    RevealFailed,
    RevealInProgress,
    UnknownBox,
)
from backend.domain.fairness import FairRandomness, choices_text
from backend.domain.fate import Fate
from backend.domain.rarity import Randomness, pick
from backend.domain.reveal_state import Shown, State, Step, next_step, wait_seconds
from backend.service.holding import holds
from backend.service.templates import Templates
from backend.settings import Settings
from programs.addresses import associated_token_address
from programs.token_metadata import client as token_metadata

_METADATA_TRIES = 5
_METADATA_WAIT_SECONDS = 2.0
#: How long a request may be at it before the worker takes its reveal for abandoned.
_LEASE_SECONDS = 60.0
_DUE_MAX = 20
_SIGNINGS_MAX = 2  # within one call: as stored, then once anew


@dataclass(frozen=True)
class Revealed:
    """A revealed NFT, as the guide's answer has it."""

    nft_mint: str
    skin_name: str
    skin_rarity: str
    metadata_uri: str
    tx_signature: str


@dataclass(frozen=True)
class _Roll:
    """What a roll starts from."""

    mint: Pubkey
    box: Box
    metadata: token_metadata.Metadata
    client_seed: str | None
    blockhash: Hash
    last_height: int


class RevealService:
    """Rolls, writes the metadata on the ledger and the row in `user_skins`."""

    def __init__(
        self,
        settings: Settings,
        rows: RevealRows,
        ledger: Ledger,
        clock: Clock,
        randomness: Randomness,
        boxes: Boxes,
    ) -> None:
        self._settings = settings
        self._rows = rows
        self._ledger = ledger
        self._clock = clock
        self._randomness = randomness
        self._boxes = boxes
        self._authority = settings.update_authority()
        self._collection = Pubkey.from_string(settings.collection_mint)
        self._templates = Templates(rows, clock)

    def reveal(
        self,
        mint: Pubkey,
        box_id: str,
        caller: Pubkey | None = None,
        client_seed: str | None = None,
    ) -> Revealed:
        """Reveal an NFT, or return how it was revealed before. Raises a Refusal.

        `caller` is the wallet that signed in, which must then hold the NFT; None where signing in
        is not required. `client_seed` goes into a provably fair roll.
        """
        box = self._boxes.named(box_id)
        if box is None:
            raise UnknownBox
        row = self._rows.find(str(mint))
        if row is None or row.state is State.PENDING:
            seed = client_seed or (row.client_seed if row is not None else None)
            row = self._draw(mint, box, seed, caller=caller, tries=_METADATA_TRIES)
        elif row.box_id != box_id:
            raise UnknownBox
        return self._finish(row)

    def retry_due(self) -> int:
        """Go on with reveals that are due: abandoned, postponed, or without metadata so far."""
        now = self._clock.now()
        due = self._rows.claim_due(now, now + timedelta(seconds=_LEASE_SECONDS), _DUE_MAX)
        for mint in due:
            row = self._rows.find(mint)
            if row is not None:
                self._retry(row)
        return len(due)

    def _retry(self, row: StoredReveal) -> None:
        try:
            if row.state is State.PENDING:
                box = self._boxes.named(row.box_id)
                if box is None:
                    raise UnknownBox
                mint = Pubkey.from_string(row.nft_mint)
                row = self._draw(mint, box, row.client_seed, caller=None, tries=1)
            self._finish(row, wait=False)
        except Refusal as refusal:
            if row.state is not State.PENDING:
                return  # postponed or given up already
            pause = wait_seconds(row.tries)
            # Nothing is rolled: a row that waits in vain is only a note, and thrown away.
            if pause is None or isinstance(refusal, ForeignNft | NotAMysteryBox | UnknownBox):
                self._rows.drop(row.id)
            else:
                self._postpone(row, refusal.code)

    # -- the draw -------------------------------------------------------------------------------

    def _draw(
        self, mint: Pubkey, box: Box, client_seed: str | None, *, caller: Pubkey | None, tries: int
    ) -> StoredReveal:
        """Roll and enter the result, signed transaction included, before anything is sent."""
        try:
            metadata = self._mystery_box(mint, box, caller, tries)
        except MetadataNotFound:
            soon = self._clock.now() + timedelta(seconds=wait_seconds(0) or 0)
            self._rows.pend(str(mint), box.id, client_seed, self._clock.now(), soon)
            raise
        except NotAMysteryBox:  # revealed in the meantime, or never one of ours
            return self._drawn_by_another(mint, NotAMysteryBox())
        blockhash, last_height = self._ledger.latest_blockhash()
        roll = _Roll(mint, box, metadata, client_seed, blockhash, last_height)
        try:
            if self._settings.provably_fair:
                # Read before: whoever holds the nonce must not wait for a second connection.
                by_tier = self._templates.by_tier()
                with self._rows.draw() as draw:
                    return self._roll_fairly(roll, draw, by_tier)
            return self._roll(roll)
        except AlreadyDrawn:
            return self._drawn_by_another(mint, RevealInProgress())

    def _roll(self, roll: _Roll) -> StoredReveal:
        tier = roll.box.odds.roll(self._randomness)
        choices = list(self._templates.by_tier().get(tier, ()))
        if not any(one.limited for one in choices):
            return self._entered(roll, _pick(choices, self._randomness), self._rows.enter)
        with self._rows.draw() as draw:
            while True:
                template = _pick(choices, self._randomness)
                if not template.limited or draw.take(template.id):
                    return self._entered(roll, template, draw.enter)
                choices.remove(template)

    def _roll_fairly(
        self, roll: _Roll, draw: DrawRows, by_tier: dict[str, list[Template]]
    ) -> StoredReveal:
        fair = draw.next_nonce()
        if fair is None:
            raise RevealInProgress("No server seed is committed to; see docs/backend.md")
        # Without a seed of the player's, the NFT's address: the server does not choose it either.
        roll = replace(roll, client_seed=roll.client_seed or str(roll.mint))
        choices: list[Template] | None = None
        while True:
            # From the start each time: the result follows from the seeds and the final choices.
            randomness = FairRandomness(fair.seed, str(roll.client_seed), fair.nonce)
            tier = roll.box.odds.roll(randomness)
            choices = list(by_tier.get(tier, ())) if choices is None else choices
            template = _pick(choices, randomness)
            if not template.limited or draw.take(template.id):
                proof = choices_text([(one.id, one.weight) for one in choices])
                return self._entered(roll, template, draw.enter, fair, proof)
            choices.remove(template)

    def _entered(
        self,
        roll: _Roll,
        template: Template,
        enter: Callable[..., int],
        fair: FairNonce | None = None,
        choices: str | None = None,
    ) -> StoredReveal:
        """Sign the roll and enter it, ready to be sent."""
        uri = f"{self._settings.metadata_base_uri}/{template.id}"
        transaction = self._transaction(roll.metadata, template.title, uri, roll.blockhash)
        signature, now = str(transaction.signatures[0]), self._clock.now()
        number = enter(
            mint=str(roll.mint),
            box_id=roll.box.id,
            template_id=template.id,
            uri=uri,
            signature=signature,
            signed_tx=bytes(transaction),
            last_height=roll.last_height,
            now=now,
            next_try_at=now + timedelta(seconds=_LEASE_SECONDS),
            client_seed=roll.client_seed,
            choices=choices,
            nonce=fair and fair.nonce,
            seed_id=fair and fair.seed_id,
        )
        return StoredReveal(
            number, str(roll.mint), State.SUBMITTED, roll.box.id, 0, roll.client_seed, uri,
            signature, bytes(transaction), roll.last_height, template.title, template.rarity,
        )  # fmt: skip

    def _drawn_by_another(self, mint: Pubkey, otherwise: Refusal) -> StoredReveal:
        """The draw as stored, by whoever was first."""
        row = self._rows.find(str(mint))
        if row is None or row.state is State.PENDING:
            raise otherwise
        return row

    # -- the ledger -----------------------------------------------------------------------------

    def _finish(self, row: StoredReveal, *, wait: bool = True) -> Revealed:
        """Bring a draw to the ledger and note that it is there."""
        for _ in range(_SIGNINGS_MAX):
            if row.state is State.REVEALED:
                break
            if row.state is State.FAILED:
                raise RevealFailed("This NFT can not be revealed any more")
            outcome = self._ledger.send(row.signed_tx, row.last_valid_block_height, wait=wait)
            shown, metadata = Shown.PLACEHOLDER, None
            if outcome.fate is not Fate.LANDED:
                shown, metadata = self._shown(row)
            match next_step(outcome.fate, shown):
                case Step.FINISH:
                    self._rows.finish(row.id, self._clock.now())
                    break
                case Step.SIGN_AGAIN:
                    assert metadata is not None
                    self._sign_again(row, metadata)
                    row = self._drawn_by_another(
                        Pubkey.from_string(row.nft_mint), RevealInProgress()
                    )
                case Step.GIVE_UP:
                    # Who burns a box before its reveal is owed nothing.
                    box = self._boxes.named(row.box_id)
                    owed = box.price_lamports if box and shown is Shown.OTHER else 0
                    self._rows.give_up(row.id, RevealFailed.code, owed, self._clock.now())
                    raise RevealFailed("This NFT can not be revealed any more")
                case Step.WAIT:
                    self._postpone(row, outcome.fate.value)
                    raise RevealFailed
        else:
            raise RevealFailed
        return Revealed(
            nft_mint=row.nft_mint,
            skin_name=row.title,
            skin_rarity=row.rarity,
            metadata_uri=row.metadata_uri,
            tx_signature=row.tx_signature,
        )

    def _postpone(self, row: StoredReveal, code: str) -> None:
        pause = wait_seconds(row.tries)
        later = None if pause is None else self._clock.now() + timedelta(seconds=pause)
        self._rows.postpone(row.id, code, later)

    def _shown(self, row: StoredReveal) -> tuple[Shown, token_metadata.Metadata | None]:
        """What the NFT shows on the ledger beside what was rolled for it."""
        address = token_metadata.metadata_address(Pubkey.from_string(row.nft_mint))
        account = self._ledger.accounts([address])[0]
        box = self._boxes.named(row.box_id)
        if account is None or account.owner != token_metadata.PROGRAM_ID:
            return Shown.GONE, None
        metadata = token_metadata.Metadata.parse(bytes(account.data))
        if metadata.uri == row.metadata_uri:
            return Shown.ROLL, metadata
        if box is not None and metadata.uri == box.placeholder_uri:
            return Shown.PLACEHOLDER, metadata
        return Shown.OTHER, metadata

    def _mystery_box(
        self, mint: Pubkey, box: Box, caller: Pubkey | None, tries: int
    ) -> token_metadata.Metadata:
        """The NFT's metadata, if it is an unrevealed box of this kind (and the caller's)."""
        addresses = [token_metadata.metadata_address(mint)]
        if caller is not None:
            addresses.append(associated_token_address(caller, mint))
        for attempt in range(tries):
            account, *token = self._ledger.accounts(addresses)
            if account is not None:
                break
            if attempt + 1 < tries:
                self._clock.sleep(_METADATA_WAIT_SECONDS)
        metadata = _parsed(account)
        collection = metadata.collection
        if collection is None or not collection.verified or collection.key != self._collection:
            raise ForeignNft
        minted_as = self._boxes.of(metadata)
        if minted_as is None or metadata.update_authority != self._authority.pubkey():
            raise ForeignNft
        if minted_as is not box:  # the machine decides, never the client
            raise UnknownBox
        if metadata.uri != box.placeholder_uri or not metadata.is_mutable:
            raise NotAMysteryBox
        if token and not holds(token[0], caller):
            raise NotTheHolder
        return metadata

    def _sign_again(self, row: StoredReveal, metadata: token_metadata.Metadata) -> None:
        """The same roll in a new transaction; the old one can no longer land."""
        blockhash, last_height = self._ledger.latest_blockhash()
        transaction = self._transaction(metadata, row.title, row.metadata_uri, blockhash)
        self._rows.sign_again(
            row.id,
            row.tx_signature,
            signature=str(transaction.signatures[0]),
            signed_tx=bytes(transaction),
            last_height=last_height,
        )

    def _transaction(
        self, metadata: token_metadata.Metadata, name: str, uri: str, blockhash: Hash
    ) -> VersionedTransaction:
        payer = self._authority.pubkey()
        try:
            instruction = token_metadata.update(
                mint=metadata.mint, authority=payer, metadata=metadata, name=name, uri=uri
            )
        except ValueError:
            raise LabelTooLong from None
        message = Message.new_with_blockhash([instruction], payer, blockhash)
        return VersionedTransaction(message, [self._authority])


def _parsed(account: Account | None) -> token_metadata.Metadata:
    if account is None or account.owner != token_metadata.PROGRAM_ID:
        raise MetadataNotFound
    try:
        return token_metadata.Metadata.parse(bytes(account.data))
    except ValueError:
        raise ForeignNft from None


def _pick(choices: list[Template], randomness: Randomness) -> Template:
    if not choices:
        raise NoTemplate
    return pick(choices, randomness, [one.weight for one in choices])
