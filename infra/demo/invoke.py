"""`make invoke`: run each of the image's functions once by `sam local invoke`."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from functions.shared.domain.errors import EverscoreError
from infra.cli.operator import embedded
from infra.demo.once import each_function_once, idle_stack
from infra.local.codedeploy import deployment_hook
from infra.local.containers import container_functions
from infra.local.sam import sam_invoke, sam_serving


def say(line: str) -> None:
    """Print to standard error, which leaves standard output to the manifest."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Invoke all of them and print the manifest of the sample batch."""
    with (
        idle_stack(say) as stack,
        container_functions(stack) as functions,
        sam_serving(functions) as endpoint,
        deployment_hook(functions["scoring"], lambda_endpoint=endpoint, new_version="Scoring") as hook,
    ):
        say(f"sam local start-lambda: {endpoint}, which code_check has score")

        def invoke(function: str, event: Mapping[str, Any]) -> Any:
            say(f"sam local invoke: {function}")
            started = time.monotonic()
            answer = sam_invoke({**functions, "code_check": hook.function}, function, event)
            say(f"  answered after {time.monotonic() - started:.1f} s")
            return answer

        manifest = each_function_once(embedded(stack), invoke, hook.answers)
    print(json.dumps(manifest.model_dump(mode="json", exclude={"profiles", "agreement"}), indent=2))


if __name__ == "__main__":
    try:
        main()
    except EverscoreError as error:
        sys.exit(f"failed: {error}")
