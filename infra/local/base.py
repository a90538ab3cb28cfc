"""Move the functions' image on to AWS's newest base image: `make base`."""

import re
import subprocess
from pathlib import Path

from infra.local.image import base_image
from infra.places import ROOT

_NAMED_IN = "functions/Dockerfile", "template.yaml"


def newest(tag: str) -> str:
    """Fetch the image that a tag names today, and return its name with its digest."""
    pulled = subprocess.run(["docker", "pull", tag], check=True, stdout=subprocess.PIPE, text=True).stdout
    [digest] = re.findall(r"sha256:[0-9a-f]{64}", pulled)
    return f"{tag}@{digest}"


def move_on(root: Path = ROOT) -> str:
    """Write the newest base image where it is named, and return it."""
    tag = base_image(root).partition("@")[0]
    moved = newest(tag)
    for name in _NAMED_IN:
        file = root / name
        file.write_text(re.sub(rf"{re.escape(tag)}@sha256:[0-9a-f]{{64}}", moved, file.read_text()))
    return moved


if __name__ == "__main__":
    print(move_on())
