"""A small app for the tests of the world around it: says its time and its environment, echoes, and takes webhooks."""

import json
import os
import time

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="time")
def tell_time(req: func.HttpRequest) -> func.HttpResponse:
    del req
    return func.HttpResponse(json.dumps({"time": time.time(), "pid": os.getpid()}))


@app.route(route="echo/{*rest}", methods=["POST", "GET"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {"url": req.url, "method": req.method, "body": req.get_body().decode(), "headers": dict(req.headers)}
    return func.HttpResponse(json.dumps(seen), status_code=207, headers={"X-Echo": "yes"})


@app.route(route="settings")
def settings(req: func.HttpRequest) -> func.HttpResponse:
    del req
    return func.HttpResponse(json.dumps(dict(os.environ)))


@app.route(route="webhook", methods=["POST"])
def webhook(req: func.HttpRequest) -> func.HttpResponse:
    (event,) = req.get_json()
    code = event["data"]["validationCode"]
    return func.HttpResponse(json.dumps({"validationResponse": code}), mimetype="application/json")
