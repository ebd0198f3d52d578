"""Codes of everything that can be wrong with a request itself, one sentence each.

Codes of the domain's errors are in `shared.errors`; the reasons of findings in `shared.domain.reasons`.
"""

from enum import StrEnum


class Problem(StrEnum):
    """Stable codes; `MEANINGS` explains each."""

    ROUTE_NOT_FOUND = "RouteNotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    UNSUPPORTED_MEDIA_TYPE = "UnsupportedMediaType"
    BODY_TOO_LARGE = "BodyTooLarge"
    MISSING_BODY = "MissingBody"
    MALFORMED_JSON = "MalformedJson"
    DUPLICATE_MEMBER = "DuplicateMember"
    NESTED_TOO_DEEPLY = "NestedTooDeeply"
    UNREADABLE_TEXT = "UnreadableText"
    MISSING_FIELD = "MissingField"
    UNKNOWN_FIELD = "UnknownField"
    WRONG_TYPE = "WrongType"
    INVALID_VALUE = "InvalidValue"
    UNKNOWN_QUERY_PARAMETER = "UnknownQueryParameter"
    DUPLICATE_QUERY_PARAMETER = "DuplicateQueryParameter"
    CONTINUATION_TOKEN_MALFORMED = "ContinuationTokenMalformed"  # noqa: S105 - a code, not a secret
    CUSTOMER_ID_MALFORMED = "CustomerIdMalformed"
    NAME_MALFORMED = "NameMalformed"
    OPERATION_ID_MALFORMED = "OperationIdMalformed"
    GUID_MALFORMED = "GuidMalformed"
    RESOURCE_ID_MALFORMED = "ResourceIdMalformed"
    VAULT_RESOURCE_ID_MALFORMED = "VaultResourceIdMalformed"
    KEY_IDENTIFIER_MALFORMED = "KeyIdentifierMalformed"
    VAULT_HOST_NOT_ALLOWED = "VaultHostNotAllowed"


MEANINGS: dict[Problem, str] = {
    Problem.ROUTE_NOT_FOUND: "There is no such route.",
    Problem.METHOD_NOT_ALLOWED: "The route does not answer this method; `Allow` lists those it does.",
    Problem.UNSUPPORTED_MEDIA_TYPE: "A body must be sent as application/json.",
    Problem.BODY_TOO_LARGE: "The body is larger than 64 KiB, or than 1 MiB at the webhook.",
    Problem.MISSING_BODY: "The route needs a JSON body.",
    Problem.MALFORMED_JSON: "The body is not one JSON object in UTF-8.",
    Problem.DUPLICATE_MEMBER: "The body names a member twice.",
    Problem.NESTED_TOO_DEEPLY: "The body is nested more deeply than any body of this API.",
    Problem.UNREADABLE_TEXT: "A text of the body holds a NUL or half of a surrogate pair.",
    Problem.MISSING_FIELD: "A required field is missing.",
    Problem.UNKNOWN_FIELD: "The body has a field that this route does not know.",
    Problem.WRONG_TYPE: "A field has the wrong JSON type.",
    Problem.INVALID_VALUE: "A field has a value that is not allowed.",
    Problem.UNKNOWN_QUERY_PARAMETER: "The route does not know this query parameter.",
    Problem.DUPLICATE_QUERY_PARAMETER: "A query parameter is given more than once.",
    Problem.CONTINUATION_TOKEN_MALFORMED: "The continuation token is not one that this route gave.",
    Problem.CUSTOMER_ID_MALFORMED: "The customer id breaks the naming rule.",
    Problem.NAME_MALFORMED: "The name of a key or resource breaks the naming rule.",
    Problem.OPERATION_ID_MALFORMED: "The operation id is not one that this API gave.",
    Problem.GUID_MALFORMED: "The value is not a GUID.",
    Problem.RESOURCE_ID_MALFORMED: "The resource id is not the ARM id of a storage account.",
    Problem.VAULT_RESOURCE_ID_MALFORMED: "The vault's resource id is not the ARM id of a Key Vault.",
    Problem.KEY_IDENTIFIER_MALFORMED: "The key identifier is not a Key Vault key identifier.",
    Problem.VAULT_HOST_NOT_ALLOWED: "The key identifier's host is not a Key Vault of the configured cloud.",
}
