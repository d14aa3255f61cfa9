"""Metaplex Token Metadata: name, picture and collection of an NFT."""
