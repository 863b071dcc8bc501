"""`CaseworkService` on the wire."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from recourse.casework.v1 import casework_pb2 as pb
from recourse.casework.v1 import casework_pb2_grpc
from services.casework.evidence import EvidenceRoom
from services.casework.policies import PolicyShelf
from services.casework.register import Register
from services.casework.tasks import Inbox
from services.domain.case import Actor, CaseSnapshot
from services.domain.errors import InvalidArgument
from services.domain.inbox import CaseFilter, Evidence, InboxTask, TaskFilter
from services.domain.policy import Policy
from services.platform.documents import parse, to_json
from services.platform.grpc_server import Context, Mounted, check_message
from services.platform.wire import from_wire, instant_from_wire, to_wire

_PAGE = frozenset({"page"})


@dataclass(frozen=True, slots=True)
class Casework:
    """What the service offers."""

    register: Register
    inbox: Inbox
    evidence: EvidenceRoom
    policies: PolicyShelf


class CaseworkServicer(casework_pb2_grpc.CaseworkServiceServicer):
    def __init__(self, casework: Casework) -> None:
        self._register = casework.register
        self._inbox = casework.inbox
        self._evidence = casework.evidence
        self._policies = casework.policies

    async def PublishCase(self, request: pb.PublishCaseRequest, context: Context) -> pb.PublishCaseResponse:
        snapshot = parse(request.document_json, CaseSnapshot)
        is_newest = await self._register.store.publish(snapshot, request.document_json)
        return pb.PublishCaseResponse(is_newest=is_newest)

    async def GetCase(self, request: pb.GetCaseRequest, context: Context) -> pb.GetCaseResponse:
        document = await self._register.store.find(request.store_id, request.case_id)
        return pb.GetCaseResponse(document_json=document)

    async def ListCases(self, request: pb.ListCasesRequest, context: Context) -> pb.ListCasesResponse:
        wanted = from_wire(request, CaseFilter, ignore=_PAGE)
        documents, cursor = await self._register.page(wanted, request.page.cursor, request.page.limit)
        return pb.ListCasesResponse(document_json=documents, next_cursor=cursor)

    async def ListChanges(self, request: pb.ListChangesRequest, context: Context) -> pb.ListChangesResponse:
        documents, position = await self._register.changes(request.position, request.store_id, request.limit)
        return pb.ListChangesResponse(document_json=documents, next_position=position)

    async def WatchCase(
        self, request: pb.WatchCaseRequest, context: Context
    ) -> AsyncIterator[pb.WatchCaseResponse]:
        async for document in self._register.watch(request.store_id, request.case_id):
            yield pb.WatchCaseResponse(document_json=document)

    async def ListTimeline(
        self, request: pb.ListTimelineRequest, context: Context
    ) -> pb.ListTimelineResponse:
        entries = await self._register.store.timeline(request.store_id, request.case_id)
        return pb.ListTimelineResponse(entries=[to_wire(entry, pb.TimelineEntry) for entry in entries])

    async def OpenTask(self, request: pb.OpenTaskRequest, context: Context) -> pb.OpenTaskResponse:
        task = await self._inbox.store.open(from_wire(request.task, InboxTask))
        return pb.OpenTaskResponse(task=to_wire(task, pb.Task))

    async def GetTask(self, request: pb.GetTaskRequest, context: Context) -> pb.GetTaskResponse:
        task = await self._inbox.store.find(request.store_id, request.task_id)
        return pb.GetTaskResponse(task=to_wire(task, pb.Task))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Context) -> pb.ListTasksResponse:
        wanted = from_wire(request, TaskFilter, ignore=_PAGE)
        tasks, cursor = await self._inbox.page(wanted, request.page.cursor, request.page.limit)
        return pb.ListTasksResponse(tasks=[to_wire(task, pb.Task) for task in tasks], next_cursor=cursor)

    async def ClaimTask(self, request: pb.ClaimTaskRequest, context: Context) -> pb.ClaimTaskResponse:
        actor = from_wire(request.actor, Actor)
        task = await self._inbox.claim(request.store_id, request.task_id, actor)
        return pb.ClaimTaskResponse(task=to_wire(task, pb.Task))

    async def ReleaseTask(self, request: pb.ReleaseTaskRequest, context: Context) -> pb.ReleaseTaskResponse:
        actor = from_wire(request.actor, Actor)
        task = await self._inbox.release(request.store_id, request.task_id, actor)
        return pb.ReleaseTaskResponse(task=to_wire(task, pb.Task))

    async def CompleteTask(
        self, request: pb.CompleteTaskRequest, context: Context
    ) -> pb.CompleteTaskResponse:
        actor = from_wire(request.actor, Actor)
        task = await self._inbox.complete(
            request.store_id, request.task_id, actor, request.outcome, request.note
        )
        return pb.CompleteTaskResponse(task=to_wire(task, pb.Task))

    async def AddEvidence(
        self, request: AsyncIterator[pb.AddEvidenceRequest], context: Context
    ) -> pb.AddEvidenceResponse:
        first = await anext(request, None)
        if first is None or not first.HasField("evidence"):
            raise InvalidArgument("the first message says what the file is")
        check_message(first)
        told = from_wire(first.evidence, Evidence)
        stored = await self._evidence.add(told, _chunks(request))
        return pb.AddEvidenceResponse(evidence=to_wire(stored, pb.Evidence))

    async def GetEvidence(
        self, request: pb.GetEvidenceRequest, context: Context
    ) -> AsyncIterator[pb.GetEvidenceResponse]:
        evidence, chunks = await self._evidence.read(request.store_id, request.evidence_id)
        yield pb.GetEvidenceResponse(evidence=to_wire(evidence, pb.Evidence))
        async for chunk in chunks:
            yield pb.GetEvidenceResponse(chunk=chunk)

    async def PutPolicy(self, request: pb.PutPolicyRequest, context: Context) -> pb.PutPolicyResponse:
        is_new = await self._policies.put(request.store_id, request.document_json)
        return pb.PutPolicyResponse(is_new=is_new)

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Context) -> pb.GetPolicyResponse:
        policy = await self._policies.get(request.policy_id, request.version)
        return pb.GetPolicyResponse(policy=_to_document(policy))

    async def ResolvePolicy(
        self, request: pb.ResolvePolicyRequest, context: Context
    ) -> pb.ResolvePolicyResponse:
        placed_at = instant_from_wire(request.placed_at, "/placed_at")
        policy = await self._policies.resolve(request.store_id, request.market, placed_at)
        return pb.ResolvePolicyResponse(policy=_to_document(policy))


async def _chunks(messages: AsyncIterator[pb.AddEvidenceRequest]) -> AsyncIterator[bytes]:
    """Give the bytes of a whole file; the end of a stream alone may be that of a caller who went away."""
    async for message in messages:
        if message.is_whole:
            return
        if not message.HasField("chunk"):
            raise InvalidArgument("after the first, messages carry bytes")
        yield message.chunk
    raise InvalidArgument("the file broke off")


def _to_document(policy: Policy) -> pb.PolicyDocument:
    return pb.PolicyDocument(
        policy_id=policy.policy_id, version=policy.version, document_json=to_json(policy)
    )


def mount(casework: Casework) -> Mounted:
    servicer = CaseworkServicer(casework)
    name = pb.DESCRIPTOR.services_by_name["CaseworkService"].full_name
    return Mounted(
        name, lambda server: casework_pb2_grpc.add_CaseworkServiceServicer_to_server(servicer, server)
    )
