//! What the program reports. Every event names the version of the configuration
//! it is about, because several can stand side by side.
use anchor_lang::prelude::*;

#[event]
pub struct Initialized {
    pub version: u8,
    pub authority: Pubkey,
    pub treasury: Pubkey,
    pub collection_mint: Pubkey,
    pub min_treasury_balance: u64,
}

#[event]
pub struct BuybackExecuted {
    pub user: Pubkey,
    pub mint: Pubkey,
    pub treasury: Pubkey,
    /// Lamports paid.
    pub amount: u64,
    pub version: u8,
}

#[event]
pub struct EnabledSet {
    pub enabled: bool,
    pub version: u8,
}

#[event]
pub struct MinTreasuryBalanceSet {
    pub min_treasury_balance: u64,
    pub version: u8,
}

#[event]
pub struct TreasurySet {
    pub treasury: Pubkey,
    pub version: u8,
}

#[event]
pub struct AuthorityProposed {
    pub new_authority: Option<Pubkey>,
    pub version: u8,
}

#[event]
pub struct AuthorityAccepted {
    pub authority: Pubkey,
    pub version: u8,
}
