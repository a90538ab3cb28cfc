"""Read the dated table of prices, `prices.toml`."""

import tomllib
from pathlib import Path

from functions.shared.domain.document import Written

TABLE = Path(__file__).with_name("prices.toml")


class Price(Written):
    """Dollars per unit, AWS's page, and where else the figure was seen.

    `free` are the monthly free units of every account.
    """

    dollars: float
    source: str
    seen: str = ""
    free: float = 0.0


class Prices(Written):
    """All prices that an estimate uses, by their unit."""

    as_of: str
    region: str
    lambda_x86_64_gb_second: Price
    lambda_arm64_gb_second: Price
    lambda_request: Price
    s3_put: Price
    s3_get: Price
    s3_gb_month: Price
    sqs_request: Price
    eventbridge_event: Price
    scheduler_invocation: Price
    cloudwatch_metric_month: Price
    cloudwatch_alarm_month: Price
    cloudwatch_logs_gb: Price
    ecr_gb_month: Price
    glue_request: Price
    athena_tb: Price
    step_functions_transition: Price
    xray_trace: Price
    kms_key_month: Price
    secret_month: Price
    vpc_endpoint_hour: Price
    nat_gateway_hour: Price
    sns_email: Price
    grafana_editor_month: Price

    def gb_second(self, architecture: str) -> Price:
        """Return Lambda's price of duration on `x86_64` or `arm64`."""
        return {"x86_64": self.lambda_x86_64_gb_second, "arm64": self.lambda_arm64_gb_second}[architecture]


def listed_prices() -> Prices:
    """Return the project's table."""
    return Prices.model_validate(tomllib.loads(TABLE.read_text()))
