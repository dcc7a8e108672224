"""The policy engine: a wire-compatible part of its gRPC API (generated) and our adapter to it."""
