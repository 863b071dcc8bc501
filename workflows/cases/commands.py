"""The commands and facts that every kind of case takes.

Commands are updates: a validator refuses what the case does not take now, the handler notes what was said,
and the answer is the case once it has come to rest on it.
"""

from datetime import datetime, timedelta

from temporalio import workflow

from services.domain.case import CaseSnapshot, CaseStatus, CaseTask, EvidenceRef
from services.domain.errors import (
    ActionNotAllowed,
    CaseClosed,
    InvalidArgument,
    PermissionDenied,
    RecourseError,
)
from services.domain.facts import Fact, FactKind, MessageBounced
from workflows.cases.anatomy import Case, refused
from workflows.messages import (
    AddEvidence,
    AddMessage,
    AddNote,
    Assign,
    CompleteTask,
    Extend,
    Pause,
    Withdraw,
)
from workflows.tasks import Ask

_LONGEST_EXTENSION = timedelta(days=365)
_NEW_OWNER_ANSWERS_WITHIN = timedelta(days=1)
_HANDOVER = "accept_case"


class CommandedCase(Case):
    """A case with the handlers of `workflows.messages`."""

    @workflow.query
    def current(self) -> CaseSnapshot:
        """Return the case as it stands, should the register be behind."""
        return self.snapshot()

    @workflow.query
    def now(self) -> datetime:
        """Return the case's own time."""
        return workflow.now()

    @workflow.signal
    def learn(self, fact: Fact) -> None:
        """Take a fact; a repeat is known by its id."""
        if fact.event_id in self._facts_seen:
            return
        self._facts_seen.add(fact.event_id)
        if fact.kind is FactKind.MESSAGE_BOUNCED and fact.bounce is not None:
            self._message_bounced(fact.bounce)
        else:
            self.take(fact)
        self.news()

    def _message_bounced(self, bounce: MessageBounced) -> None:
        """The customer does not know what we said: a person finds another way."""
        self.record("message_bounced", detail=bounce.template)
        context = {"template": bounce.template, "message_id": bounce.message_id}
        self.later(
            Ask("message_bounced", "agent", "A message did not reach its customer", ("done",), context)
        )

    @workflow.update
    async def open(self) -> CaseSnapshot:
        """Return the case once it has decided and rests (or why it cannot be opened)."""
        await workflow.wait_condition(
            lambda: self.refusal is not None or (not self._has_news() and self.is_opened())
        )
        if self.refusal is not None:
            raise self.refusal
        return self.snapshot()

    @workflow.update
    async def withdraw(self, command: Withdraw) -> CaseSnapshot:
        self.withdrawal = command
        self.record("withdrawn", command.actor, command.reason)
        return await self.answer()

    @withdraw.validator
    def _check_withdraw(self, command: Withdraw) -> None:
        self.check_taken("withdraw")
        if self.withdrawal is not None:
            raise refused(CaseClosed("the case has been withdrawn"))

    @workflow.update
    async def complete_task(self, command: CompleteTask) -> CaseSnapshot:
        task: CaseTask = self.desk.complete(command.task_id, command.outcome, command.actor)
        if task.kind == _HANDOVER and command.outcome == "accept":
            self.file.owner = command.actor.actor_id
        detail = f"{task.kind}: {command.outcome}" + (f" ({command.note})" if command.note else "")
        self.record("task_completed", command.actor, detail)
        return await self.answer()

    @complete_task.validator
    def _check_complete_task(self, command: CompleteTask) -> None:
        try:
            task = self.desk.check(command.task_id, command.outcome)
            if task.kind == _HANDOVER and task.context.get("to") != command.actor.actor_id:
                raise PermissionDenied("the case was offered to somebody else")
        except RecourseError as error:
            raise refused(error) from error

    @workflow.update
    async def add_evidence(self, command: AddEvidence) -> CaseSnapshot:
        given = EvidenceRef(command.evidence_id, command.kind, command.content_type, command.sha256)
        if given not in self.file.evidence:
            self.file.evidence.append(given)
            self.record("evidence_added", command.actor, command.kind)
        return await self.answer()

    @add_evidence.validator
    def _check_add_evidence(self, command: AddEvidence) -> None:
        self._check_running()

    @workflow.update
    async def add_message(self, command: AddMessage) -> CaseSnapshot:
        self.record("message", command.actor, command.text)
        return await self.answer()

    @add_message.validator
    def _check_add_message(self, command: AddMessage) -> None:
        self._check_running()

    @workflow.update
    async def add_note(self, command: AddNote) -> CaseSnapshot:
        self.record("note", command.actor, command.text)
        return await self.answer()

    @add_note.validator
    def _check_add_note(self, command: AddNote) -> None:
        self._check_running()

    @workflow.update
    async def extend(self, command: Extend) -> CaseSnapshot:
        self.waiting.extend(command.until)
        until = f"{command.until:%Y-%m-%d %H:%M}Z"
        self.record("deadline_extended", command.actor, f"until {until}: {command.reason}")
        return await self.answer()

    @extend.validator
    def _check_extend(self, command: Extend) -> None:
        self._check_waiting()
        if not workflow.now() < command.until <= workflow.now() + _LONGEST_EXTENSION:
            raise refused(InvalidArgument("a deadline moves to a time to come, within a year"))
        if self.waiting.deadline is not None and command.until < self.waiting.deadline:
            raise refused(InvalidArgument("a deadline that was promised is not brought forward"))
        if not self.waiting.may_last(command.until):
            raise refused(ActionNotAllowed("the law does not let this wait last so long"))

    @workflow.update
    async def pause(self, command: Pause) -> CaseSnapshot:
        self.waiting.pause()
        self.record("paused", command.actor, command.reason)
        return await self.answer()

    @pause.validator
    def _check_pause(self, command: Pause) -> None:
        self._check_waiting()
        if self.waiting.is_paused:
            raise refused(ActionNotAllowed("the case is paused already"))

    @workflow.update
    async def resume(self, command: Pause) -> CaseSnapshot:
        self.waiting.resume()
        self.record("resumed", command.actor, command.reason)
        return await self.answer()

    @resume.validator
    def _check_resume(self, command: Pause) -> None:
        if not self.waiting.is_paused:
            raise refused(ActionNotAllowed("the case is not paused"))

    @workflow.update
    async def assign(self, command: Assign) -> CaseSnapshot:
        ask = Ask(_HANDOVER, "agent", "Take over a case", ("accept", "decline"), {"to": command.to})
        task = self.desk.open(ask, workflow.now() + _NEW_OWNER_ANSWERS_WITHIN)
        self.lapses(task)
        self.record("owner_offered", command.actor, f"to {command.to}: {command.reason}")
        return await self.answer()

    @assign.validator
    def _check_assign(self, command: Assign) -> None:
        self._check_running()
        if command.to == self.file.owner:
            raise refused(ActionNotAllowed("the case is theirs already"))

    def _check_running(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.file.status is CaseStatus.CLOSED:
            raise refused(CaseClosed(f"the case is closed: {self.file.outcome}"))

    def _check_waiting(self) -> None:
        self._check_running()
        if not self.waiting.is_movable:
            raise refused(ActionNotAllowed("the case waits for nobody"))
