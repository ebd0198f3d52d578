"""Stand-ins for the gRPC messages that azure-functions-runtime is given and builds while it indexes an app.

The library takes the messages' module as a parameter and calls the classes with keyword arguments only, so plain
namespaces do; neither grpc nor protobuf is loaded. Invocations go through its native entry and need none of these.
"""

from pathlib import Path
from types import SimpleNamespace


class Message(SimpleNamespace):
    """A message: whatever members it was made with."""


class StatusResult(Message):
    """The outcome of a request to the worker."""

    Failure = 0
    Success = 1


class BindingInfo(Message):
    """A binding as the worker reports it."""

    undefined = 0
    out = 1
    inout = 2


PROTOS = SimpleNamespace(
    WorkerInitResponse=Message,
    WorkerMetadata=Message,
    StatusResult=StatusResult,
    RpcException=Message,
    FunctionMetadataResponse=Message,
    RpcFunctionMetadata=Message,
    BindingInfo=BindingInfo,
    RpcRetryOptions=Message,
)


def init_request(app_directory: Path) -> Message:
    """Make the request that has the worker import and index the app."""
    return Message(
        request=Message(
            worker_init_request=Message(capabilities={}, function_app_directory=str(app_directory)),
        ),
        properties={"protos": PROTOS, "host": "127.0.0.1"},
    )
