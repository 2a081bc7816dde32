"""The SDK's errors, translated once, at the edge, with their cause kept.

What an error says about a write decides what the router may do, so each maps to one of five classes (measured, not
read from documentation: which exception a fault raises, and whether the request can have been applied). What is in
none of them counts as "outcome unknown".
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

# Refused for now, and not applied; the control plane's and a key's throttling among them.
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
# What DynamoDB itself refuses as the caller's own business. A 4xx with any other code (a proxy's page, something new)
# says nothing that may be relied on.
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
# What one region alone may say of itself or of us, before it looks at the request: a policy, a replica that was
# removed, a region that is not enabled, credentials that are not valid there, a key of the table. So may whatever has a
# name and comes with the status 401 or 403, and every other word of the key management service.
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
"""What the message of a ValidationException says when it is the table, not the request, that is not valid."""
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
# Resolution ended; what it said differs, and a class wants to see the difference. EAI_AGAIN by itself is the host's
# resolver, which says it of silence and of SERVFAIL, or an answer that cannot be read.
DNS_DETAIL = {
    getattr(socket, "EAI_NODATA", -5): phrase("DNS answers empty"),
    socket.EAI_NONAME: phrase("DNS says that there is no such name"),
    socket.EAI_AGAIN: phrase("DNS gives no usable answer"),
    socket.EAI_FAIL: phrase("DNS answers with an error"),
}


class TruncatedReply(Exception):
    """A reply that is not what the region sent: cut, changed on its way, or somebody else's (replies.py)."""


class NothingRead(Exception):
    """A reply to BatchGetItem in which every key is an unprocessed one: throttling that did not come as an error."""


def classify(error: BaseException) -> Failure:
    """What `error` says about the request: its class, the outcome shown to people, and a short detail. Never raises."""
    cause = _root(error)
    match cause:
        case sdk.ConnectTimeoutError():
            return Failure(ErrorClass.NOT_SENT, Outcome.CONNECT, phrase("no connection in time"), error)
        case sdk.SSLError():
            # The transport raises these for a handshake alone, and before that is over nothing is sent.
            return no_handshake(cause.kwargs.get("error"), error)
        case sdk.EndpointConnectionError():
            return _not_connected(cause, error)
        case sdk.ReadTimeoutError():
            return _unanswered(Outcome.TIMEOUT, phrase("no reply in time"), cause, error)
        case sdk.ConnectionClosedError():
            return _unanswered(Outcome.CONNECT, phrase("the connection was cut before a reply"), cause, error)
        case sdk.ClientError():
            return _refused(cause, error)
        case _ if isinstance(cause, NO_CREDENTIALS):
            return Failure(ErrorClass.DENIED, Outcome.DENIED, phrase("no usable credentials"), error)
        case sdk.ParamValidationError():
            return Failure(ErrorClass.CALLER, Outcome.DENIED, type(cause).__name__, error)
        case sdk.HTTPClientError() | ResponseParserError() | TruncatedReply():
            return Failure(
                ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, phrase("the reply broke off or made no sense"), error
            )
        case NothingRead():
            return Failure(ErrorClass.REFUSED, Outcome.THROTTLED, "UnprocessedKeys", error)
        case sdk.BotoCoreError():
            return Failure(ErrorClass.UNKNOWN, Outcome.SERVER_ERROR, type(cause).__name__, error)
        case _ if isinstance(error, PynamoDBException) and error.cause is None:
            # PynamoDB's own refusals (a missing item, a bad expression) never reached the network.
            return Failure(ErrorClass.CALLER, Outcome.DENIED, type(error).__name__, error)
        case TimeoutError():
            return Failure(ErrorClass.UNKNOWN, Outcome.TIMEOUT, phrase("no reply in time"), error)
        case OSError():
            return Failure(ErrorClass.UNKNOWN, Outcome.CONNECT, phrase("the connection broke"), error)
        case _:
            # A mistake in the operation itself: the caller's business, wherever it is run.
            return Failure(ErrorClass.CALLER, Outcome.DENIED, type(cause).__name__, error)


def dns_detail(error: socket.gaierror) -> Phrase:
    """What DNS said, in words that can follow a region's name."""
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
    """The SDK's error below PynamoDB's wrapping. Its `cause_response_code` raises AttributeError on timeouts, so it
    is not asked.
    """
    while isinstance(error, PynamoDBException) and error.cause is not None:
        error = error.cause
    return error


def no_handshake(why: BaseException | None, error: BaseException) -> Failure:
    """A TLS handshake that `why` put an end to."""
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
    about = cause.response.get("ResponseMetadata", {})
    # PynamoDB's re-raised error carries no HTTP status: the original below it does.
    if "HTTPStatusCode" not in about and isinstance(cause.__cause__, sdk.ClientError):
        about = cause.__cause__.response.get("ResponseMetadata", {})
    status = about.get("HTTPStatusCode", 0)
    if code in THROTTLED:
        return Failure(ErrorClass.REFUSED, Outcome.THROTTLED, code, error)
    if status < 500 and _is_denied(code, status, message):
        detail = clock_skew(code, message, about.get("HTTPHeaders", {}).get("date", "")) or code
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
