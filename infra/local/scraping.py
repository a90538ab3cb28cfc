"""Write a Prometheus configuration, rules and target into a stack's folder."""

import json
import shutil
from pathlib import Path

from infra.places import CODE

FOLDER = "prometheus"
CONFIGURATION = f"{FOLDER}/prometheus.yml"


def write_configuration(stack: Path, metrics_url: str) -> None:
    """Write `CONFIGURATION` and what it names into a stack's folder."""
    ours, theirs = CODE / "infra" / "prometheus", stack / FOLDER
    shutil.copytree(ours / "rules", theirs / "rules", dirs_exist_ok=True)
    shutil.copyfile(ours / "prometheus.yml", stack / CONFIGURATION)
    (theirs / "targets").mkdir(exist_ok=True)
    (theirs / "targets" / "everscore.json").write_text(json.dumps([{"targets": [metrics_url]}]))
