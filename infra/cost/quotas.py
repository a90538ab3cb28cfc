"""Read the dated table of quotas, `quotas.toml`."""

import tomllib
from pathlib import Path

from functions.shared.domain.document import Written

TABLE = Path(__file__).with_name("quotas.toml")


class Quota(Written):
    """A limit of an account, its source, and whether AWS raises it on request."""

    amount: int
    unit: str
    source: str
    adjustable: bool


class Quotas(Written):
    """Every quota that an estimate uses."""

    as_of: str
    lambda_concurrency: Quota
    lambda_ramp_per_10_s: Quota
    sqs_first_functions: Quota
    sqs_ramp_per_minute: Quota
    sqs_concurrency: Quota
    s3_put_per_s: Quota
    s3_get_per_s: Quota
    map_concurrency: Quota
    transitions_per_s: Quota
    object_gb: Quota


def listed_quotas() -> Quotas:
    """Return the project's table."""
    return Quotas.model_validate(tomllib.loads(TABLE.read_text()))
