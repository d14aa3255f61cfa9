"""The buyback program: burns an NFT and pays for it from the treasury."""
