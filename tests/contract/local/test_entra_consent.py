"""The admin consent page: what accepting and cancelling do, and what never becomes a redirect."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from local import names
from local.client import ControlRefused
from tests.running_world import RunningWorld

CONTOSO = "20000000-0000-4000-8000-000000000001"
FABRIKAM = "20000000-0000-4000-8000-000000000002"
QUERY = {"client_id": names.POOL_CLIENT_ID, "redirect_uri": names.CONSENT_REDIRECT_URI, "state": "s1&s2"}
SCOPE = "https://vault.azure.net/.default"


@pytest.fixture
def browser(local_azure: RunningWorld) -> Iterator[httpx.Client]:
    local_azure.control.put_tenant(CONTOSO, "Contoso")
    local_azure.control.put_tenant(FABRIKAM, "Fabrikam")
    with httpx.Client(
        proxy=local_azure.proxy_url,
        verify=local_azure.tls,
        trust_env=False,
        base_url=f"https://{names.ENTRA_HOST}",
    ) as client:
        yield client


def redirect_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 302
    location = answer.headers["location"]
    assert location.startswith(f"{names.CONSENT_REDIRECT_URI}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def is_installed(local_azure: RunningWorld, tenant_id: str) -> bool:
    return local_azure.look(lambda world: names.POOL_CLIENT_ID in world.tenants[tenant_id].service_principals)


def test_the_page_names_the_application_and_offers_both_decisions(browser: httpx.Client) -> None:
    page = browser.get(f"/{CONTOSO}/adminconsent", params=QUERY)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "CrossKey pool-a" in page.text
    assert 'value="accept"' in page.text
    assert 'value="cancel"' in page.text


def test_accepting_installs_the_application_and_redirects(browser: httpx.Client, local_azure: RunningWorld) -> None:
    answer = browser.post(f"/{CONTOSO}/adminconsent", params=QUERY, data={"decision": "accept"})
    assert redirect_of(answer) == {"admin_consent": "True", "tenant": CONTOSO, "state": "s1&s2"}
    assert is_installed(local_azure, CONTOSO)


def test_opening_the_page_alone_installs_nothing(browser: httpx.Client, local_azure: RunningWorld) -> None:
    browser.get(f"/{CONTOSO}/adminconsent", params=QUERY)
    assert not is_installed(local_azure, CONTOSO)


def test_cancelling_the_older_form_says_permission_denied(browser: httpx.Client, local_azure: RunningWorld) -> None:
    answer = redirect_of(browser.post(f"/{CONTOSO}/adminconsent", params=QUERY, data={"decision": "cancel"}))
    assert answer["error"] == "permission_denied"
    assert answer["state"] == "s1&s2"
    assert not is_installed(local_azure, CONTOSO)


def test_version_2_answers_the_scope_as_well(browser: httpx.Client) -> None:
    answer = browser.post(
        f"/{CONTOSO}/v2.0/adminconsent", params={**QUERY, "scope": SCOPE}, data={"decision": "accept"}
    )
    assert redirect_of(answer) == {"admin_consent": "True", "tenant": CONTOSO, "scope": SCOPE, "state": "s1&s2"}


def test_cancelling_version_2_says_consent_required(browser: httpx.Client) -> None:
    answer = browser.post(
        f"/{CONTOSO}/v2.0/adminconsent", params={**QUERY, "scope": SCOPE}, data={"decision": "cancel"}
    )
    said = redirect_of(answer)
    assert said["error"] == "consent_required"
    assert "AADSTS65004" in said["error_description"]


@pytest.mark.parametrize("path", ["/organizations/v2.0/adminconsent", "/common/adminconsent"])
def test_without_a_tenant_in_the_address_the_administrators_own_counts(
    browser: httpx.Client, local_azure: RunningWorld, path: str
) -> None:
    query = {**QUERY, "scope": SCOPE}
    assert f'<option value="{FABRIKAM}">Fabrikam</option>' in browser.get(path, params=query).text
    answer = browser.post(path, params=query, data={"decision": "accept", "tenant": FABRIKAM})
    assert redirect_of(answer)["tenant"] == FABRIKAM
    assert is_installed(local_azure, FABRIKAM)
    assert not is_installed(local_azure, CONTOSO)


@pytest.mark.parametrize(
    ("path", "changes", "code"),
    [
        (f"/{CONTOSO}/adminconsent", {"redirect_uri": "https://evil.example/"}, "AADSTS50011"),
        (f"/{CONTOSO}/adminconsent", {"redirect_uri": f"{names.CONSENT_REDIRECT_URI}/more"}, "AADSTS50011"),
        (f"/{CONTOSO}/adminconsent", {"client_id": FABRIKAM}, "AADSTS700016"),
        (f"/{CONTOSO}/v2.0/adminconsent", {}, "AADSTS900144"),
        ("/common/v2.0/adminconsent", {"scope": SCOPE}, "AADSTS90002"),
        ("/99999999-0000-4000-8000-000000000009/adminconsent", {}, "AADSTS90002"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_request_is_a_page_and_never_a_redirect(
    browser: httpx.Client, method: str, path: str, changes: dict[str, str], code: str
) -> None:
    data = {"decision": "accept"} if method == "POST" else None
    answer = browser.request(method, path, params={**QUERY, **changes}, data=data)
    assert answer.status_code == 400
    assert code in answer.text
    assert "location" not in answer.headers


def test_a_single_tenant_application_cannot_be_installed_elsewhere(
    browser: httpx.Client, local_azure: RunningWorld
) -> None:
    local_azure.control.put_application(
        names.POOL_CLIENT_ID,
        tenantId=names.PROVIDER_TENANT_ID,
        displayName="Narrow",
        multitenant=False,
        redirectUris=[names.CONSENT_REDIRECT_URI],
    )
    answer = browser.post(f"/{CONTOSO}/adminconsent", params=QUERY, data={"decision": "accept"})
    assert answer.status_code == 400
    assert not is_installed(local_azure, CONTOSO)


def test_consenting_twice_keeps_the_service_principal(browser: httpx.Client, local_azure: RunningWorld) -> None:
    with pytest.raises(ControlRefused, match="404"):
        local_azure.control.service_principal(CONTOSO)
    browser.post(f"/{CONTOSO}/adminconsent", params=QUERY, data={"decision": "accept"})
    first = local_azure.control.service_principal(CONTOSO)
    browser.post(f"/{CONTOSO}/adminconsent", params=QUERY, data={"decision": "accept"})
    assert local_azure.control.service_principal(CONTOSO) == first
