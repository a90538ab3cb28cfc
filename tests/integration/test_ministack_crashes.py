"""ministack's objects and tables after a crash at any step of any write: as before the write or as after it, and never between."""

import json
import subprocess
from pathlib import Path
from typing import Any

from infra.local.ministack import ministack_python
from infra.places import ROOT

CRASHES = """
import hashlib, itertools, json, os, sys
from pathlib import Path
from infra.local.mended_persistence import undo_torn_writes
from ministack.services import s3

BUCKET = "bucket"

def body(key, version):
    found = s3._version_body(s3._buckets[BUCKET], BUCKET, key, version)
    assert hashlib.md5(found).hexdigest() == version["etag"].strip('"'), version
    return found.decode()

def seen():
    objects = s3._buckets[BUCKET]["objects"] if BUCKET in s3._buckets else {}
    return {
        key: {
            "versions": ["deleted" if version.get("is_delete_marker") else body(key, version) for version in s3._object_versions.get((BUCKET, key), [])],
            "newest": s3._read_body(BUCKET, key, objects[key]).decode() if key in objects else None,
        }
        for key in sorted({key for _, key in s3._object_versions} | set(objects))
    }

def put(key, text):
    s3._put_object(BUCKET, key, text.encode(), {})

def delete(key):
    s3._delete_object(BUCKET, key)

def purge(key, place):
    versions = s3._object_versions[(BUCKET, key)]
    s3._delete_object(BUCKET, key, {}, {"versionId": [versions[place]["version_id"]]})

ACTS = [
    (put, "a/k", "1"), (put, "a/k", "2"), (put, "other", "3"), (put, "a/k", "44"), (delete, "a/k"), (put, "a/k", "5"), (purge, "a/k", -1),
    (purge, "a/k", -1), (purge, "a/k", -1), (put, "a/k/below", "6"), (purge, "a/k", 0), (put, "a/k", "7"), (purge, "other", 0),
    (put, "other", "8"), (put, "other", "9"), (purge, "other", -1), (put, "other", "0"),
]

def in_child(act, folder):
    child = os.fork()
    if not child:
        s3.DATA_DIR = str(folder / "objects")
        act(folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def write(crash_at):
    def act(folder):
        steps = itertools.count(1)
        def counted(change):
            def step(*arguments):
                if next(steps) == crash_at:
                    os._exit(9)
                return change(*arguments)
            return step
        os.replace, os.remove = counted(os.replace), counted(os.remove)
        s3._create_bucket(BUCKET, b"")
        s3._bucket_versioning[BUCKET] = "Enabled"
        with (folder / "written").open("w") as file:
            for number, (act, *arguments) in enumerate(ACTS):
                act(*arguments)
                print(json.dumps(seen()), file=file, flush=True)
    return act

def read(folder):
    if sys.argv[2] == "mended":
        undo_torn_writes(folder / "objects", 0.0)
    s3._load_persisted_data()
    (folder / "found").write_text(json.dumps(seen()))

for step in itertools.count(0):
    folder = Path(sys.argv[1], str(step))
    (folder / "objects").mkdir(parents=True)
    crashed = in_child(write(step), folder)
    in_child(read, folder)
    if step and not crashed:
        break
"""


COMMITS = """
import asyncio, json, os, sys
from infra.local.mended_persistence import save_catalogue_at_once
from ministack.core import persistence
from ministack.services import glue

def ask(action, **body):
    headers = {"x-amz-target": f"AWSGlue.{action}"}
    status, _, answer = asyncio.run(glue.handle_request("POST", "/", headers, json.dumps(body).encode(), {}))
    assert status == 200, answer
    return json.loads(answer or "{}")

match sys.argv[1]:
    case "commit":
        save_catalogue_at_once()
        ask("CreateDatabase", DatabaseInput={"Name": "shop"})
        ask("CreateTable", DatabaseName="shop", TableInput={"Name": "scored", "Parameters": {"metadata_location": "0"}})
        for number in range(1, 21):
            ask("UpdateTable", DatabaseName="shop", TableInput={"Name": "scored", "Parameters": {"metadata_location": str(number)}})
            print(number, flush=True)
        os._exit(9)
    case "read":
        glue.load_persisted_state(persistence.load_state("glue") or {})
        print(ask("GetTable", DatabaseName="shop", Name="scored")["Table"]["Parameters"]["metadata_location"])
"""


def test_a_table_of_the_catalogue_does_not_go_back_when_the_process_is_killed(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "PERSIST_STATE": "1", "STATE_DIR": str(tmp_path)}
    command = [str(ministack_python(print)), "-c", COMMITS]
    committed, found = (
        subprocess.run([*command, act], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        for act in ("commit", "read")
    )
    assert (committed.returncode, committed.stdout.split()[-1:]) == (9, ["20"]), committed.stderr
    assert found.stdout.split() == ["20"], found.stderr


def crashes(folder: Path, how: str) -> list[tuple[list[Any], Any]]:
    """What was acknowledged until a crash and what was found afterwards, by the step at which it crashed; first without a crash."""
    environment = {"PYTHONPATH": str(ROOT), "S3_DATA_DIR": str(folder / "none"), "S3_PERSIST": "1", "STATE_DIR": str(folder)}
    command = [str(ministack_python(print)), "-c", CRASHES, str(folder), how]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return [
        (
            [json.loads(line) for line in (step / "written").read_text().splitlines()] if (step / "written").exists() else [],
            json.loads((step / "found").read_text()) if (step / "found").exists() else None,
        )
        for step in steps
    ]


def amiss(outcomes: list[tuple[list[Any], Any]]) -> list[int]:
    """Steps after whose crash something else was found than what stood before the write that it struck, or after that."""
    states = [{}, *outcomes[0][0]]
    return [step for step, (written, found) in enumerate(outcomes) if found not in states[len(written) : len(written) + 2]]


def test_a_crash_at_any_step_leaves_each_object_as_before_the_write_or_as_after_it(tmp_path: Path) -> None:
    outcomes = crashes(tmp_path, "mended")
    assert len(outcomes) > 35
    assert outcomes[0][0][-1] == {
        "a/k": {"versions": ["2", "7"], "newest": "7"},
        "a/k/below": {"versions": ["6"], "newest": "6"},
        "other": {"versions": ["8", "0"], "newest": "0"},
    }
    assert amiss(outcomes) == []


def test_without_the_mending_some_crashes_would_leave_other_bytes(tmp_path: Path) -> None:
    assert amiss(crashes(tmp_path, "as it is"))
