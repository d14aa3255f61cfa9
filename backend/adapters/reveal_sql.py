"""The statements of reveals: every change is one of them, or one short transaction for a roll."""

from sqlalchemy import text

#: Rows that wait for their metadata; more are not noted, since anybody can ask for anything.
PENDING_MAX = 1000
_ROW = """r.id, r.nft_mint, r.state, r.box_id, r.tries, r.client_seed, r.metadata_uri,
    r.tx_signature, r.signed_tx, r.last_valid_block_height,
    t.weapon || ' | ' || t.skin_name as title, t.rarity"""

FIND = text(f"""
    select {_ROW} from reveals r left join skin_templates t on t.id = r.skin_template_id
    where r.nft_mint = :mint""")
TEMPLATES = text("""
    select id, weapon || ' | ' || skin_name as title, cast(:base as text) || '/' || id as uri,
      rarity, weight, stock is not null as limited from skin_templates
    where weight > 0 and (stock is null or stock > 0) order by id""")
TAKE = text("update skin_templates set stock = stock - 1 where id = :id and stock > 0 returning id")
# Others wait until the transaction ends, so that no nonce is left out.
NONCE = text("""
    update server_seeds set next_nonce = next_nonce + 1
    where id = (select max(id) from server_seeds) and disclosed_at is null
    returning id, seed, next_nonce - 1 as nonce""")
# A pending row becomes the draw; a draw that is there already stays as it is: no row is returned.
ENTER = text(f"""
    with r as (
      insert into reveals (nft_mint, state, box_id, skin_template_id, metadata_uri, tx_signature,
        signed_tx, last_valid_block_height, created_at, next_try_at, choices, client_seed, nonce,
        server_seed_id, odds) values (:mint, 'submitted', :box_id, :template_id, :uri, :signature,
        :signed_tx, :last_height, :now, :next_try_at, :choices, :client_seed, :nonce, :seed_id,
        cast(:odds as json))
      on conflict (nft_mint) do update set state = 'submitted', box_id = excluded.box_id,
        skin_template_id = excluded.skin_template_id, metadata_uri = excluded.metadata_uri,
        tx_signature = excluded.tx_signature, signed_tx = excluded.signed_tx,
        last_valid_block_height = excluded.last_valid_block_height, tries = 0, error_code = null,
        next_try_at = excluded.next_try_at, choices = excluded.choices, nonce = excluded.nonce,
        client_seed = excluded.client_seed, server_seed_id = excluded.server_seed_id,
        odds = excluded.odds
      where reveals.state = 'pending' returning *)
    select {_ROW} from r join skin_templates t on t.id = r.skin_template_id""")
FINISH = text("""
    with done as (update reveals set state = 'revealed', revealed_at = :now, next_try_at = null,
      error_code = null where id = :id and state = 'submitted'
      returning nft_mint, skin_template_id)
    insert into user_skins (nft_mint_address, skin_template_id, created_at, is_burned_back)
    select nft_mint, skin_template_id, :now, false from done
    on conflict (nft_mint_address) do nothing""")
# Only whoever still sees the old signature may replace it.
SIGN_AGAIN = text("""
    update reveals set signed_tx = :signed_tx, tx_signature = :signature,
      last_valid_block_height = :last_height
    where id = :id and state = 'submitted' and tx_signature = :old_signature""")
# What was taken from a stock goes back, what is owed is noted.
GIVE_UP = text("""
    with lost as (update reveals set state = 'failed', error_code = :code, next_try_at = null
      where id = :id and state = 'submitted' returning nft_mint, skin_template_id),
    owed as (insert into obligations (kind, nft_mint, amount_lamports, state, created_at)
      select 'reveal', nft_mint, :owed_lamports, 'open', :now from lost where :owed_lamports > 0
      on conflict (kind, nft_mint) do nothing)
    update skin_templates t set stock = t.stock + 1 from lost
    where t.id = lost.skin_template_id and t.stock is not null""")
POSTPONE = text("""
    update reveals set tries = tries + 1, error_code = :code, next_try_at = :next_try_at
    where id = :id and state in ('pending', 'submitted')""")
PEND = text(f"""
    insert into reveals (nft_mint, state, box_id, client_seed, created_at, next_try_at, tries)
    select :mint, 'pending', :box_id, :client_seed, :now, :next_try_at, 0
    where (select count(*) from reveals where state = 'pending') < {PENDING_MAX}
    on conflict (nft_mint) do nothing""")
DROP = text("delete from reveals where id = :id and state = 'pending'")
# The lease keeps other workers away; should this one die, the row is due again after it.
CLAIM = text(f"""
    with r as (update reveals set next_try_at = :lease_until where id in (select id from reveals
      where next_try_at <= :now order by next_try_at, id limit :most for update skip locked)
      returning *)
    select {_ROW} from r left join skin_templates t on t.id = r.skin_template_id order by r.id""")

# -- provably fair rolls, see domain/fairness.py ---------------------------------------------------

DISCLOSE = text("""
    update server_seeds set disclosed_at = :now where disclosed_at is null returning seed""")
COMMIT = text("""
    insert into server_seeds (commitment, seed, created_at) values (:commitment, :seed, :now)""")
COMMITMENT = text("""
    select commitment from server_seeds where disclosed_at is null order by id desc limit 1""")
PROOF = text("""
    select s.commitment, r.client_seed, r.nonce, r.choices, r.odds, r.box_id, t.rarity as tier,
      t.id as template_id,
      case when s.disclosed_at is not null then encode(s.seed, 'hex') end as server_seed
    from reveals r join server_seeds s on s.id = r.server_seed_id
    join skin_templates t on t.id = r.skin_template_id
    where r.nft_mint = :mint and r.state = 'revealed'""")
