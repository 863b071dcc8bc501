"""The casework service as a process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from services.casework.evidence import EvidenceRoom
from services.casework.files import DiskFiles
from services.casework.folder import documents_in
from services.casework.policies import PolicyShelf
from services.casework.register import Register
from services.casework.repository.cases import CaseRepository
from services.casework.repository.evidence import EvidenceRepository
from services.casework.repository.news import CaseNotifications
from services.casework.repository.policies import PolicyRepository
from services.casework.repository.tasks import TaskRepository
from services.casework.servicer import Casework, mount
from services.casework.settings import CaseworkSettings
from services.casework.tasks import Inbox
from services.domain.errors import RecourseError
from services.platform.grpc_server import Mounted
from services.platform.process import Backing, Compose, run

log = structlog.get_logger()


def composition(settings: CaseworkSettings) -> Compose:
    """Return how the service is wired over its database; the policies of its folder are loaded first."""

    @asynccontextmanager
    async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
        policies = PolicyShelf(PolicyRepository(back.pool))
        await load(policies, settings.policies_dir)
        news = CaseNotifications(back.dsn)
        casework = Casework(
            Register(CaseRepository(back.pool), news, settings.look_seconds),
            Inbox(TaskRepository(back.pool), timedelta(minutes=settings.task_lease_minutes)),
            EvidenceRoom(
                EvidenceRepository(back.pool),
                DiskFiles(settings.data_dir / "evidence"),
                settings.evidence_max_bytes,
            ),
            policies,
        )
        try:
            yield [mount(casework)]
        finally:
            await news.close()

    return compose


async def load(policies: PolicyShelf, folder: Path) -> None:
    """Load a folder of policies; a service does not start under one that it has to refuse."""
    for found in documents_in(folder):
        try:
            is_new = await policies.put(found.store_id, found.document)
        except RecourseError as error:
            faults = [f"{problem.pointer}: {problem.detail}" for problem in error.problems]
            log.exception("policy.refused", file=found.file, reason=error.reason, faults=faults)
            raise
        log.info("policy.loaded", file=found.file, is_new=is_new)


if __name__ == "__main__":
    _settings = CaseworkSettings()
    run(_settings, "casework", _settings.casework_address, composition(_settings))
