"""What AWS or its client library refuses, as a sentence and a remedy."""

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from functions.shared.domain.errors import EverscoreError, InputError, UnreachableError

_SIGN_IN = "sign in again, with `aws login`, `aws sso login` or as you did before"
_OTHERWISE = "`everscore local up` starts an embedded stack that has stopped; on AWS check the stack, the role and the network"
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403", "Forbidden"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_GONE = {"NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


def as_shown(error: Exception) -> EverscoreError:
    """Return an InputError if a person can fix it, or that AWS was unreachable."""
    match error:
        case ClientError():
            shown = _answered(error)
        case NoRegionError():
            remedy = "set AWS_DEFAULT_REGION, as in `export AWS_DEFAULT_REGION=eu-central-1`, or `aws configure set region`"
            shown = InputError("no AWS region is set", remedy=remedy, code="no_region")
        case NoCredentialsError() | PartialCredentialsError():
            remedy = "sign in with `aws configure` or `aws sso login`, or set AWS_PROFILE; on this machine `everscore local up` needs none"
            shown = InputError("no AWS credentials are set", remedy=remedy, code="no_credentials")
        case ProfileNotFound():
            remedy = "set AWS_PROFILE to one that `aws configure list-profiles` names"
            shown = InputError(f"AWS profile not found: {error}", remedy=remedy, code="no_credentials")
        case SSOError() | TokenRetrievalError() | LoginError():
            shown = InputError(f"your AWS sign-in has expired: {error}", remedy=_SIGN_IN, code="expired_credentials")
        case ReadTimeoutError() | ConnectTimeoutError():
            remedy = "a function that was asked goes on without this command: look at `everscore status` before you ask again"
            shown = UnreachableError(f"AWS did not answer in time: {error}", remedy=remedy)
        case _:
            shown = UnreachableError(f"AWS did not answer as it should: {error}", remedy=_OTHERWISE)
    return shown


def _answered(error: ClientError) -> EverscoreError:
    shown, asked = error.response.get("Error", {}), error.operation_name
    code, message = str(shown.get("Code", "")), shown.get("Message", "")
    if code in _EXPIRED:
        return InputError(f"your AWS credentials have expired: {message}", remedy=_SIGN_IN, code="expired_credentials")
    if code in _UNKNOWN:
        remedy = "check AWS_PROFILE, AWS_ACCESS_KEY_ID and this machine's clock; `aws sts get-caller-identity` shows who you are"
        return InputError(f"AWS does not know your credentials: {message}", remedy=remedy, code="unknown_credentials")
    if code in _DENIED:
        remedy = "ask who owns the account for this permission, or set AWS_PROFILE to a role that has it"
        return InputError(f"AWS refused {asked}: {message}", remedy=remedy, code="access_denied")
    if code in _THROTTLED:
        return UnreachableError(f"AWS takes no more requests at the moment: {message}", remedy="wait a minute and try again")
    if code in _GONE:
        remedy = "the stack was deleted or made again: `aws cloudformation describe-stacks` lists those that there are"
        return InputError(f"AWS has no such thing: {message} ({asked})", remedy=remedy, code="resource_gone")
    return UnreachableError(f"AWS did not answer as it should: {error}", remedy=_OTHERWISE)
