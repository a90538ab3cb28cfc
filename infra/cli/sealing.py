"""Signatures of sealed files by keys of AWS KMS."""

import base64
import hashlib
from typing import Any

from botocore.exceptions import ClientError

from functions.shared.domain.errors import ImportRefusedError, InputError
from functions.shared.engines.sealed_version import OpenedVersion, Signature

_ALGORITHMS = ("ECDSA_SHA_256", "RSASSA_PSS_SHA_256")
_INVALID = "KMSInvalidSignatureException"


def signed_by(key: str, content: bytes, kms: Any) -> Signature:
    """Sign the SHA-256 of some content.

    Raises:
        InputError: if the key is not one that signs SHA-256 digests.
    """
    offered = kms.get_public_key(KeyId=key)
    algorithm = next((name for name in _ALGORITHMS if name in offered.get("SigningAlgorithms", ())), None)
    if algorithm is None:
        message = f"the key {key} signs by none of {' and '.join(_ALGORITHMS)}"
        raise InputError(message, remedy="make one with `aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256`")
    signed = kms.sign(KeyId=key, Message=_digest(content), MessageType="DIGEST", SigningAlgorithm=algorithm)
    return Signature(key=offered["KeyId"], algorithm=algorithm, signature=base64.b64encode(signed["Signature"]).decode())


def check_signature(opened: OpenedVersion, key: str, kms: Any) -> None:
    """Check that a sealed file was signed by a key, an ARN or an alias.

    Raises:
        ImportRefusedError: if it bears no signature of this key.
    """
    signature = opened.signature
    if signature is None or signature.algorithm not in _ALGORITHMS:
        message = "the file is not signed"
        raise ImportRefusedError(message, remedy="export it again with --sign-with KEY")
    try:
        valid = kms.verify(
            KeyId=key,
            Message=_digest(opened.sealed_content),
            MessageType="DIGEST",
            Signature=base64.b64decode(signature.signature),
            SigningAlgorithm=signature.algorithm,
        )["SignatureValid"]
    except ClientError as error:
        if error.response["Error"].get("Code") != _INVALID:
            raise
        valid = False
    if not valid:
        message = f"the file was not signed by {key}; it names {signature.key}"
        raise ImportRefusedError(message, remedy="ask who made the file, and do not import it before you know")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
