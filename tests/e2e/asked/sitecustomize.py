"""Note what a command asks of AWS; Python loads this first where its folder is in PYTHONPATH."""

import json
import os
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

if os.environ.get("AWS_PROFILE") == os.environ.get("EVERSCORE_OPERATOR_PROFILE"):
    call = BaseClient._make_api_call

    def noting(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        """Write an operation down, with what it is about, and do it."""
        about = {name: value for name, value in parameters.items() if name not in {"Body", "Payload"}}
        line = json.dumps([client.meta.service_model.service_name, operation, about], default=str)
        with Path(os.environ["ASKED"]).open("a") as file:
            file.write(line + "\n")
        return call(client, operation, parameters)

    BaseClient._make_api_call = noting
