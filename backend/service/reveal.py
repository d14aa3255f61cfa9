"""Reveal: turn a mystery box into a skin, exactly once.

Like drawing a sealed envelope: the draw is entered in the book, with the signed transaction that
will publish it, before anything is sent. Whoever asks again, after a crash or by impatience, gets
the envelope that was drawn.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from backend.adapters.clock import Clock
from backend.adapters.ledger import Fate, Ledger
from backend.adapters.tables import SkinTemplate, UserSkin
from backend.domain.errors import (
    ForeignNft,
    MetadataNotFound,
    NotAMysteryBox,
    NoTemplate,
    RevealFailed,
    RevealInProgress,
    UnknownBox,
)
from backend.domain.rarity import GUIDE_ODDS, Odds, Randomness, pick
from backend.settings import Settings
from programs.token_metadata import client as token_metadata

_METADATA_TRIES = 5
_METADATA_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Revealed:
    """A revealed NFT, as the guide's answer has it."""

    nft_mint: str
    skin_name: str
    skin_rarity: str
    metadata_uri: str
    tx_signature: str


class RevealService:
    """Rolls, writes the metadata on the ledger and the row in `user_skins`."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        ledger: Ledger,
        clock: Clock,
        randomness: Randomness,
        odds: Odds = GUIDE_ODDS,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._ledger = ledger
        self._clock = clock
        self._randomness = randomness
        self._odds = odds
        self._authority = settings.update_authority()
        self._collection = Pubkey.from_string(settings.collection_mint)
        self._templates: dict[str, list[int]] = {}

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
        # The box is the one this machine sells; the client's word is only checked against it.
        if box_id != self._settings.box_id:
            raise UnknownBox
        with self._sessions() as session:
            skin = _drawn(session, mint) or self._draw(session, mint)
            if skin.revealed_at is None:
                self._publish(session, skin)
            return Revealed(
                nft_mint=skin.nft_mint_address,
                skin_name=skin.template.title,
                skin_rarity=skin.template.rarity,
                metadata_uri=skin.metadata_uri,
                tx_signature=skin.reveal_tx_signature,
            )

    def _draw(self, session: Session, mint: Pubkey) -> UserSkin:
        """Roll and enter the result, signed transaction included, before anything is sent."""
        try:
            metadata = self._mystery_box(mint)
        except NotAMysteryBox:  # revealed in the meantime, or never one of ours
            if (skin := _drawn(session, mint)) is not None:
                return skin
            raise
        tier = self._odds.roll(self._randomness)
        template_id = pick(self._template_ids(session, tier), self._randomness)
        template = session.get_one(SkinTemplate, template_id)
        uri = f"{self._settings.metadata_base_uri}/{template.id}"
        transaction, last_height = self._sign(mint, metadata, template.title, uri)
        skin = UserSkin(
            nft_mint_address=str(mint),
            skin_template_id=template.id,
            template=template,
            box_id=self._settings.box_id,
            metadata_uri=uri,
            reveal_tx_signature=str(transaction.signatures[0]),
            reveal_tx=bytes(transaction),
            reveal_last_valid_block_height=last_height,
            created_at=self._clock.now(),
            is_burned_back=False,
        )
        session.add(skin)
        try:
            session.commit()
        except IntegrityError:  # somebody else drew for this NFT in the meantime: theirs counts
            session.rollback()
            first = _drawn(session, mint)
            if first is None:
                raise RevealInProgress from None
            return first
        return skin

    def _publish(self, session: Session, skin: UserSkin) -> None:
        """Send the stored transaction and note that it landed."""
        session.refresh(skin, with_for_update={"of": UserSkin})
        if skin.revealed_at is not None:
            return
        transaction = VersionedTransaction.from_bytes(skin.reveal_tx)
        outcome = self._ledger.send(transaction, skin.reveal_last_valid_block_height)
        if outcome.fate is not Fate.LANDED:
            if outcome.fate is Fate.FAILED:
                self._sign_again(skin)
                session.commit()
            raise RevealFailed
        skin.revealed_at = self._clock.now()
        session.commit()

    def _sign_again(self, skin: UserSkin) -> None:
        """The same draw in a new transaction; only after the old one can no longer land."""
        _, height = self._ledger.latest_blockhash()
        if height - 150 <= skin.reveal_last_valid_block_height:
            return
        mint = Pubkey.from_string(skin.nft_mint_address)
        metadata = self._mystery_box(mint)
        transaction, last_height = self._sign(
            mint, metadata, skin.template.title, skin.metadata_uri
        )
        skin.reveal_tx = bytes(transaction)
        skin.reveal_tx_signature = str(transaction.signatures[0])
        skin.reveal_last_valid_block_height = last_height

    def _mystery_box(self, mint: Pubkey) -> token_metadata.Metadata:
        """The NFT's metadata, if it is an unrevealed member of our collection."""
        address = token_metadata.metadata_address(mint)
        account = None
        for attempt in range(_METADATA_TRIES):
            account = self._ledger.account(address)
            if account is not None:
                break
            if attempt + 1 < _METADATA_TRIES:
                self._clock.sleep(_METADATA_WAIT_SECONDS)
        if account is None or account.owner != token_metadata.PROGRAM_ID:
            raise MetadataNotFound
        metadata = token_metadata.Metadata.parse(bytes(account.data))
        collection = metadata.collection
        if collection is None or not collection.verified or collection.key != self._collection:
            raise ForeignNft
        if metadata.uri != self._settings.placeholder_uri:
            raise NotAMysteryBox
        return metadata

    def _sign(
        self, mint: Pubkey, metadata: token_metadata.Metadata, name: str, uri: str
    ) -> tuple[VersionedTransaction, int]:
        instruction = token_metadata.update(
            mint=mint, authority=self._authority.pubkey(), metadata=metadata, name=name, uri=uri
        )
        blockhash, last_height = self._ledger.latest_blockhash()
        message = Message.new_with_blockhash([instruction], self._authority.pubkey(), blockhash)
        return VersionedTransaction(message, [self._authority]), last_height

    def _template_ids(self, session: Session, tier: str) -> list[int]:
        """The templates of a tier, in a fixed order; read once and kept."""
        if not self._templates:
            by_tier: defaultdict[str, list[int]] = defaultdict(list)
            rows = session.execute(
                select(SkinTemplate.rarity, SkinTemplate.id).order_by(SkinTemplate.id)
            )
            for rarity, number in rows:
                by_tier[rarity].append(number)
            self._templates = dict(by_tier)
        if tier not in self._templates:
            raise NoTemplate
        return self._templates[tier]


def _drawn(session: Session, mint: Pubkey) -> UserSkin | None:
    """The draw for an NFT, if there is one."""
    return session.scalar(select(UserSkin).where(UserSkin.nft_mint_address == str(mint)))
