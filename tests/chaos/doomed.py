"""Runs a module of the stack as ``python -m`` does, but every step it takes may be its last.

``python -m tests.chaos.doomed services.payment``. Nothing of the module is replaced: what it talks through
(the Temporal client, gRPC, the HTTP server) is told of each step on the way.
"""

import os
import re
import runpy
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiosmtplib
import grpc
import httpx2
import temporalio.client
import temporalio.worker
import uvicorn
from temporalio import activity

from deploy.local.places import StatePlaces
from tests.chaos.fate import Fates, Kind, Moment

MODULE = sys.argv[1]
PROCESS = MODULE.rpartition(".")[2]
FATES = Fates(StatePlaces(Path(os.environ["RECOURSE_DATA_DIR"])))
_MESSAGE_ID = re.compile(r"^Message-ID: (.*)$", re.MULTILINE)


class _Client(temporalio.client.OutboundInterceptor):
    """Signals and updates, as they are sent."""

    async def signal_workflow(self, input: temporalio.client.SignalWorkflowInput) -> None:  # noqa: A002
        passing = FATES.come_to(PROCESS, Kind.SIGNAL, input.signal, repr(input.args), repr(input))
        passing.at(Moment.BEFORE)
        await super().signal_workflow(input)
        passing.at(Moment.AFTER)

    async def start_update_with_start_workflow(
        self,
        input: temporalio.client.StartWorkflowUpdateWithStartInput,  # noqa: A002
    ) -> temporalio.client.WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        passing = FATES.come_to(PROCESS, Kind.UPDATE, update.update, str(update.update_id), repr(start.args))
        passing.at(Moment.BEFORE)
        handle = await super().start_update_with_start_workflow(input)
        passing.at(Moment.AFTER)
        return handle


class _Activities(temporalio.worker.ActivityInboundInterceptor):
    """Activities, local ones too, as the worker runs them."""

    async def execute_activity(self, input: temporalio.worker.ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        passing = FATES.come_to(
            PROCESS, Kind.ACTIVITY, info.activity_type, info.activity_id, repr(input.args)
        )
        passing.at(Moment.BEFORE)
        result = await super().execute_activity(input)
        passing.at(Moment.AFTER)
        return result


class Temporal(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Both of them: a client's interceptors are its workers' too."""

    def intercept_client(
        self,
        next: temporalio.client.OutboundInterceptor,  # noqa: A002
    ) -> temporalio.client.OutboundInterceptor:
        return _Client(next)

    def intercept_activity(
        self,
        next: temporalio.worker.ActivityInboundInterceptor,  # noqa: A002
    ) -> temporalio.worker.ActivityInboundInterceptor:
        return _Activities(next)


class Served(grpc.aio.ServerInterceptor):
    """Calls that a service answers: dead after it, what they did is committed, and no answer was given."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not handler.unary_unary or not method.startswith("/recourse."):
            return handler
        behaviour, name = handler.unary_unary, method.rpartition("/")[2]

        async def served(request: Any, context: Any) -> Any:
            text = request.SerializeToString().decode("utf-8", "replace")
            passing = FATES.come_to(PROCESS, Kind.RPC, name, text, text)
            passing.at(Moment.BEFORE)
            answer = await behaviour(request, context)
            passing.at(Moment.AFTER)
            return answer

        codec = (handler.request_deserializer, handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(served, *codec)


class Called(grpc.aio.UnaryUnaryClientInterceptor):
    """Calls that the gateway makes."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        method = client_call_details.method
        name = (method.decode() if isinstance(method, bytes) else method).rpartition("/")[2]
        text = request.SerializeToString().decode("utf-8", "replace")
        passing = FATES.come_to(PROCESS, Kind.CALL, name, text, text)
        passing.at(Moment.BEFORE)
        answer = await (await continuation(client_call_details, request))
        passing.at(Moment.AFTER)
        return answer


def asking(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a client's ``send`` for what a service asks outside.

    Dead after it: the provider has moved the money, and nobody here has noticed.
    """

    async def sent(client: httpx2.AsyncClient, request: httpx2.Request, **more: Any) -> Any:
        if request.method != "POST":
            return await send(client, request, **more)
        text = request.content.decode("utf-8", "replace")
        passing = FATES.come_to(PROCESS, Kind.CALL, _dotted(request.url.path), text, text)
        passing.at(Moment.BEFORE)
        answer = await send(client, request, **more)
        passing.at(Moment.AFTER)
        return answer

    return sent


def mailing(data: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a mail client's ``data``: dead around it, nobody knows whether the letter has left."""

    async def sent(client: aiosmtplib.SMTP, content: bytes, **more: Any) -> Any:
        text = content.decode("ascii", "replace")
        passing = FATES.come_to(PROCESS, Kind.MAIL, "data", " ".join(_MESSAGE_ID.findall(text)), text)
        passing.at(Moment.BEFORE)
        answer = await data(client, content, **more)
        passing.at(Moment.AFTER)
        return answer

    return sent


def _dotted(path: str) -> str:
    return path.strip("/").replace("/", ".")


class Http:
    """Requests that the sandbox answers."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()
        text = message["body"].decode("utf-8", "replace")
        passing = FATES.come_to(PROCESS, Kind.HTTP, _dotted(scope["path"]), text, text)
        passing.at(Moment.BEFORE)
        unread = [message]

        async def received() -> Any:
            return unread.pop() if unread else await receive()

        async def sent(told: Any) -> None:
            passing.at(Moment.AFTER)
            await send(told)

        await self._app(scope, received, sent)


def _with_interceptor(make: Callable[..., Any], interceptor: object) -> Callable[..., Any]:
    """Return ``make`` with one more interceptor, outside of its own."""

    def made(*args: Any, interceptors: Any = (), **more: Any) -> Any:
        return make(*args, interceptors=[interceptor, *(interceptors or ())], **more)

    return made


def main() -> None:
    """Run the module."""
    connect = temporalio.client.Client.connect
    temporalio.client.Client.connect = _with_interceptor(connect, Temporal())  # type: ignore[method-assign]
    grpc.aio.server = _with_interceptor(grpc.aio.server, Served())  # type: ignore[assignment]
    if PROCESS == "gateway":
        grpc.aio.insecure_channel = _with_interceptor(grpc.aio.insecure_channel, Called())  # type: ignore[assignment]
    if PROCESS in {"payment", "warehouse"}:
        httpx2.AsyncClient.send = asking(httpx2.AsyncClient.send)  # type: ignore[method-assign]
    if PROCESS == "notification":
        aiosmtplib.SMTP.data = mailing(aiosmtplib.SMTP.data)  # type: ignore[method-assign]
    if PROCESS == "sandbox":
        run = uvicorn.run
        uvicorn.run = lambda app, **more: run(Http(app), **more)  # type: ignore[assignment]
    sys.argv = [MODULE]
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
