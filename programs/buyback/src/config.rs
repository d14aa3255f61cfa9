use anchor_lang::prelude::*;

/// Seeds of a configuration: this, and the version as one byte.
#[constant]
pub const CONFIG_SEED: &[u8] = b"buyback_config";

/// Who may do what, and how far the treasury may fall.
///
/// Several versions can stand side by side, so that an upgrade can be rolled
/// out and rolled back without touching the configuration that is in use.
#[account]
#[derive(InitSpace)]
pub struct Config {
    pub version: u8,
    pub bump: u8,
    pub buyback_enabled: bool,
    /// Lamports that stay in the treasury whatever is bought back.
    pub min_treasury_balance: u64,
    pub authority: Pubkey,
    pub treasury: Pubkey,
    pub collection_mint: Pubkey,
    pub pending_authority: Option<Pubkey>,
}
