"""Resource Manager's answers about encryption scopes, member by member."""

from typing import Any

import pytest

from shared.adapters.scope_documents import observe_scope, release_body
from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import KeyIdentifier
from shared.errors import UnexpectedAnswer

OLD, NEW = "1" * 32, "2" * 32
KEY = "https://contoso.vault.azure.net/keys/cmk"


def on_key(**properties: Any) -> dict[str, Any]:
    return {"name": "own", "properties": {"source": "Microsoft.KeyVault", "keyVaultProperties": properties}}


def test_the_version_in_use_is_what_azure_says_it_is_and_not_the_setting() -> None:
    scope = observe_scope(on_key(keyUri=f"{KEY}/{OLD}", currentVersionedKeyIdentifier=f"{KEY}/{NEW}"), PUBLIC)
    assert (scope.name, scope.version, scope.uses_vault, scope.state) == ("own", NEW, True, "Enabled")


def test_a_versioned_setting_tells_the_version_where_a_list_leaves_the_one_in_use_out() -> None:
    assert observe_scope(on_key(keyUri=f"{KEY}/{OLD}"), PUBLIC).version == OLD


def test_a_versionless_setting_alone_tells_the_key_and_no_version() -> None:
    scope = observe_scope(on_key(keyUri=KEY), PUBLIC)
    assert (scope.key, scope.version) == (KeyIdentifier("contoso.vault.azure.net", "cmk"), None)


@pytest.mark.parametrize("uri", ["https://hsm.managedhsm.azure.net/keys/cmk", "nonsense", None, 7])
def test_a_key_that_is_none_of_ours_is_no_key(uri: Any) -> None:
    scope = observe_scope(on_key(keyUri=uri), PUBLIC)
    assert (scope.key, scope.uses_vault) == (None, True)


def test_names_are_read_whatever_their_case() -> None:
    document = {"Name": "own", "Properties": {"Source": "microsoft.keyvault", "KEYVAULTPROPERTIES": {"KeyURI": KEY}}}
    assert observe_scope(document, PUBLIC).uses_vault


@pytest.mark.parametrize("document", [{}, [], None, {"name": "own"}, {"name": "own", "properties": {"source": 1}}])
def test_an_answer_without_name_or_source_is_unexpected(document: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        observe_scope(document, PUBLIC)


def test_a_release_names_the_source_alone() -> None:
    assert release_body() == {"properties": {"source": "Microsoft.Storage"}}
