"""Everything that can go wrong, as one small tree. A customer's bad state is data, not one of these.

    CrossKeyError
      BadInput             400  a field of the request is wrong; `target` names it
      NotAuthenticated     401  no bearer token, or one that does not hold
      NotAllowed           403  a good token without the needed role
      NotFound             404  no such customer, key, resource or operation
      Conflict             409  another owner, or a state that forbids the request
      PreconditionFailed   412  If-Match names an older revision
      SettingsInvalid      503  one or more settings are missing or malformed, all named
      StaleWrite           503  lost a race for a row; start again from reading
      Unavailable          503  could not tell: time-out, 5xx, cut connection; the call may have taken effect
        Throttled          503  429 with the delay to wait
        NameUnresolved     503  the host has no address
      Refused              502  Azure answered a definite no; carries its codes
      CredentialRefused    502  Microsoft Entra gave no token; carries the AADSTS number
      UnexpectedAnswer     502  an answer that could not be read

`code` is stable and appears in answers and logs. `retryable` says whether waiting can help.
"""

from datetime import timedelta


class CrossKeyError(Exception):
    """Base of every error that CrossKey raises on purpose."""

    code = "InternalError"
    status = 500
    retryable = False

    def __init__(self, message: str, *, target: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.target = target
        if code is not None:
            self.code = code


class BadInput(CrossKeyError):
    """A field of the request is wrong; `target` names the field and the message the remedy."""

    code = "BadInput"
    status = 400


class NotAuthenticated(CrossKeyError):
    """The request carries no acceptable bearer token."""

    code = "NotAuthenticated"
    status = 401


class NotAllowed(CrossKeyError):
    """The caller is known but lacks the role."""

    code = "NotAllowed"
    status = 403


class NotFound(CrossKeyError):
    """The named object does not exist, or the caller may not know of it."""

    code = "NotFound"
    status = 404


class Conflict(CrossKeyError):
    """The request contradicts the present state; repeat it after mending what the message names."""

    code = "Conflict"
    status = 409


class PreconditionFailed(CrossKeyError):
    """`If-Match` did not name the current revision; read again."""

    code = "PreconditionFailed"
    status = 412


class SettingsInvalid(CrossKeyError):
    """Settings are missing or malformed; the message names every one of them."""

    code = "SettingsInvalid"
    status = 503

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("Settings need attention: " + "; ".join(problems))
        self.problems = problems


class StaleWrite(CrossKeyError):
    """Another writer was first; start again from reading."""

    code = "StaleWrite"
    status = 503
    retryable = True


class Unavailable(CrossKeyError):
    """Could not tell: the dependency gave no usable answer, and the call may have taken effect."""

    code = "DependencyUnavailable"
    status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Unavailable):
    """429: wait `retry_after` (None when Azure did not say)."""

    code = "DependencyThrottled"


class NameUnresolved(Unavailable):
    """The host name has no address."""

    code = "DependencyNameUnresolved"


class Refused(CrossKeyError):
    """Azure answered a definite no. `azure_code` is the outer code, `inner_code` the innermost one."""

    code = "RefusedByAzure"
    status = 502

    def __init__(
        self, message: str, *, http_status: int, azure_code: str = "", inner_code: str = "", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.azure_code = azure_code
        self.inner_code = inner_code
        self.detail = detail


class CredentialRefused(CrossKeyError):
    """Microsoft Entra gave no token. `aadsts` is 0 when the number could not be read.

    Microsoft says that the numbers may change, so an unknown one must stay harmless
    (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
    """

    code = "CredentialRefused"
    status = 502

    def __init__(self, message: str, *, aadsts: int, correlation_id: str = "") -> None:
        super().__init__(message)
        self.aadsts = aadsts
        self.correlation_id = correlation_id


class UnexpectedAnswer(CrossKeyError):
    """A dependency answered something that could not be read."""

    code = "UnexpectedAnswer"
    status = 502
    retryable = True
