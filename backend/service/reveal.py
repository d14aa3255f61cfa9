"""Reveal: turn a mystery box into a skin, exactly once.

Like drawing a sealed envelope: the draw is entered in the book, with the signed transaction that
will publish it, before anything is sent. Whoever asks again, after a crash or by impatience, gets
the envelope that was drawn. No lock is held while the ledger is asked: a row moves only if it
still is what the mover saw, so processes may race and one of them wins.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from backend.adapters import reveal_sql as sql
from backend.adapters.database import Database
from backend.domain import errors as no
from backend.domain.boxes import Box
from backend.domain.fairness import FairRandomness, choices_text
from backend.domain.rarity import Randomness, pick
from backend.domain.states import Fate, Shown, State, Step, next_step, wait_seconds
from backend.service.base import Service, holds, is_label
from programs.addresses import associated_token_address
from programs.token_metadata import client as token_metadata
from programs.token_metadata.client import NAME_BYTES_MAX, URI_BYTES_MAX

_METADATA_TRIES = 5
_METADATA_WAIT_SECONDS = 2.0
#: How long a request may be at it before the worker takes its reveal for abandoned.
_LEASE = timedelta(seconds=60)
_DUE_MAX = 20
_SIGNINGS_MAX = 2  # within one call: as stored, then once anew
_TEMPLATES_KEPT = timedelta(seconds=60)


@dataclass(frozen=True)
class Revealed:
    """A revealed NFT, as the guide's answer has it."""

    nft_mint: str
    skin_name: str
    skin_rarity: str
    metadata_uri: str
    tx_signature: str


class _AlreadyDrawn(Exception):
    """Somebody else's roll for this NFT was first; it counts, and what this one took goes back."""


