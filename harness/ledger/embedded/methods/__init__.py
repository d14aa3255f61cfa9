"""The methods of the RPC interface, by theme."""
