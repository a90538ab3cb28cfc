"""A sealed file is signed and verified by keys of AWS KMS."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.shared.domain.errors import ImportRefusedError, InputError
from functions.shared.engines.sealed_version import OpenedVersion, open_sealed
from infra.cli.exporting import exportable, write_version
from infra.cli.sealing import check_signature, signed_by
from tests.fakes.versions import MODEL
from tests.integration.retraining.world import trained


@pytest.fixture
def kms() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


def key_of(kms: Any, spec: str = "ECC_NIST_P256", usage: str = "SIGN_VERIFY") -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"])


def exported(kms: Any, key: str | None) -> OpenedVersion:
    out, store = io.BytesIO(), trained().store
    sign = None if key is None else partial(signed_by, key, kms=kms)
    write_version(exportable(MODEL, "1", store), out, store, stack="dev", account=None, data=False, sign=sign)
    return open_sealed(out)


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
def test_a_file_passes_with_the_key_that_signed_it_and_with_no_other(kms: Any, spec: str) -> None:
    ours, theirs = key_of(kms, spec), key_of(kms, spec)
    opened = exported(kms, ours)
    check_signature(opened, ours, kms)
    with pytest.raises(ImportRefusedError, match="was not signed by") as refused:
        check_signature(opened, theirs, kms)
    assert ours.rsplit("/", 1)[1] in refused.value.message


def test_a_file_without_a_signature_is_refused_where_one_is_asked_for(kms: Any) -> None:
    with pytest.raises(ImportRefusedError, match="not signed"):
        check_signature(exported(kms, None), key_of(kms), kms)


def test_a_key_that_signs_nothing_is_refused_before_anything_is_written(kms: Any) -> None:
    with pytest.raises(InputError, match="signs by none of"):
        signed_by(key_of(kms, "RSA_2048", "ENCRYPT_DECRYPT"), b"{}", kms)
