use anchor_lang::prelude::*;
use anchor_spl::token::Mint;

use crate::{program::Buyback, BuybackError, Config, Initialized, CONFIG_SEED};

#[derive(Accounts)]
#[instruction(version: u8)]
pub struct Initialize<'info> {
    #[account(mut)]
    pub authority: Signer<'info>,
    /// CHECK: any address; its key must sign every buyback.
    pub treasury: UncheckedAccount<'info>,
    pub collection_mint: Box<Account<'info, Mint>>,
    #[account(
        init,
        payer = authority,
        space = 8 + Config::INIT_SPACE,
        seeds = [CONFIG_SEED, &[version]],
        bump,
    )]
    pub config: Box<Account<'info, Config>>,
    #[account(
        constraint = program.programdata_address()? == Some(program_data.key())
            @ BuybackError::WrongProgramData,
    )]
    pub program: Program<'info, Buyback>,
    #[account(
        constraint = program_data.upgrade_authority_address == Some(authority.key())
            @ BuybackError::Unauthorized,
    )]
    pub program_data: Box<Account<'info, ProgramData>>,
    pub system_program: Program<'info, System>,
}

impl Initialize<'_> {
    pub fn initialize(&mut self, version: u8, min_treasury_balance: u64, bump: u8) -> Result<()> {
        let config = Config {
            version,
            bump,
            buyback_enabled: true,
            min_treasury_balance,
            authority: self.authority.key(),
            treasury: self.treasury.key(),
            collection_mint: self.collection_mint.key(),
            pending_authority: None,
        };
        emit!(Initialized {
            version,
            authority: config.authority,
            treasury: config.treasury,
            collection_mint: config.collection_mint,
            min_treasury_balance,
        });
        self.config.set_inner(config);
        Ok(())
    }
}
