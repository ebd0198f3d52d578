"""Encryption scopes in Resource Manager's words: the body of a release, and what an answer says.

`keyUri` is the setting, with or without a version; `currentVersionedKeyIdentifier` is what is really in use. Answers
are read without regard to the case of names.
"""

from typing import Any

from shared.domain.clouds import Cloud
from shared.domain.encryption_scopes import STORAGE_SOURCE, ObservedScope
from shared.domain.identifiers import KeyIdentifier, MalformedIdentifier
from shared.errors import UnexpectedAnswer


def release_body() -> dict[str, Any]:
    """The PATCH body that puts a scope back on Microsoft-managed keys; whether it is enabled stays as it is."""
    return {"properties": {"source": STORAGE_SOURCE}}


def observe_scope(document: Any, cloud: Cloud) -> ObservedScope:
    """Read a scope as Resource Manager answers it. Raises `UnexpectedAnswer`."""
    scope = _folded(document)
    properties = _folded(scope.get("properties"))
    name, source = scope.get("name"), properties.get("source")
    if not isinstance(name, str) or not isinstance(source, str):
        raise UnexpectedAnswer("reading an encryption scope: the answer has no name or source")
    key = _folded(properties.get("keyvaultproperties"))
    return ObservedScope(
        name=name,
        key_source=source,
        key=_key(key.get("currentversionedkeyidentifier") or key.get("keyuri"), cloud),
        state=str(properties.get("state") or "Enabled"),
    )


def _key(text: Any, cloud: Cloud) -> KeyIdentifier | None:
    try:
        return KeyIdentifier.parse(text, cloud=cloud) if isinstance(text, str) and text else None
    except MalformedIdentifier:
        # A key outside Key Vault, such as in a Managed HSM, is not one of ours.
        return None


def _folded(value: Any) -> dict[str, Any]:
    return {str(name).lower(): member for name, member in value.items()} if isinstance(value, dict) else {}
