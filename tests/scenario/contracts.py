"""Recorded calls against Azure's published contracts (swagger), which lie beside the project where they do.

The operation of a call is found by method and path. Its request and answer are held against the schemas (JSON Schema
draft 4, which swagger is a kind of) and their members against the names that the contract knows.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SPECS = Path(__file__).parents[3] / "shared" / "wire" / "specs"
# The newest document there is of each service; a newer api-version is held against it.
DOCUMENTS = {
    "keyvault": ("keyvault-data-7.5-keys.json",),
    "arm": (
        "storage-2023-05-01.json",
        "keyvault-mgmt-2023-07-01-keyvault.json",
        "msi-2023-01-31-ManagedIdentity.json",
    ),
    "eventgrid": ("eventgrid-data-2018-01-01-EventGrid.json",),
}


@dataclass(frozen=True)
class Operation:
    """One operation of one document."""

    uri: str
    path: str
    definition: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]
    variables: int

    def schema_of_request(self) -> dict[str, Any] | None:
        """The schema of the body, where the operation takes one."""
        for parameter in self.parameters:
            if parameter.get("in") == "body":
                return dict(parameter["schema"])
        return None

    def schema_of_answer(self, status: int) -> dict[str, Any] | None:
        """The schema of the answer with that status; None when the status is not in the contract."""
        responses = self.definition["responses"]
        found = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
        return None if found is None else dict(found.get("schema", {}))


def disagreements(call: Mapping[str, Any]) -> list[str] | None:
    """Where a recorded call disagrees with its contract; None when no document has its operation."""
    operation = find_operation(str(call["service"]), str(call["method"]), str(call["path"]))
    if operation is None:
        return None
    found = list(_of_query(operation, str(call["query"])))
    request = operation.schema_of_request()
    body = call["requestBody"]
    if body is not None and request is None:
        found.append("request: the operation takes no body")
    elif body is not None and request is not None:
        found += [f"request {each}" for each in _of_document(body, operation.uri, request)]
    answer = operation.schema_of_answer(int(call["status"]))
    if answer is None:
        found.append(f"answer: status {call['status']} is not in the contract")
    elif answer and call["responseBody"] is not None:
        found += [f"answer {each}" for each in _of_document(call["responseBody"], operation.uri, answer)]
    where = f"{call['method']} {call['path']} {call['status']}"
    return [f"{where}: {each}" for each in found]


def find_operation(service: str, method: str, path: str) -> Operation | None:
    """The operation whose method and path template fit; the one with the fewest variables if several do."""
    # The contract of topics has one path for all schemas; a key's last part, its version, may be left out.
    paths = ("?overload=cloudEvent",) if service == "eventgrid" else (path, f"{path}/")
    fitting = [
        operation
        for pattern, its_method, operation in _operations(service)
        if its_method == method and any(pattern.fullmatch(each) for each in paths)
    ]
    return min(fitting, key=lambda operation: operation.variables, default=None)


@cache
def _operations(service: str) -> list[tuple[re.Pattern[str], str, Operation]]:
    found: list[tuple[re.Pattern[str], str, Operation]] = []
    for name in DOCUMENTS.get(service, ()):
        uri = (SPECS / name).as_uri()
        document = _load(uri)
        for template, item in {**document["paths"], **document.get("x-ms-paths", {})}.items():
            for method, definition in item.items():
                if method == "parameters":
                    continue
                raw = [*item.get("parameters", []), *definition.get("parameters", [])]
                parameters = tuple(_resolve(uri, each)[1] for each in raw)
                operation = Operation(uri, template, definition, parameters, template.count("{"))
                found.append((_pattern(template, parameters), method.upper(), operation))
    return found


def _pattern(template: str, parameters: tuple[Mapping[str, Any], ...]) -> re.Pattern[str]:
    raw = {each["name"] for each in parameters if each.get("x-ms-skip-url-encoding")}
    parts = re.split(r"(\{[^}]+\})", template)
    made = ["(?:.+)" if part[1:-1] in raw else "[^/]*" if part.startswith("{") else re.escape(part) for part in parts]
    return re.compile("".join(made), re.IGNORECASE)


def _of_query(operation: Operation, query: str) -> Iterator[str]:
    # A nextLink is the service's own; a client follows it as it is.
    known = {"$skiptoken", *(each["name"] for each in operation.parameters if each.get("in") == "query")}
    for pair in query.split("&"):
        name = pair.partition("=")[0]
        if name and name not in known:
            yield f"query: {name} is not in the contract"


def _of_document(document: Any, uri: str, schema: dict[str, Any]) -> Iterator[str]:
    plain = _without_nulls(document)
    registry: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]  # attrs hides the alias from mypy
    validator = Draft4Validator(_absolute(schema, uri), registry=registry)
    for error in validator.iter_errors(plain):
        yield f"{error.json_path}: {error.message}"
    yield from _unknown(plain, uri, schema, "$")


def _absolute(schema: Any, uri: str) -> Any:
    if isinstance(schema, dict):
        return {
            name: urljoin(uri, value) if name == "$ref" and isinstance(value, str) else _absolute(value, uri)
            for name, value in schema.items()
        }
    return [_absolute(each, uri) for each in schema] if isinstance(schema, list) else schema


def _retrieve(uri: str) -> Resource[Any]:
    return DRAFT4.create_resource(_load(uri))


@cache
def _load(uri: str) -> Any:
    return json.loads(Path(uri.removeprefix("file://")).read_text(encoding="utf-8"))


def _resolve(uri: str, schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    while "$ref" in schema:
        uri, _, pointer = urljoin(uri, schema["$ref"]).partition("#")
        schema = _load(uri)
        for step in pointer.strip("/").split("/"):
            schema = schema[step]
    return uri, schema


def _without_nulls(document: Any) -> Any:
    """Azure answers null where its contracts say nothing of it."""
    if isinstance(document, dict):
        return {name: _without_nulls(value) for name, value in document.items() if value is not None}
    return [_without_nulls(each) for each in document] if isinstance(document, list) else document


def _members(uri: str, schema: Mapping[str, Any]) -> tuple[dict[str, tuple[str, Mapping[str, Any]]], bool]:
    """The members of a schema with where they are defined, and whether any other name is allowed."""
    uri, schema = _resolve(uri, schema)
    members = {name: (uri, each) for name, each in schema.get("properties", {}).items()}
    for each in schema.get("allOf", []):
        members = {**_members(uri, each)[0], **members}
    is_open = "additionalProperties" in schema or not (members or schema.get("allOf"))
    return members, is_open


def _unknown(document: Any, uri: str, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if isinstance(document, list):
        where, resolved = _resolve(uri, schema)
        for item in document:
            yield from _unknown(item, where, resolved.get("items", {}), f"{path}[]")
    elif isinstance(document, dict):
        members, is_open = _members(uri, schema)
        for name, value in document.items():
            if name in members:
                yield from _unknown(value, *members[name], f"{path}.{name}")
            elif not is_open:
                yield f"{path}.{name}: not in the contract"
