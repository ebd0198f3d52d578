"""Well-known names of the local Azure: the provider's side, which exists from the start of every world.

Customers' tenants, vaults and accounts are created by whoever needs them (tests, the demo). The values are fixed,
so that a log line or a recorded exchange can be read without looking anything up; none of them exists in Azure.
"""

from typing import Final

PROVIDER_TENANT_ID: Final = "10000000-0000-4000-8000-000000000001"
PROVIDER_TENANT_NAME: Final = "Provider"
PROVIDER_SUBSCRIPTION_ID: Final = "10000000-0000-4000-8000-000000000002"
RESOURCE_GROUP: Final = "rg-crosskey"
RESOURCE_GROUP_ID: Final = f"/subscriptions/{PROVIDER_SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}"
LOCATION: Final = "westeurope"

API_CLIENT_ID: Final = "10000000-0000-4000-8000-000000000010"
"""The API's own application: the audience of callers' tokens. Not one of the pool."""

POOL_NAME: Final = "pool-a"
POOL_CLIENT_ID: Final = "10000000-0000-4000-8000-00000000000a"
"""The multitenant application that customers consent to."""

KEYS_IDENTITY_NAME: Final = "crosskey-keys"
KEYS_IDENTITY_CLIENT_ID: Final = "10000000-0000-4000-8000-000000000021"
KEYS_IDENTITY_PRINCIPAL_ID: Final = "10000000-0000-4000-8000-000000000022"
KEYS_IDENTITY_RESOURCE_ID: Final = (
    f"{RESOURCE_GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{KEYS_IDENTITY_NAME}"
)

APP_IDENTITY_NAME: Final = "crosskey-app"
APP_IDENTITY_CLIENT_ID: Final = "10000000-0000-4000-8000-000000000031"
APP_IDENTITY_PRINCIPAL_ID: Final = "10000000-0000-4000-8000-000000000032"
APP_IDENTITY_RESOURCE_ID: Final = (
    f"{RESOURCE_GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{APP_IDENTITY_NAME}"
)

ENTRA_HOST: Final = "login.microsoftonline.com"
MANAGEMENT_HOST: Final = "management.azure.com"
APP_HOST: Final = "crosskey.azurewebsites.net"
PUBLIC_URL: Final = f"https://{APP_HOST}"
CONSENT_REDIRECT_URI: Final = f"{PUBLIC_URL}/api/consent/callback"
TOPIC_HOST: Final = "crosskey-notifications.westeurope-1.eventgrid.azure.net"
TOPIC_ENDPOINT: Final = f"https://{TOPIC_HOST}/api/events"

API_ROLES: Final = ("CrossKey.Reader", "CrossKey.Operator", "CrossKey.Admin", "CrossKey.KeyAdministrator")
"""App roles that the API's application defines."""

TOKEN_EXCHANGE_AUDIENCE: Final = "api://AzureADTokenExchange"
VAULT_RESOURCE: Final = "https://vault.azure.net"
MANAGED_HSM_RESOURCE: Final = "https://managedhsm.azure.net"
MANAGEMENT_RESOURCE: Final = "https://management.azure.com"
EVENT_GRID_RESOURCE: Final = "https://eventgrid.azure.net"
STORAGE_RESOURCE: Final = "https://storage.azure.com"

SWEEP_SCHEDULE: Final = "0 */5 * * * *"
