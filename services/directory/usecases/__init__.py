"""What the directory does for its callers, one function for each RPC."""
