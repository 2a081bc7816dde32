"""Which refusals are one region's own (class E), and what they say of this host's clock."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    ParamValidationError,
    PartialCredentialsError,
    UnauthorizedSSOTokenError,
)
from pynamodb.exceptions import PutError

from failover.adapters.clock_skew import clock_skew
from failover.adapters.errors import classify
from failover.core.errors import ErrorClass, Outcome
from failover.core.fakes import FakeClock

BEHIND = "Signature expired: 20251201T120000Z is now earlier than 20251201T121000Z (20251201T121500Z - 5 min.)"
AHEAD = "Signature not yet current: 20251201T121500Z is still later than 20251201T120500Z (20251201T120000Z + 5 min.)"


def refused(code: str, message: str = "so it is", *, status: int = 400, date: str = "") -> ClientError:
    headers = {"date": date} if date else {}
    about = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, "PutItem")


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        *(
            (refused(code), ErrorClass.DENIED)
            for code in (
                *("AccessDeniedException", "AccessDenied", "ResourceNotFoundException", "ResourceInUseException"),
                *("ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "OptInRequired"),
                *("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "AccountProblem"),
                *("KMSAccessDeniedException", "KMSInvalidStateException", "KMSDisabledException", "KMSNewException"),
                *("MissingAuthenticationToken", "SubscriptionRequiredException", "UnknownOperationException"),
            )
        ),
        (refused("SomethingNew", status=403), ErrorClass.DENIED),
        (refused("SomethingNew", status=401), ErrorClass.DENIED),
        (refused("ValidationException", "Table is in state INACCESSIBLE_ENCRYPTION_CREDENTIALS"), ErrorClass.DENIED),
        (refused("ValidationException", "The table is ARCHIVED"), ErrorClass.DENIED),
        (CredentialRetrievalError(provider="sso", error_msg="it said no"), ErrorClass.DENIED),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), ErrorClass.DENIED),
        (UnauthorizedSSOTokenError(), ErrorClass.DENIED),
        (refused("KMSThrottlingException"), ErrorClass.REFUSED),
        (refused("LimitExceededException"), ErrorClass.REFUSED),
        (refused("ValidationException", "The provided key element does not match the schema"), ErrorClass.CALLER),
        (refused("ConditionalCheckFailedException"), ErrorClass.CALLER),
        (refused("TransactionCanceledException"), ErrorClass.CALLER),
        (ParamValidationError(report="an item that is none"), ErrorClass.CALLER),
        (refused("AccessDeniedException", status=500), ErrorClass.UNKNOWN),
        (refused("403", status=403), ErrorClass.UNKNOWN),
        (refused("SomethingNew"), ErrorClass.UNKNOWN),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_a_region_says_of_itself_is_told_from_what_is_the_callers(
    error: Exception, error_class: ErrorClass
) -> None:
    assert classify(error).error_class is error_class
    wrapped = classify(PutError("wrapped by PynamoDB", error))
    assert wrapped.error_class is error_class
    assert wrapped.outcome is not Outcome.OK


@pytest.mark.parametrize(
    ("code", "message", "date", "says"),
    [
        ("InvalidSignatureException", BEHIND, "", "this host's clock is 900 s behind"),
        ("InvalidSignatureException", AHEAD, "", "this host's clock is 900 s ahead"),
        ("RequestTimeTooSkewed", "no times", "Mon, 20 Oct 2025 08:00:00 GMT", "this host's clock is 3600 s behind"),
        ("SignatureDoesNotMatch", "no times", "Mon, 20 Oct 2025 06:00:00 GMT", "this host's clock is 3600 s ahead"),
        ("SignatureDoesNotMatch", "a wrong secret", "Mon, 20 Oct 2025 07:00:01 GMT", None),
        ("SignatureDoesNotMatch", "a wrong secret", "no date at all", None),
        ("AccessDeniedException", "20251201T120000Z 20251201T130000Z", "Mon, 20 Oct 2025 08:00:00 GMT", None),
        (
            *("RequestTimeTooSkewed", "no times", ""),
            "this host's clock and the region's differ (RequestTimeTooSkewed)",
        ),
        (
            *("InvalidSignatureException", "Signature expired: 20259999T000000Z 20259999T000001Z", ""),
            "this host's clock and the region's differ (InvalidSignatureException)",
        ),
    ],
)
def test_a_clock_that_is_off_is_named_with_its_distance_where_that_can_be_known(
    code: str, message: str, date: str, says: str | None
) -> None:
    assert clock_skew(code, message, date, clock=FakeClock()) == says


def test_the_reply_of_a_region_names_the_clock_in_the_failures_detail() -> None:
    assert classify(refused("InvalidSignatureException", BEHIND)).detail == "this host's clock is 900 s behind"
    assert classify(PutError("wrapped", refused("InvalidSignatureException", AHEAD))).detail.endswith("900 s ahead")
