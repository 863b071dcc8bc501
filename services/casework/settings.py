"""What the casework service is told by its environment."""

from pathlib import Path

from services.platform.settings import ServiceSettings


class CaseworkSettings(ServiceSettings):
    """``policies_dir`` holds the policy documents loaded at the start; evidence lies under ``data_dir``.

    Whoever watches a case looks by itself every ``look_seconds``: news of it may be lost.
    """

    policies_dir: Path = Path("deploy/policies")
    evidence_max_bytes: int = 20 * 1024 * 1024
    task_lease_minutes: int = 15
    look_seconds: float = 2.0
