"""Official contracts and recorded traffic that lie beside the project, where they do."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

_FOLDER = Path(os.environ.get("CROSSKEY_WIRE", Path(__file__).parents[4] / "shared" / "wire"))


def folder() -> Path:
    """The folder with `specs` and `recordings`; skips the test where it is missing."""
    if not (_FOLDER / "specs").is_dir():
        pytest.skip("recorded Azure traffic is not here (set CROSSKEY_WIRE to its folder)")
    return _FOLDER


def recording(name: str) -> Any:
    """A recorded exchange or sequence."""
    return json.loads((folder() / "recordings" / name).read_text(encoding="utf-8"))


def disagreements(document: Any, spec: str, definition: str) -> list[str]:
    """Where a document disagrees with a definition: types, required members, and members that it does not have."""
    uri = (folder() / "specs" / spec).as_uri()
    registry: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]  # attrs hides the alias from mypy
    schema = {"$ref": f"{uri}#/definitions/{definition}"}
    validator = Draft4Validator(schema, registry=registry)
    plain = _without_nulls(document)
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(plain)]
    return found + list(_unknown(plain, uri, {"$ref": f"#/definitions/{definition}"}, "$"))


def _retrieve(uri: str) -> Resource[Any]:
    return DRAFT4.create_resource(json.loads(Path(uri.removeprefix("file://")).read_text(encoding="utf-8")))


def _without_nulls(document: Any) -> Any:
    """Azure answers null where its contracts say nothing of it."""
    if isinstance(document, dict):
        return {name: _without_nulls(value) for name, value in document.items() if value is not None}
    return [_without_nulls(each) for each in document] if isinstance(document, list) else document


def _members(uri: str, schema: dict[str, Any]) -> tuple[dict[str, tuple[str, dict[str, Any]]], bool]:
    """The members of a schema with where they are defined, and whether others are allowed by name."""
    uri, schema = _resolve(uri, schema)
    members = {name: (uri, each) for name, each in schema.get("properties", {}).items()}
    is_open = "additionalProperties" in schema or not (members or schema.get("allOf"))
    for each in schema.get("allOf", []):
        inherited, _ = _members(uri, each)
        members = {**inherited, **members}
    return members, is_open


def _resolve(uri: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    while "$ref" in schema:
        target = urljoin(uri, schema["$ref"])
        uri, _, pointer = target.partition("#")
        schema = _retrieve(uri).contents
        for step in pointer.strip("/").split("/"):
            schema = schema[step]
    return uri, schema


def _unknown(document: Any, uri: str, schema: dict[str, Any], path: str) -> list[str]:
    if isinstance(document, list):
        where, resolved = _resolve(uri, schema)
        return [each for item in document for each in _unknown(item, where, resolved.get("items", {}), f"{path}[]")]
    if not isinstance(document, dict):
        return []
    members, is_open = _members(uri, schema)
    found: list[str] = []
    for name, value in document.items():
        if name in members:
            found += _unknown(value, *members[name], f"{path}.{name}")
        elif not is_open:
            found.append(f"{path}.{name}: not in the contract")
    return found
