"""Translates the SDK's errors into our five classes, once, at the edge, with their cause kept.

An error's class says whether the request can have been applied, which decides what the router may
do. Which exception a fault raises, and whether the request can have been applied then, was
measured, not read from documentation. An error in no class counts as "outcome unknown".
"""

from __future__ import annotations

import re
import socket
import ssl

import botocore.exceptions as sdk
from botocore.parsers import ResponseParserError
from pynamodb.exceptions import PynamoDBException

from failover.adapters.clock_skew import clock_skew
from failover.adapters.nameserver import ErrorAnswer, Silence
from failover.core.errors import ErrorClass, Failure, Outcome
from failover.core.phrases import Phrase, phrase

# Refused for now and not applied, also by the control plane or the key management service.
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
# DynamoDB refuses these as mistakes of the caller. A 4xx with any other code (a proxy's page,
# something new) proves nothing.
CALLERS = frozenset(
    {
        "ConditionalCheckFailedException",
        "DuplicateItemException",
        "IdempotentParameterMismatchException",
        "ItemCollectionSizeLimitExceededException",
        "SerializationException",
        "TableAlreadyExistsException",
        "TransactionCanceledException",
        "ValidationException",
    }
)
# One region alone may refuse with these, before it looks at the request: a policy, a replica that
# was removed, a region that is not enabled, credentials that are not valid there, a key of the
# table. Any named error with the status 401 or 403, and any other error of the key management
# service, counts too.
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountProblem",
        "AccountSuspendedException",
        "AllAccessDisabled",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InaccessibleEncryptionCredentialsException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RegionDisabledException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "SubscriptionRequiredException",
        "TableInUseException",
        "TableNotFoundException",
        "TokenRefreshRequired",
        "UnauthorizedOperation",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
)
KEY_MANAGEMENT = "KMS"
TABLE_UNUSABLE = re.compile(r"\b(?:CREATING|DELETING|ARCHIVING|ARCHIVED|INACCESSIBLE_ENCRYPTION_CREDENTIALS|KMS)\b")
"""Words in the message of a ValidationException that is about the table, not about the request."""
NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.NoAuthTokenError,
    sdk.MetadataRetrievalError,
    sdk.ProfileNotFound,
    sdk.SSOError,
    sdk.TokenRetrievalError,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.UnknownCredentialError,
)
# How resolution failed, in words that a class can tell apart. A plain EAI_AGAIN comes from the
# host's resolver, for silence and for SERVFAIL, or means an answer that cannot be read.
DNS_DETAIL = {
    getattr(socket, "EAI_NODATA", -5): phrase("DNS answers empty"),
    socket.EAI_NONAME: phrase("DNS says that there is no such name"),
    socket.EAI_AGAIN: phrase("DNS gives no usable answer"),
    socket.EAI_FAIL: phrase("DNS answers with an error"),
}


class TruncatedReply(Exception):
    """A reply that was cut or changed on its way, or did not come from the region (replies.py)."""


class NothingRead(Exception):
    """A reply to BatchGetItem with every key unprocessed: throttling that is not reported as an
    error.
    """


def classify(error: BaseException) -> Failure:
    """Classifies `error`: its class, the outcome shown to people, and a short detail. Never raises.

    A subclass stands before its base class, so the order of the cases matters.
    """
    cause = _root(error)
    match cause:
        # 1. The transport says how far the request came.
        case sdk.ConnectTimeoutError():
            return Failure(ErrorClass.NOT_SENT, Outcome.CONNECT, phrase("no connection in time"), error)
        case sdk.SSLError():
            # The transport raises these only for a handshake, before anything is sent.
            return no_handshake(cause.kwargs.get("error"), error)
        case sdk.EndpointConnectionError():
            return _not_connected(cause, error)
        case sdk.ReadTimeoutError():
            return _unanswered(Outcome.TIMEOUT, phrase("no reply in time"), cause, error)
        case sdk.ConnectionClosedError():
            return _unanswered(Outcome.CONNECT, phrase("the connection was cut before a reply"), cause, error)
        # 2. The region refused.
        case sdk.ClientError():
            return _refused(cause, error)
        case NothingRead():
            return Failure(ErrorClass.REFUSED, Outcome.THROTTLED, "UnprocessedKeys", error)
        # 3. The SDK sent nothing.
        case _ if isinstance(cause, NO_CREDENTIALS):
            return Failure(ErrorClass.DENIED, Outcome.DENIED, phrase("no usable credentials"), error)
        case sdk.ParamValidationError():
            return Failure(ErrorClass.CALLER, Outcome.DENIED, type(cause).__name__, error)
        # 4. The reply is unusable, or the SDK failed in another way.
        case sdk.HTTPClientError() | ResponseParserError() | TruncatedReply():
            return Failure(
                ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, phrase("the reply broke off or made no sense"), error
            )
        case sdk.BotoCoreError():
            return Failure(ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, type(cause).__name__, error)
        # 5. PynamoDB's own refusals (a missing item, a bad expression) never reach the network.
        case _ if isinstance(error, PynamoDBException) and error.cause is None:
            return Failure(ErrorClass.CALLER, Outcome.DENIED, type(error).__name__, error)
        # 6. The operation itself talked to the network.
        case TimeoutError():
            return Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, phrase("no reply in time"), error)
        case OSError():
            return Failure(ErrorClass.UNKNOWN, Outcome.CONNECT, phrase("the connection broke"), error)
        # 7. A mistake in the operation, which would fail in any region.
        case _:
            return Failure(ErrorClass.CALLER, Outcome.DENIED, type(cause).__name__, error)


