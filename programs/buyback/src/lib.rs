//! NFT buyback: a holder hands in an NFT of the configured collection; it is
//! burnt and paid for from the treasury in one instruction, or neither happens.
//!
//! The price is not decided here. The treasury signs every buyback and thereby
//! vouches for `amount`; the program guarantees what no signature can: that the
//! NFT is of the verified collection and gone afterwards, and that the treasury
//! never pays below its floor or while buybacks are switched off.
use anchor_lang::prelude::*;

mod administer;
mod config;
mod errors;
mod events;
mod execute;
mod initialize;

pub use administer::*;
pub use config::*;
pub use errors::*;
pub use events::*;
pub use execute::*;
pub use initialize::*;

// For local ledgers only: the key of this address is derived from a published
// sentence (programs/buyback/client.py). A real deployment declares its own.
declare_id!("EnaEFT4oda8qNh6ETT9wxZFTC4ucRByeNituR3gyzxPt");

#[program]
pub mod buyback {
    use super::*;

    /// Creates the configuration of one version. Only the program's upgrade
    /// authority may, so that nobody else can take it first.
    pub fn initialize(
        ctx: Context<Initialize>,
        version: u8,
        min_treasury_balance: u64,
    ) -> Result<()> {
        ctx.accounts
            .initialize(version, min_treasury_balance, ctx.bumps.config)
    }

    /// Burns the user's NFT and pays `amount` lamports from the treasury.
    pub fn execute_buyback(ctx: Context<ExecuteBuyback>, amount: u64) -> Result<()> {
        ctx.accounts.execute(amount)
    }

    /// Pauses (`false`) or resumes (`true`) buybacks.
    pub fn set_enabled(ctx: Context<Administer>, enabled: bool) -> Result<()> {
        ctx.accounts.set_enabled(enabled)
    }

    /// Sets the balance in lamports that the treasury never pays below.
    pub fn set_min_treasury_balance(
        ctx: Context<Administer>,
        min_treasury_balance: u64,
    ) -> Result<()> {
        ctx.accounts.set_min_treasury_balance(min_treasury_balance)
    }

    /// Names another treasury, which must sign from then on.
    pub fn set_treasury(ctx: Context<Administer>, treasury: Pubkey) -> Result<()> {
        ctx.accounts.set_treasury(treasury)
    }

    /// First half of handing the authority over; `None` withdraws the proposal.
    pub fn propose_authority(
        ctx: Context<Administer>,
        new_authority: Option<Pubkey>,
    ) -> Result<()> {
        ctx.accounts.propose_authority(new_authority)
    }

    /// Second half: the proposed authority signs that it holds its key.
    pub fn accept_authority(ctx: Context<AcceptAuthority>) -> Result<()> {
        ctx.accounts.accept_authority()
    }
}
