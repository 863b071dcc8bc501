"""The gateway: the public REST surface; it owns who may call, what was asked before, and nothing else."""
