"""A small app with one function per trigger and binding; what its functions saw is written to the file of SEEN_FILE."""

import asyncio
import json
import logging
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
logger = logging.getLogger("sample")
_lock = threading.Lock()
_barriers: dict[int, asyncio.Barrier] = {}


def _saw(kind: str, **facts: Any) -> None:
    line = json.dumps({"kind": kind, "pid": os.getpid(), "at": datetime.now(UTC).isoformat(), **facts})
    with _lock, Path(os.environ["SEEN_FILE"]).open("a", encoding="utf-8") as seen:
        seen.write(line + "\n")


@app.route(route="echo/{*path}")
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logger.info("echoing", extra={"path": req.route_params.get("path")})
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode(),
        "invocationId": context.invocation_id,
        "now": datetime.now(UTC).timestamp(),
        "time": time.time(),
    }
    response = func.HttpResponse(json.dumps(seen), mimetype="application/json", status_code=201)
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    response.headers.add("Set-Cookie", "b=2; Secure")
    return response


@app.route(route="items/{id:int}", methods=["GET"])
def item(req: func.HttpRequest) -> str:
    return f"item {req.route_params['id']}"


@app.route(route="fail")
async def fail(req: func.HttpRequest) -> str:
    match req.params.get("how"):
        case "exit":
            raise SystemExit(3)
        case "cancel":
            raise asyncio.CancelledError
        case "hang":
            await asyncio.sleep(600)
        case "block":
            time.sleep(1.5)  # noqa: ASYNC251  blocking the worker's loop is what this case is about
    raise ValueError("on purpose")


@app.route(route="guarded", auth_level=func.AuthLevel.FUNCTION)
def guarded(req: func.HttpRequest) -> str:
    return f"let in by {'header' if 'x-functions-key' in req.headers else 'query'}"


@app.route(route="put", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="made", connection="AzureWebJobsStorage")
def put(req: func.HttpRequest, out: func.Out[str]) -> str:
    out.set(req.get_body().decode())
    return "put"


@app.queue_trigger(arg_name="msg", queue_name="made", connection="AzureWebJobsStorage")
def made(msg: func.QueueMessage) -> None:
    _saw("made", body=msg.get_body().decode())


@app.queue_trigger(arg_name="msg", queue_name="work", connection="AzureWebJobsStorage")
async def work(msg: func.QueueMessage) -> None:
    body = msg.get_json()
    _saw("work", body=body, count=msg.dequeue_count)
    if body.get("seconds"):
        await asyncio.sleep(body["seconds"])
    if msg.dequeue_count <= body.get("failures", 0):
        raise ValueError("not yet")
    _saw("worked", body=body)


@app.queue_trigger(arg_name="msg", queue_name="work-poison", connection="AzureWebJobsStorage")
def work_poison(msg: func.QueueMessage) -> None:
    _saw("poison", body=msg.get_body().decode())


@app.event_grid_trigger(arg_name="event")
async def events(event: func.EventGridEvent) -> None:
    wanted = event.get_json().get("together", 1)
    # Every event waits for all the others of its batch, so the batch ends only if they run in parallel.
    await _barriers.setdefault(wanted, asyncio.Barrier(wanted)).wait()
    _saw("event", id=event.id)
    if event.get_json().get("fails"):
        raise ValueError(f"no {event.id}")


@app.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%")
def sweep(timer: func.TimerRequest) -> None:
    _saw("sweep", past_due=timer.past_due)


@app.event_grid_trigger(arg_name="event")
def cloud_events(event: func.CloudEvent) -> None:
    _saw("cloudEvent", id=event.id, type=event.type)


@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:10")
@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * Mon")
def weekly(timer: func.TimerRequest, context: func.Context) -> None:
    _saw("weekly", past_due=timer.past_due, attempt=context.retry_context.retry_count)
    if context.retry_context.retry_count < 2:
        raise ValueError("not yet")


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
def switched_off(timer: func.TimerRequest) -> None:
    _saw("switchedOff", past_due=timer.past_due)