class RevealService(Service):
    """Rolls, writes the metadata on the ledger and the row in `user_skins`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.boxes = self.settings.sold_boxes()
        self._kept: tuple[datetime, dict[str, list[Any]]] | None = None

    def reveal(
        self, mint: Pubkey, box_id: str, caller: Pubkey | None = None,
        client_seed: str | None = None,
    ) -> Revealed:  # fmt: skip
        """Reveal an NFT, or return how it was revealed before. Raises a Refusal.

        `caller` is the wallet that signed in, which must then hold the NFT; None where signing in
        is not required. `client_seed` goes into a provably fair roll.
        """
        box = self.boxes.named(box_id)
        if box is None:
            raise no.UnknownBox
        row = self.find(str(mint))
        if row is None or row.state == State.PENDING:
            seed = client_seed or (row.client_seed if row is not None else None)
            row = self._draw(mint, box, seed, caller=caller, tries=_METADATA_TRIES)
        elif row.box_id != box_id:
            raise no.UnknownBox
        return self._finish(row)

    def find(self, mint: str) -> Any:
        """The row of a reveal with its skin, or None."""
        return self.db.first(sql.FIND, mint=mint)

    def retry_due(self) -> int:
        """Go on with reveals that are due: abandoned, postponed, or without metadata so far."""
        now = self.clock.now()
        due = self.db.rows(sql.CLAIM, now=now, lease_until=now + _LEASE, most=_DUE_MAX)
        for row in due:
            self._retry(row)
        return len(due)

    def _retry(self, row: Any) -> None:
        drawn = row
        try:
            if row.state == State.PENDING:
                box = self.boxes.named(row.box_id)
                if box is None:
                    raise no.UnknownBox
                mint = Pubkey.from_string(row.nft_mint)
                drawn = self._draw(mint, box, row.client_seed, caller=None, tries=1)
            self._finish(drawn, wait=False)
        except no.Refusal as refusal:
            if drawn.state != State.PENDING:
                return  # postponed or given up already
            # Nothing is rolled: a row that waits in vain is only a note, and thrown away.
            hopeless = isinstance(refusal, no.ForeignNft | no.NotAMysteryBox | no.UnknownBox)
            if hopeless or wait_seconds(row.tries) is None:
                self.db.rows(sql.DROP, id=row.id)
            else:
                self._postpone(row, refusal.code)

    # -- the draw -------------------------------------------------------------------------------

    def _draw(
        self, mint: Pubkey, box: Box, client_seed: str | None, *, caller: Pubkey | None, tries: int
    ) -> Any:
        """Roll and enter the result, signed transaction included, before anything is sent."""
        try:
            metadata = self._mystery_box(mint, box, caller, tries)
        except no.MetadataNotFound:
            now = self.clock.now()
            self.db.rows(
                sql.PEND, mint=str(mint), box_id=box.id, client_seed=client_seed, now=now,
                next_try_at=now + timedelta(seconds=wait_seconds(0) or 0),
            )  # fmt: skip
            raise
        except no.NotAMysteryBox:  # revealed in the meantime, or never one of ours
            return self._drawn_by_another(str(mint), no.NotAMysteryBox)
        # Without a seed of the player's, the NFT's address: the server does not choose it either.
        seed, fresh = client_seed or str(mint), self.ledger.latest_blockhash()
        # Read before: whoever holds the nonce must not wait for a second connection.
        by_tier = self._by_tier()
        if any(tier not in by_tier for tier, _ in box.odds.tiers):
            raise no.NoTemplate  # before a roll, or who does not like it asks for another
        limited = any(one.limited for some in by_tier.values() for one in some)
        several = limited or self.settings.provably_fair
        try:
            with self.db.transaction() if several else nullcontext(self.db) as entries:
                return self._roll(box, metadata, seed, fresh, entries, by_tier)
        except no.NoTemplate:  # just sold out: look anew before the next roll
            self._kept = None
            raise
        except _AlreadyDrawn:
            return self._drawn_by_another(str(mint), no.RevealInProgress)

    def _roll(
        self, box: Box, metadata: token_metadata.Metadata, seed: str, fresh: tuple[Hash, int],
        entries: Database, by_tier: dict[str, list[Any]],
    ) -> Any:  # fmt: skip
        """Roll among what is left, sign and enter the result, ready to be sent."""
        fair, randomness, choices = None, self.randomness, None
        if self.settings.provably_fair and (fair := entries.first(sql.NONCE)) is None:
            raise no.RevealInProgress("No server seed is committed to; see docs/backend.md")
        while True:
            if fair is not None:
                # From the start each time: the result follows from the seeds and the final choices.
                randomness = FairRandomness(bytes(fair.seed), seed, fair.nonce)
            tier = box.odds.roll(randomness)
            choices = list(by_tier.get(tier, ())) if choices is None else choices
            template = _pick(choices, randomness)
            if _taken(template, entries):
                break
            choices.remove(template)
        transaction = self._transaction(metadata, template.title, template.uri, fresh[0])
        now = self.clock.now()
        row = entries.first(
            sql.ENTER, mint=str(metadata.mint), box_id=box.id, template_id=template.id,
            uri=template.uri, signature=str(transaction.signatures[0]), now=now,
            signed_tx=bytes(transaction), last_height=fresh[1], next_try_at=now + _LEASE,
            client_seed=seed, nonce=fair and fair.nonce, seed_id=fair and fair.id,
            choices=fair and choices_text([(one.id, one.weight) for one in choices]),
            odds=fair and json.dumps({tier: str(share) for tier, share in box.odds.tiers}),
        )  # fmt: skip
        if row is None:
            raise _AlreadyDrawn
        return row

    def _by_tier(self) -> dict[str, list[Any]]:
        """Templates by tier, kept for a minute and not to be changed; stock is taken from the
        database. Raises LabelTooLong if one does not fit: after a roll it would be rolled again."""
        now, kept = self.clock.now(), self._kept
        if kept is None or now - kept[0] >= _TEMPLATES_KEPT:
            by_tier: dict[str, list[Any]] = {}
            for template in self.db.rows(sql.TEMPLATES, base=self.settings.metadata_base_uri):
                name, uri = len(template.title.encode()), len(template.uri.encode())
                if name > NAME_BYTES_MAX or uri > URI_BYTES_MAX:
                    raise no.LabelTooLong
                by_tier.setdefault(template.rarity, []).append(template)
            self._kept = kept = (now, by_tier)
        return kept[1]

    def _drawn_by_another(self, mint: str, otherwise: type[no.Refusal]) -> Any:
        """The draw as stored, by whoever was first."""
        row = self.find(mint)
        if row is None or row.state == State.PENDING:
            raise otherwise
        return row

    # -- the ledger -----------------------------------------------------------------------------

    def _finish(self, row: Any, *, wait: bool = True) -> Revealed:
        """Bring a draw to the ledger and note that it is there."""
        for _ in range(_SIGNINGS_MAX):
            if row.state == State.REVEALED:
                break
            if row.state == State.FAILED:
                raise no.RevealFailed("This NFT can not be revealed any more")
            outcome = self.ledger.send(row.signed_tx, row.last_valid_block_height, wait=wait)
            shown, metadata = Shown.PLACEHOLDER, None
            if outcome.fate is not Fate.LANDED:
                shown, metadata = self._shown(row)
            match next_step(outcome.fate, shown):
                case Step.FINISH:
                    self.db.rows(sql.FINISH, id=row.id, now=self.clock.now())
                    break
                case Step.SIGN_AGAIN:
                    assert metadata is not None
                    self._sign_again(row, metadata)
                    row = self._drawn_by_another(row.nft_mint, no.RevealInProgress)
                case Step.GIVE_UP:
                    # Who burns a box before its reveal is owed nothing.
                    box = self.boxes.named(row.box_id)
                    self.db.rows(
                        sql.GIVE_UP, id=row.id, code=no.RevealFailed.code, now=self.clock.now(),
                        owed_lamports=box.price_lamports if box and shown is Shown.OTHER else 0,
                    )  # fmt: skip
                    raise no.RevealFailed("This NFT can not be revealed any more")
                case Step.WAIT:
                    self._postpone(row, outcome.fate.value)
                    raise no.RevealFailed
        else:
            raise no.RevealFailed
        return Revealed(row.nft_mint, row.title, row.rarity, row.metadata_uri, row.tx_signature)

    def _postpone(self, row: Any, code: str) -> None:
        pause = wait_seconds(row.tries)
        later = None if pause is None else self.clock.now() + timedelta(seconds=pause)
        self.db.rows(sql.POSTPONE, id=row.id, code=code, next_try_at=later)

    def _shown(self, row: Any) -> tuple[Shown, token_metadata.Metadata | None]:
        """What the NFT shows on the ledger beside what was rolled for it."""
        address = token_metadata.metadata_address(Pubkey.from_string(row.nft_mint))
        account = self.ledger.accounts([address])[0]
        box = self.boxes.named(row.box_id)
        if not is_label(account):
            return Shown.GONE, None
        metadata = token_metadata.Metadata.parse(bytes(account.data))
        if metadata.uri == row.metadata_uri:
            return Shown.ROLL, metadata
        if box is None:  # taken off the list: nobody can tell its placeholder from another label
            raise no.UnknownBox
        if metadata.uri == box.placeholder_uri:
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
            account, *token = self.ledger.accounts(addresses)
            if account is not None:
                break
            if attempt + 1 < tries:
                self.clock.sleep(_METADATA_WAIT_SECONDS)
        metadata = _parsed(account)
        collection = metadata.collection
        if collection is None or not collection.verified or collection.key != self.collection:
            raise no.ForeignNft
        minted_as = self.boxes.of(metadata)
        if minted_as is None or metadata.update_authority != self.authority.pubkey():
            raise no.ForeignNft
        if minted_as is not box:  # the machine decides, never the client
            raise no.UnknownBox
        if metadata.uri != box.placeholder_uri or not metadata.is_mutable:
            raise no.NotAMysteryBox
        if token and not holds(token[0], caller):
            raise no.NotTheHolder
        return metadata

    def _sign_again(self, row: Any, metadata: token_metadata.Metadata) -> None:
        """The same roll in a new transaction; the old one can no longer land."""
        blockhash, last_height = self.ledger.latest_blockhash()
        transaction = self._transaction(metadata, row.title, row.metadata_uri, blockhash)
        self.db.rows(
            sql.SIGN_AGAIN, id=row.id, old_signature=row.tx_signature, last_height=last_height,
            signature=str(transaction.signatures[0]), signed_tx=bytes(transaction),
        )  # fmt: skip

    def _transaction(
        self, metadata: token_metadata.Metadata, name: str, uri: str, blockhash: Hash
    ) -> VersionedTransaction:
        payer = self.authority.pubkey()
        instruction = token_metadata.update(
            mint=metadata.mint, authority=payer, metadata=metadata, name=name, uri=uri
        )
        message = Message.new_with_blockhash([instruction], payer, blockhash)
        return VersionedTransaction(message, [self.authority])


def _parsed(account: Account | None) -> token_metadata.Metadata:
    if not is_label(account):
        raise no.MetadataNotFound
    try:
        return token_metadata.Metadata.parse(bytes(account.data))
    except ValueError:
        raise no.ForeignNft from None


def _pick(choices: list[Any], randomness: Randomness) -> Any:
    if not choices:
        raise no.NoTemplate
    return pick(choices, randomness, [one.weight for one in choices])


def _taken(template: Any, entries: Database) -> bool:
    """One from the stock, if it has one; False if there is none left."""
    return not template.limited or bool(entries.rows(sql.TAKE, id=template.id))
