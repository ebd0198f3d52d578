"""Hosts, authorities and audiences of an Azure cloud, in one table.

Only the public cloud is listed so far; a further cloud is a further row and nothing else.
Sources: Key Vault authentication, Microsoft Entra workload identity and Event Grid secure webhook documentation.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One Azure cloud."""

    name: str
    authority: str
    resource_manager: str
    resource_manager_audience: str
    vault_suffix: str
    vault_audience: str
    federation_audience: str
    event_grid_audience: str
    event_grid_application: str
    """Client id of Event Grid's own application, which delivers to webhooks that Microsoft Entra protects."""


PUBLIC = Cloud(
    name="public",
    authority="https://login.microsoftonline.com",
    resource_manager="https://management.azure.com",
    resource_manager_audience="https://management.azure.com",
    vault_suffix=".vault.azure.net",
    vault_audience="https://vault.azure.net",
    federation_audience="api://AzureADTokenExchange",
    event_grid_audience="https://eventgrid.azure.net",
    event_grid_application="4962773b-9cdb-44cf-a8bf-237846a00ab7",
)
