"""The directory's RPC services: messages to values and back, nothing else."""
