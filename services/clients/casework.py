"""The casework service's client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, TypeAlias

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from recourse.casework.v1 import casework_pb2 as pb
from recourse.casework.v1 import casework_pb2_grpc
from recourse.common.v1 import common_pb2
from services.domain.case import Actor, CaseSnapshot, TimelineEntry
from services.domain.inbox import CaseFilter, Evidence, InboxTask, TaskFilter
from services.domain.order import PolicyRef
from services.domain.policy import Policy
from services.platform.documents import from_json, to_json
from services.platform.grpc_channel import call, stream
from services.platform.grpc_errors import from_rpc
from services.platform.wire import from_wire, to_wire

__all__ = ["CaseFilter", "CaseworkClient", "TaskFilter"]

# A read or one short transaction.
_SECONDS: Final = 3.0
# A file goes over the wire meanwhile.
_FILE_SECONDS: Final = 50.0
# Whoever watches longer asks again; so no watch outlives its watcher for good.
_WATCH_SECONDS: Final = 3600.0
_CHUNK_BYTES: Final = 256 * 1024

# Named here, for inside the class ``list`` is the method.
CasePage: TypeAlias = tuple[list[CaseSnapshot], str]
TaskPage: TypeAlias = tuple[list[InboxTask], str]
Timeline: TypeAlias = list[TimelineEntry]


class CaseworkClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = casework_pb2_grpc.CaseworkServiceStub(channel)
        self._policies: dict[PolicyRef, Policy] = {}

    async def publish(self, snapshot: CaseSnapshot) -> None:
        """Make the snapshot what everybody reads, unless a newer one is known."""
        request = pb.PublishCaseRequest(document_json=to_json(snapshot))
        await call(self._stub.PublishCase, request, pb.PublishCaseResponse, seconds=_SECONDS)

    async def get(self, store_id: str, case_id: str) -> CaseSnapshot:
        """Return a case as last published, without news; an empty ``store_id`` is for services.

        Raises:
            CaseNotFound: If it was never published, or is another store's.
        """
        request = pb.GetCaseRequest(store_id=store_id, case_id=case_id)
        answer = await call(self._stub.GetCase, request, pb.GetCaseResponse, seconds=_SECONDS)
        return from_json(answer.document_json, CaseSnapshot)

    async def list(self, wanted: CaseFilter, cursor: str, limit: int) -> CasePage:
        """Return a page of cases, last updated first, and the next page's cursor (empty on the last)."""
        request = to_wire(wanted, pb.ListCasesRequest, ignore=frozenset({"page"}))
        request.page.CopyFrom(common_pb2.Page(limit=limit, cursor=cursor))
        answer = await call(self._stub.ListCases, request, pb.ListCasesResponse, seconds=_SECONDS)
        return [from_json(document, CaseSnapshot) for document in answer.document_json], answer.next_cursor

    async def changes(self, position: str, limit: int, store_id: str = "") -> CasePage:
        """Return cases that changed after ``position`` (empty: from the beginning), and the next position."""
        request = pb.ListChangesRequest(store_id=store_id, position=position, limit=limit)
        answer = await call(self._stub.ListChanges, request, pb.ListChangesResponse, seconds=_SECONDS)
        return [from_json(document, CaseSnapshot) for document in answer.document_json], answer.next_position

    async def watch(self, store_id: str, case_id: str) -> AsyncIterator[CaseSnapshot]:
        """Give the case now and after every publication.

        Raises:
            CaseNotFound: At the first step, if there is no such case.
            DependencyUnavailable: When the register goes away, and after an hour; watch again.
        """
        request = pb.WatchCaseRequest(store_id=store_id, case_id=case_id)
        async for answer in stream(self._stub.WatchCase(request, timeout=_WATCH_SECONDS)):
            yield from_json(answer.document_json, CaseSnapshot)

    async def timeline(self, store_id: str, case_id: str) -> Timeline:
        """Return what happened in a case, oldest first."""
        request = pb.ListTimelineRequest(store_id=store_id, case_id=case_id)
        answer = await call(self._stub.ListTimeline, request, pb.ListTimelineResponse, seconds=_SECONDS)
        return [from_wire(entry, TimelineEntry) for entry in answer.entries]

    async def open_task(self, task: InboxTask) -> InboxTask:
        """Ask people for something, once per task id; the inbox makes the form."""
        request = pb.OpenTaskRequest(task=to_wire(task, pb.Task))
        answer = await call(self._stub.OpenTask, request, pb.OpenTaskResponse, seconds=_SECONDS)
        return from_wire(answer.task, InboxTask)

    async def task(self, store_id: str, task_id: str) -> InboxTask:
        request = pb.GetTaskRequest(store_id=store_id, task_id=task_id)
        answer = await call(self._stub.GetTask, request, pb.GetTaskResponse, seconds=_SECONDS)
        return from_wire(answer.task, InboxTask)

    async def tasks(self, wanted: TaskFilter, cursor: str, limit: int) -> TaskPage:
        """Return a page of tasks, the soonest due first, and the next page's cursor (empty on the last)."""
        request = to_wire(wanted, pb.ListTasksRequest, ignore=frozenset({"page"}))
        request.page.CopyFrom(common_pb2.Page(limit=limit, cursor=cursor))
        answer = await call(self._stub.ListTasks, request, pb.ListTasksResponse, seconds=_SECONDS)
        return [from_wire(task, InboxTask) for task in answer.tasks], answer.next_cursor

    async def claim_task(self, store_id: str, task_id: str, actor: Actor) -> InboxTask:
        """Take a task for one person, for the time of a lease; taking it again renews the lease.

        Raises:
            TaskNotFound, TaskClaimedByOther, TaskAlreadyCompleted: See each.
        """
        who = to_wire(actor, common_pb2.Actor)
        request = pb.ClaimTaskRequest(store_id=store_id, task_id=task_id, actor=who)
        answer = await call(self._stub.ClaimTask, request, pb.ClaimTaskResponse, seconds=_SECONDS)
        return from_wire(answer.task, InboxTask)

    async def release_task(self, store_id: str, task_id: str, actor: Actor) -> InboxTask:
        who = to_wire(actor, common_pb2.Actor)
        request = pb.ReleaseTaskRequest(store_id=store_id, task_id=task_id, actor=who)
        answer = await call(self._stub.ReleaseTask, request, pb.ReleaseTaskResponse, seconds=_SECONDS)
        return from_wire(answer.task, InboxTask)

    async def complete_task(
        self, store_id: str, task_id: str, actor: Actor, outcome: str, note: str
    ) -> InboxTask:
        """Complete a task that belongs to no case.

        Raises:
            TaskAlreadyCompleted: With who did; the same person's same outcome is a repeat.
            TaskNotFound, TaskClaimedByOther, ActionNotAllowed, InvalidArgument: See each.
        """
        request = pb.CompleteTaskRequest(
            store_id=store_id,
            task_id=task_id,
            actor=to_wire(actor, common_pb2.Actor),
            outcome=outcome,
            note=note,
        )
        answer = await call(self._stub.CompleteTask, request, pb.CompleteTaskResponse, seconds=_SECONDS)
        return from_wire(answer.task, InboxTask)

    async def add_evidence(self, evidence: Evidence, content: AsyncIterator[bytes]) -> Evidence:
        """Store a file; the answer says what its content is.

        What ``evidence`` says already of type, digest and size (if not empty or 0) has to be true.

        Raises:
            CaseClosed: If the case takes no more.
            EvidenceRejected: If the file is too large, of no accepted type, or not what it was said to be.
            IdempotencyConflict: If the evidence id stands for another file.
        """
        upload = _Upload(evidence, content)
        try:
            answer = await self._stub.AddEvidence(upload.messages(), timeout=_FILE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        except asyncio.CancelledError:
            # A source that fails cancels its call, which then looks as if we had been cancelled.
            if upload.failure is not None:
                raise upload.failure from None
            raise
        return from_wire(answer.evidence, Evidence)

    async def evidence(self, store_id: str, evidence_id: str) -> tuple[Evidence, AsyncIterator[bytes]]:
        """Return a piece of evidence, and its bytes as they come."""
        request = pb.GetEvidenceRequest(store_id=store_id, evidence_id=evidence_id)
        parts = stream(self._stub.GetEvidence(request, timeout=_FILE_SECONDS))
        first = await anext(parts)
        return from_wire(first.evidence, Evidence), _chunks(parts)

    async def put_policy(self, store_id: str, document_json: str) -> bool:
        """Load a policy document for a store (empty: for every store); True when the version is new.

        Raises:
            InvalidArgument: If it is no policy document; a problem per fault.
            PolicyBelowStatute: If it grants less than the law; a problem per shortfall.
            IdempotencyConflict: If the version is loaded with another content.
        """
        request = pb.PutPolicyRequest(store_id=store_id, document_json=document_json)
        answer = await call(self._stub.PutPolicy, request, pb.PutPolicyResponse, seconds=_SECONDS)
        return answer.is_new

    async def policy(self, ref: PolicyRef) -> Policy:
        """Return a version of a policy; asked once per process, for a version never changes."""
        known = self._policies.get(ref)
        if known is None:
            request = pb.GetPolicyRequest(policy_id=ref.policy_id, version=ref.version)
            answer = await call(self._stub.GetPolicy, request, pb.GetPolicyResponse, seconds=_SECONDS)
            known = self._policies[ref] = from_json(answer.policy.document_json, Policy)
        return known

    async def resolve_policy(self, store_id: str, market: str, placed_at: datetime) -> PolicyRef:
        """Return the policy an order is sold under: the store's own for that country, else everybody's.

        Raises:
            PolicyNotFound: If none covers the country.
        """
        request = pb.ResolvePolicyRequest(store_id=store_id, market=market, placed_at=_stamp(placed_at))
        answer = await call(self._stub.ResolvePolicy, request, pb.ResolvePolicyResponse, seconds=_SECONDS)
        return PolicyRef(answer.policy.policy_id, answer.policy.version)


class _Upload:
    """A file on its way: what it is, its bytes in pieces that fit a message, and that these were all."""

    def __init__(self, evidence: Evidence, content: AsyncIterator[bytes]) -> None:
        self._evidence = evidence
        self._content = content
        self.failure: Exception | None = None

    async def messages(self) -> AsyncIterator[pb.AddEvidenceRequest]:
        yield pb.AddEvidenceRequest(evidence=to_wire(self._evidence, pb.Evidence))
        try:
            async for piece in self._content:
                for start in range(0, len(piece), _CHUNK_BYTES):
                    yield pb.AddEvidenceRequest(chunk=piece[start : start + _CHUNK_BYTES])
            yield pb.AddEvidenceRequest(is_whole=True)
        except Exception as error:
            self.failure = error
            raise


async def _chunks(parts: AsyncIterator[pb.GetEvidenceResponse]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part.chunk


def _stamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
