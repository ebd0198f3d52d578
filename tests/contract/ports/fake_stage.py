"""The stage on the hand-written fakes."""

from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.work import WorkItem
from shared.errors import Refused, Throttled, Unavailable
from shared.ports import Announcement
from tests.contract.ports.stage import KEY_NAME, Call, Stage
from tests.fakes import APPLICATION, CUSTOMER_TENANT, IDENTITY, SUBSCRIPTION, make_world
from tests.fakes.interruptions import Interruptible

SIGNING_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_IDENTITY = IDENTITY.replace("crosskey-keys", "other")
NO_ANSWER = "No answer."
DISABLED = 7000112


class FakeStage(Stage):
    """Contoso on fakes."""

    def __init__(self) -> None:
        self.world = make_world()
        self.vault = self.world.vault.add_vault("contoso-keys", CUSTOMER_TENANT, APPLICATION)
        self.world.credentials.consent(CUSTOMER_TENANT, APPLICATION)
        super().__init__(
            bundle=self.world.bundle,
            tenant_id=CUSTOMER_TENANT,
            application=APPLICATION,
            key=KeyIdentifier(self.vault.host, KEY_NAME),
            account=StorageAccountId(SUBSCRIPTION, "rg-crosskey", "vendordata"),
            identity=IDENTITY,
            other_identity=OTHER_IDENTITY,
            key_bits=3072,
        )

    def now(self) -> datetime:
        return self.world.clock.now()

    def advance(self, by: timedelta) -> None:
        self.world.clock.advance(by)

    def add_version(self, name: str = KEY_NAME, *, tags: dict[str, str] | None = None) -> KeyIdentifier:
        key = self.world.vault.add_version(self.vault, name)
        self.world.vault.change(key, tags=tags or {})
        return key

    def change(
        self,
        key: KeyIdentifier,
        *,
        enabled: bool | None = None,
        not_before: datetime | None = None,
        expires: datetime | None = None,
        operations: frozenset[str] | None = None,
    ) -> None:
        wanted = {"enabled": enabled, "not_before": not_before, "expires": expires, "operations": operations}
        self.world.vault.change(key, **{name: value for name, value in wanted.items() if value is not None})

    def delete_key(self) -> None:
        self.vault.deleted_keys.add(KEY_NAME)

    def close_firewall(self, *, bypass: bool = True) -> None:
        why = "caller is not a trusted service" if bypass else "caller was ignored because bypass is set to None"
        self.vault.firewall_detail = f"Client address is not authorized and {why}."

    def revoke_role(self) -> None:
        self.vault.granted.clear()

    def withdraw_consent(self) -> None:
        self.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION)

    def give_consent(self) -> None:
        self.world.credentials.consent(CUSTOMER_TENANT, APPLICATION)

    def disable_application(self) -> None:
        self.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION, aadsts=DISABLED)

    def add_foreign_key(self) -> KeyIdentifier:
        vault = self.world.vault.add_vault("fabrikam-keys", "30000000-0000-4000-8000-000000000001", APPLICATION)
        return self.world.vault.add_version(vault, KEY_NAME)

    def put_account(
        self, *user_assigned: str, system_assigned: bool = True, account: StorageAccountId | None = None
    ) -> None:
        self.world.accounts.add(account or self.account, user_assigned=user_assigned, system_assigned=system_assigned)

    def take_name(self) -> None:
        self.world.accounts.taken.add(self.account.account_name)

    def remove_account(self) -> None:
        self.world.accounts.remove(self.account)

    async def assign_identity(self, identity: str) -> None:
        present = await self.present()
        self.world.accounts.change(self.account, user_assigned=(*present.user_assigned, identity))

    async def put_scope(self, name: str, key: KeyIdentifier | None = None) -> None:
        self.world.accounts.put_scope(self.account, name, key)

    def sent_updates(self) -> list[dict[str, Any]]:
        return self.world.accounts.requests

    async def take_work(self) -> list[WorkItem]:
        return self.world.queue.take()

    def announced(self) -> list[Announcement]:
        return self.world.notifications.published

    async def lost_work(self) -> dict[str, tuple[str, datetime]]:
        return self.world.fleet.lost_work

    def signed_token(self) -> str:
        self.world.signing_keys.keys["published"] = SIGNING_KEY.public_key()
        return jwt.encode({"aud": "crosskey"}, SIGNING_KEY, algorithm="RS256", headers={"kid": "published"})

    def throttle(self, call: Call, retry_after: timedelta | None) -> None:
        self._port(call).break_before(call, Throttled("Throttled.", retry_after=retry_after))

    def silence(self, call: Call) -> None:
        self._port(call).break_before(call, Unavailable(NO_ANSWER))

    def lose_answer(self, call: Call) -> None:
        self._port(call).break_after(call, Unavailable(NO_ANSWER))

    def refuse(self, call: Call, *, status: int, code: str) -> None:
        self._port(call).break_before(call, Refused("No.", http_status=status, azure_code=code, detail="No."))

    def _port(self, call: Call) -> Interruptible:
        match call:
            case "obtain":
                return self.world.credentials
            case (
                "create" | "follow_creation" | "read" | "update" | "read_subscription" | "read_scopes" | "release_scope"
            ):
                return self.world.accounts
            case "publish":
                return self.world.notifications
            case "find":
                return self.world.signing_keys
            case _:
                return self.world.vault
