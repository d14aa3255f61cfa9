use anchor_lang::prelude::*;

use crate::{
    AuthorityAccepted, AuthorityProposed, BuybackError, Config, EnabledSet, MinTreasuryBalanceSet,
    TreasurySet, CONFIG_SEED,
};

#[derive(Accounts)]
pub struct Administer<'info> {
    pub authority: Signer<'info>,
    #[account(
        mut,
        seeds = [CONFIG_SEED, &[config.version]],
        bump = config.bump,
        has_one = authority @ BuybackError::Unauthorized,
    )]
    pub config: Box<Account<'info, Config>>,
}

#[derive(Accounts)]
pub struct AcceptAuthority<'info> {
    pub new_authority: Signer<'info>,
    #[account(
        mut,
        seeds = [CONFIG_SEED, &[config.version]],
        bump = config.bump,
        constraint = config.pending_authority == Some(new_authority.key())
            @ BuybackError::Unauthorized,
    )]
    pub config: Box<Account<'info, Config>>,
}

impl Administer<'_> {
    pub fn set_enabled(&mut self, enabled: bool) -> Result<()> {
        self.config.buyback_enabled = enabled;
        emit!(EnabledSet {
            enabled,
            version: self.config.version,
        });
        Ok(())
    }

    pub fn set_min_treasury_balance(&mut self, min_treasury_balance: u64) -> Result<()> {
        self.config.min_treasury_balance = min_treasury_balance;
        emit!(MinTreasuryBalanceSet {
            min_treasury_balance,
            version: self.config.version,
        });
        Ok(())
    }

    pub fn set_treasury(&mut self, treasury: Pubkey) -> Result<()> {
        self.config.treasury = treasury;
        emit!(TreasurySet {
            treasury,
            version: self.config.version,
        });
        Ok(())
    }

    pub fn propose_authority(&mut self, new_authority: Option<Pubkey>) -> Result<()> {
        self.config.pending_authority = new_authority;
        emit!(AuthorityProposed {
            new_authority,
            version: self.config.version,
        });
        Ok(())
    }
}

impl AcceptAuthority<'_> {
    pub fn accept_authority(&mut self) -> Result<()> {
        let config = &mut self.config;
        config.authority = self.new_authority.key();
        config.pending_authority = None;
        emit!(AuthorityAccepted {
            authority: config.authority,
            version: config.version,
        });
        Ok(())
    }
}