def dns_detail(error: socket.gaierror) -> Phrase:
    """How DNS failed, in words that can follow a region's name."""
    match error:
        case Silence():
            return phrase("DNS does not answer")
        case ErrorAnswer():
            return phrase("DNS answers with an error ({code})", code=error.strerror or "")
        case _:
            return DNS_DETAIL.get(error.errno or 0, phrase("DNS gives no address"))


def is_condition_failure(error: BaseException) -> bool:
    """Whether DynamoDB refused a write because its condition did not hold."""
    cause = _root(error)
    return (
        isinstance(cause, sdk.ClientError)
        and cause.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
    )


def _root(error: BaseException) -> BaseException:
    """The SDK's error below PynamoDB's wrapping. (PynamoDB's `cause_response_code` raises
    AttributeError on timeouts, so it is not used.)
    """
    while isinstance(error, PynamoDBException) and error.cause is not None:
        error = error.cause
    return error


def no_handshake(why: BaseException | None, error: BaseException) -> Failure:
    """A TLS handshake that failed because of `why`."""
    match why:
        case ssl.SSLCertVerificationError():
            detail = phrase("the certificate is not valid")
        case TimeoutError():
            detail = phrase("no TLS handshake in time")
        case _:
            detail = phrase("the TLS handshake failed")
    return Failure(ErrorClass.NOT_SENT, Outcome.TLS, detail, error)


def _unanswered(outcome: Outcome, detail: Phrase, cause: sdk.BotoCoreError, error: BaseException) -> Failure:
    return Failure(ErrorClass.UNKNOWN, outcome, detail, error, pooled=cause.kwargs.get("pooled", False))


def _not_connected(cause: sdk.BotoCoreError, error: BaseException) -> Failure:
    match cause.kwargs.get("error"):
        case socket.gaierror() as unresolved:
            return Failure(ErrorClass.NOT_SENT, Outcome.DNS, dns_detail(unresolved), error)
        case ConnectionRefusedError():
            detail = phrase("the connection was refused")
        case _:
            detail = phrase("no connection")
    return Failure(ErrorClass.NOT_SENT, Outcome.CONNECT, detail, error)


def _refused(cause: sdk.ClientError, error: BaseException) -> Failure:
    code = cause.response.get("Error", {}).get("Code", "")
    message = cause.response.get("Error", {}).get("Message", "")
    metadata = cause.response.get("ResponseMetadata", {})
    # PynamoDB's re-raised error carries no HTTP status, but the original below it does.
    if "HTTPStatusCode" not in metadata and isinstance(cause.__cause__, sdk.ClientError):
        metadata = cause.__cause__.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    if code in THROTTLED:
        return Failure(ErrorClass.REFUSED, Outcome.THROTTLED, code, error)
    if status < 500 and _is_denied(code, status, message):
        detail = clock_skew(code, message, metadata.get("HTTPHeaders", {}).get("date", "")) or code
        return Failure(ErrorClass.DENIED, Outcome.DENIED, detail, error)
    if code in CALLERS and status < 500:
        return Failure(ErrorClass.CALLER, Outcome.DENIED, code, error)
    detail = f"HTTP {status}" if code in ("", str(status)) else f"HTTP {status} {code}"
    return Failure(ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, detail, error)


def _is_denied(code: str, status: int, message: str) -> bool:
    """Whether a refusal is about the region, its table or our credentials, not about the request."""
    if code == "ValidationException":
        return TABLE_UNUSABLE.search(message) is not None
    is_named = code not in ("", str(status))
    return code in DENIED or code.startswith(KEY_MANAGEMENT) or (is_named and status in (401, 403))
