use anchor_lang::prelude::*;

#[error_code]
pub enum BuybackError {
    #[msg("Buyback is currently disabled")]
    BuybackDisabled,
    #[msg("Treasury balance would fall below the minimum")]
    InsufficientTreasury,
    #[msg("Amount must be greater than zero")]
    InvalidAmount,
    #[msg("NFT is not in the configured collection")]
    WrongCollection,
    #[msg("NFT collection is not verified")]
    CollectionNotVerified,
    #[msg("NFT has no collection")]
    InvalidMetadata,
    #[msg("Only the authority may do this")]
    Unauthorized,
    #[msg("Treasury does not match the configuration")]
    WrongTreasury,
    #[msg("Account given as program data is not this program's")]
    WrongProgramData,
    #[msg("Token account does not hold the NFT")]
    NotHolder,
    #[msg("Token account is frozen")]
    TokenFrozen,
    #[msg("Token account can be closed by somebody else only")]
    ForeignCloseAuthority,
}
