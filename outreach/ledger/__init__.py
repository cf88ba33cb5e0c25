"""The append-only record: sealed bytes, leaves, Merkle tree and signed checkpoints."""
