"""What ministack's Step Functions lacks: redriving an execution, what the context object says of it, and a Map's concurrency by path.

This module too is imported by ministack's interpreter and may use nothing but the standard library and ministack.
"""

import contextvars
import json
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

REDRIVABLE = ("FAILED", "ABORTED", "TIMED_OUT")


def mend_step_functions() -> None:
    """Mend the module of ministack in place."""
    service: Any = import_module("ministack.services.stepfunctions")
    take_concurrency_from_input(service)
    tell_of_redrives(service)
    redrive_executions(service)


def take_concurrency_from_input(service: Any) -> None:
    """Make a Distributed Map heed `MaxConcurrencyPath`."""
    run = service._run_distributed_map

    def run_by_path(state: Mapping[str, Any], raw_input: Any, effective: Any, *others: Any) -> Any:
        path = state.get("MaxConcurrencyPath")
        bounded = {**state, "MaxConcurrency": service._resolve_path(path, effective)} if path else state
        return run(bounded, raw_input, effective, *others)

    service._run_distributed_map = run_by_path


def tell_of_redrives(service: Any) -> None:
    """Make the context object name how often an execution was redriven, and its input as it was first."""
    resolve = service._resolve_ctx_path

    def resolve_of_execution(path: str, context: Mapping[str, Any]) -> Any:
        told = context.get("Execution")
        if not told:
            return resolve(path, context)
        execution = service._executions[told["Id"]]
        first = json.loads(execution.get("firstInput", execution["input"]))
        more = {"Input": first, "RedriveCount": execution.get("redriveCount", 0)}
        return resolve(path, {**context, "Execution": {**told, **more}})

    service._resolve_ctx_path = resolve_of_execution


def redrive_executions(service: Any) -> None:
    """Make the service answer `RedriveExecution`: go on from the state that failed, with the input that it had."""
    handle = service.handle_request

    async def handle_redrives(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Any:
        if not headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return await handle(method, path, headers, body, query)
        execution = service._executions.get(json.loads(body)["executionArn"])
        if execution is None or execution["status"] not in REDRIVABLE:
            return service.error_response_json("ExecutionNotRedrivable", "Execution is not redrivable", 400)
        _redrive(service, execution)
        return service.json_response({"redriveDate": service._epoch_seconds(service.now_iso())})

    service.handle_request = handle_redrives


def _redrive(service: Any, execution: dict[str, Any]) -> None:
    arn = execution["stateMachineArn"]
    machine = service._state_machines[arn]
    failed = next(event for event in reversed(execution["events"]) if event["type"].endswith("StateEntered"))["stateEnteredEventDetails"]
    definition = {**json.loads(machine["definition"]), "StartAt": failed["name"]}
    # ministack runs an execution by its machine's definition from the beginning, so there has to be one that begins here.
    service._state_machines[f"{arn}:redriven"] = {**machine, "definition": json.dumps(definition)}
    execution.setdefault("firstInput", execution["input"])
    execution |= {
        "stateMachineArn": f"{arn}:redriven" if not arn.endswith(":redriven") else arn,
        "input": failed["input"],
        "redriveCount": execution.get("redriveCount", 0) + 1,
        "status": "RUNNING",
        "stopDate": None,
        "error": None,
        "cause": None,
    }
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(service._run_execution, execution["executionArn"]), daemon=True).start()
