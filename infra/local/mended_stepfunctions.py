"""Add features that ministack's Step Functions lacks.

These are redrives and their fields in the context object, `MaxConcurrencyPath`, and the stored failures of a Map.

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
    keep_failures(service)
    show_redrives(service)
    redrive_executions(service)


def take_concurrency_from_input(service: Any) -> None:
    """Make a Distributed Map heed `MaxConcurrencyPath`."""
    run = service._run_distributed_map

    def run_by_path(state: Mapping[str, Any], raw_input: Any, effective: Any, *others: Any) -> Any:
        path = state.get("MaxConcurrencyPath")
        bounded = {**state, "MaxConcurrency": service._resolve_path(path, effective)} if path else state
        return run(bounded, raw_input, effective, *others)

    service._run_distributed_map = run_by_path


def keep_failures(service: Any) -> None:
    """Make a failed Distributed Map write its failures to its ResultWriter."""
    run, s3 = service._run_distributed_map, import_module("ministack.services.s3")

    def run_and_keep(state: Mapping[str, Any], raw_input: Any, effective: Any, iterator: Any, execution: Any, context: Any) -> Any:
        try:
            return run(state, raw_input, effective, iterator, execution, context)
        except service._ExecutionError:
            place = service._resolve_params_obj(state["ResultWriter"]["Parameters"], effective, context)
            newest = [arn for arn, found in service._map_runs.items() if found["executionArn"] == execution["executionArn"]][-1]
            items = [found for found in service._executions.values() if found.get("mapRunArn") == newest and found["status"] == "FAILED"]
            failed = [
                {name[0].upper() + name[1:]: item[name] for name in ("executionArn", "input", "status", "error", "cause")} for item in items
            ]
            key = f"{place['Prefix'].rstrip('/')}/{newest.rsplit(':', 1)[1]}/FAILED_0.json"
            s3._put_object(place["Bucket"], key, json.dumps(failed).encode(), {})
            raise

    service._run_distributed_map = run_and_keep


def show_redrives(service: Any) -> None:
    """Put the number of redrives and the first input into the context object."""
    resolve = service._resolve_ctx_path

    def resolve_of_execution(path: str, context: Mapping[str, Any]) -> Any:
        shown = context.get("Execution")
        if not shown:
            return resolve(path, context)
        execution = service._executions[shown["Id"]]
        first = json.loads(execution.get("firstInput", execution["input"]))
        more = {"Input": first, "RedriveCount": execution.get("redriveCount", 0)}
        return resolve(path, {**context, "Execution": {**shown, **more}})

    service._resolve_ctx_path = resolve_of_execution


def redrive_executions(service: Any) -> None:
    """Make the service answer `RedriveExecution`: go on from the failed state.

    The state gets the input that it had.
    """
    handle = service.handle_request

    async def handle_redrives(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Any:
        if not headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return await handle(method, path, headers, body, query)
        execution = service._executions.get(json.loads(body)["executionArn"])
        if execution is None or execution["status"] not in REDRIVABLE:
            return service.error_response_json("ExecutionNotRedrivable", "Execution is not redrivable", 400)
        redrive(service, execution)
        return service.json_response({"redriveDate": service._epoch_seconds(service.now_iso())})

    service.handle_request = handle_redrives


def redrive(service: Any, execution: dict[str, Any]) -> None:
    """Have an execution go on from the state that failed."""
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
