use anchor_lang::{prelude::*, system_program};
use anchor_spl::{
    metadata::{
        mpl_token_metadata::{
            instructions::{BurnV1Cpi, BurnV1CpiAccounts, BurnV1InstructionArgs},
            ID as TOKEN_METADATA_ID,
        },
        MasterEditionAccount, Metadata, MetadataAccount,
    },
    token::{Mint, Token, TokenAccount},
};

use crate::{BuybackError, BuybackExecuted, Config, CONFIG_SEED};

#[derive(Accounts)]
pub struct ExecuteBuyback<'info> {
    #[account(mut)]
    pub user: Signer<'info>,
    #[account(mut, address = config.treasury @ BuybackError::WrongTreasury)]
    pub treasury: Signer<'info>,
    #[account(seeds = [CONFIG_SEED, &[config.version]], bump = config.bump)]
    pub config: Box<Account<'info, Config>>,
    #[account(mut)]
    pub mint: Box<Account<'info, Mint>>,
    /// Any token account of the user's that holds the NFT, associated or not.
    /// Those of programmable NFTs are always frozen; Token Metadata thaws them.
    /// Burning closes it, and Token Metadata panics where somebody else would have to.
    #[account(
        mut,
        token::mint = mint,
        token::authority = user,
        constraint = token_account.amount == 1 @ BuybackError::NotHolder,
        constraint = !token_account.is_frozen() || token_record.is_some()
            @ BuybackError::TokenFrozen,
        constraint = token_account.close_authority.map_or(true, |closer| {
            closer == user.key() || (token_record.is_some() && closer == edition.key())
        }) @ BuybackError::ForeignCloseAuthority,
    )]
    pub token_account: Box<Account<'info, TokenAccount>>,
    #[account(
        mut,
        seeds = [b"metadata", TOKEN_METADATA_ID.as_ref(), mint.key().as_ref()],
        bump,
        seeds::program = TOKEN_METADATA_ID,
    )]
    pub metadata: Box<Account<'info, MetadataAccount>>,
    #[account(
        mut,
        seeds = [b"metadata", TOKEN_METADATA_ID.as_ref(), mint.key().as_ref(), b"edition"],
        bump,
        seeds::program = TOKEN_METADATA_ID,
    )]
    pub edition: Box<Account<'info, MasterEditionAccount>>,
    /// Writable, because burning a member of a sized collection counts it down.
    /// CHECK: address derived from the configured collection.
    #[account(
        mut,
        seeds = [b"metadata", TOKEN_METADATA_ID.as_ref(), config.collection_mint.as_ref()],
        bump,
        seeds::program = TOKEN_METADATA_ID,
    )]
    pub collection_metadata: UncheckedAccount<'info>,
    /// Programmable NFTs only.
    /// CHECK: Token Metadata derives its address from mint and token account.
    #[account(mut)]
    pub token_record: Option<UncheckedAccount<'info>>,
    pub token_metadata_program: Program<'info, Metadata>,
    pub token_program: Program<'info, Token>,
    pub system_program: Program<'info, System>,
    /// CHECK: address checked.
    #[account(address = anchor_lang::solana_program::sysvar::instructions::ID)]
    pub sysvar_instructions: UncheckedAccount<'info>,
}

impl ExecuteBuyback<'_> {
    pub fn execute(&mut self, amount: u64) -> Result<()> {
        require!(self.config.buyback_enabled, BuybackError::BuybackDisabled);
        require!(amount > 0, BuybackError::InvalidAmount);
        let treasury_after = self
            .treasury
            .lamports()
            .checked_sub(amount)
            .ok_or(BuybackError::InsufficientTreasury)?;
        require_gte!(
            treasury_after,
            self.config.min_treasury_balance,
            BuybackError::InsufficientTreasury
        );

        let collection = self
            .metadata
            .collection
            .as_ref()
            .ok_or(BuybackError::InvalidMetadata)?;
        require!(collection.verified, BuybackError::CollectionNotVerified);
        require_keys_eq!(
            collection.key,
            self.config.collection_mint,
            BuybackError::WrongCollection
        );

        self.burn()?;
        system_program::transfer(
            CpiContext::new(
                self.system_program.to_account_info(),
                system_program::Transfer {
                    from: self.treasury.to_account_info(),
                    to: self.user.to_account_info(),
                },
            ),
            amount,
        )?;

        emit!(BuybackExecuted {
            user: self.user.key(),
            mint: self.mint.key(),
            treasury: self.treasury.key(),
            amount,
            version: self.config.version,
        });
        Ok(())
    }

    /// Metaplex `BurnV1`: closes the token, metadata and edition accounts to the user.
    ///
    /// Never inlined: a frame of the virtual machine has 4096 bytes in all.
    #[inline(never)]
    fn burn(&self) -> Result<()> {
        BurnV1Cpi::new(
            &self.token_metadata_program,
            BurnV1CpiAccounts {
                authority: &self.user,
                collection_metadata: Some(&self.collection_metadata),
                metadata: self.metadata.as_ref().as_ref(),
                edition: Some(self.edition.as_ref().as_ref()),
                mint: self.mint.as_ref().as_ref(),
                token: self.token_account.as_ref().as_ref(),
                master_edition: None,
                master_edition_mint: None,
                master_edition_token: None,
                edition_marker: None,
                token_record: self.token_record.as_ref().map(|record| record.as_ref()),
                system_program: &self.system_program,
                sysvar_instructions: &self.sysvar_instructions,
                spl_token_program: &self.token_program,
            },
            BurnV1InstructionArgs { amount: 1 },
        )
        .invoke()?;
        Ok(())
    }
}
