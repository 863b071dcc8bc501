"""The casework service in memory: policies, and the register of cases and tasks."""

from dataclasses import dataclass, field, replace

from services.domain.case import CaseSnapshot, CaseTask, TaskState, TimelineEntry
from services.domain.errors import CaseNotFound, IdempotencyConflict, PolicyNotFound, TaskNotFound
from services.domain.ids import CaseId, TaskId
from services.domain.inbox import InboxTask, completion_form
from services.domain.order import PolicyRef
from services.domain.policy import Policy
from tests.fakes.switchboard import Switchboard


@dataclass
class FakePolicies:
    board: Switchboard
    _policies: dict[PolicyRef, Policy] = field(default_factory=dict)

    def load(self, policy: Policy) -> PolicyRef:
        """Make a version known; a known one never changes."""
        ref = PolicyRef(policy.policy_id, policy.version)
        if self._policies.setdefault(ref, policy) != policy:
            raise IdempotencyConflict("the version is known otherwise")
        return ref

    async def policy(self, ref: PolicyRef) -> Policy:
        with self.board.call("casework", "policy", ref.policy_id):
            if ref not in self._policies:
                raise PolicyNotFound("there is no such version")
            return self._policies[ref]


@dataclass
class FakeRegister:
    """``cases`` holds the newest snapshot of each case, ``timelines`` every entry ever published."""

    board: Switchboard
    cases: dict[CaseId, CaseSnapshot] = field(default_factory=dict)
    tasks: dict[TaskId, InboxTask] = field(default_factory=dict)
    _timelines: dict[CaseId, dict[str, TimelineEntry]] = field(default_factory=dict)
    _sequences: dict[TaskId, int] = field(default_factory=dict)

    async def publish(self, snapshot: CaseSnapshot) -> None:
        with self.board.call("casework", "publish", f"{snapshot.case_id}/{snapshot.sequence}"):
            known = self.cases.get(snapshot.case_id)
            if known is None or known.sequence < snapshot.sequence:
                self.cases[snapshot.case_id] = snapshot
                self.board.done("casework", "published", f"{snapshot.case_id}/{snapshot.sequence}")
            timeline = self._timelines.setdefault(snapshot.case_id, {})
            for entry in snapshot.timeline:
                timeline.setdefault(entry.entry_id, entry)
            for task in snapshot.tasks:
                if self._sequences.get(task.task_id, -1) < snapshot.sequence:
                    self._sequences[task.task_id] = snapshot.sequence
                    self.tasks[task.task_id] = self._as_asked(snapshot, task)

    async def open_task(self, task: InboxTask) -> InboxTask:
        with self.board.call("casework", "open_task", task.task_id):
            asked = replace(task, form_json=completion_form(task.outcomes))
            if task.task_id not in self.tasks:
                self.board.done("casework", "task_opened", task.task_id)
            if self.tasks.setdefault(task.task_id, asked) != asked:
                raise IdempotencyConflict("the task was opened otherwise")
            return asked

    async def get(self, store_id: str, case_id: str) -> CaseSnapshot:
        """Return a case as last published, without news."""
        with self.board.call("casework", "get", case_id):
            known = self.cases.get(CaseId(case_id))
            if known is None or store_id not in {"", known.store_id}:
                raise CaseNotFound("there is no such case")
            return replace(known, timeline=(), tasks=())

    async def task(self, store_id: str, task_id: str) -> InboxTask:
        with self.board.call("casework", "task", task_id):
            known = self.tasks.get(TaskId(task_id))
            if known is None or known.store_id != store_id:
                raise TaskNotFound("there is no such task")
            return known

    def timeline(self, case_id: str) -> list[TimelineEntry]:
        """Return what happened in a case, in the order it was numbered."""
        entries = self._timelines.get(CaseId(case_id), {}).values()
        return sorted(entries, key=lambda entry: int(entry.entry_id.rsplit("/", 1)[1]))

    def _as_asked(self, snapshot: CaseSnapshot, task: CaseTask) -> InboxTask:
        """Return a case's task as staff see it; one that is asked for again stays as far as it was."""
        new = _inbox_task(snapshot, task)
        known = self.tasks.get(task.task_id)
        if known is not None and new.state is TaskState.OPEN:
            return replace(new, state=known.state, outcome=new.outcome or known.outcome)
        return new


def _inbox_task(snapshot: CaseSnapshot, task: CaseTask) -> InboxTask:
    return InboxTask(
        task_id=task.task_id,
        store_id=snapshot.store_id,
        queue=task.queue,
        kind=task.kind,
        title=task.title,
        due_at=task.due_at,
        state=task.state,
        case_id=snapshot.case_id,
        form_json=completion_form(task.outcomes),
        context=task.context,
        outcome=task.outcome,
        outcomes=task.outcomes,
    )
