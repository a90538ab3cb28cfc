"""Where the code and the project's own files lie.

They may be in a checkout or in an installed package.

A checkout is both. A package keeps the project's files (template, samples of events, locked requirements) in
`share/everscore` of its environment; `everscore init` copies them to a folder of one's own.
"""

import os
import sysconfig
from pathlib import Path

CODE = Path(__file__).parents[1]
"""The folder of the packages `functions` and `infra`."""

_TEMPLATE = "template.yaml"
_SHARED = Path("share") / "everscore"


def _project_files() -> Path:
    installed = [Path(sysconfig.get_path("data", scheme)) / _SHARED for scheme in (sysconfig.get_default_scheme(), "posix_user")]
    return next((folder for folder in (CODE, *installed) if (folder / _TEMPLATE).exists()), CODE)


ROOT = _project_files()
"""The folder of `template.yaml`, `samconfig.toml`, `events/` and `requirements/`."""


def tools_folder() -> Path:
    """Return the folder of the environments of further tools.

    It is in the checkout or, for a package, in the user's cache.
    """
    if ROOT == CODE:
        return CODE
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "everscore"


def code_of(root: Path) -> Path:
    """Return the folder whose `functions` and `infra` belong to a template.

    The template is in `root`; the folder is its own, or else this code's.
    """
    return root if (root / "functions").is_dir() else CODE


def own_project() -> Path:
    """Return the folder whose template is deployed.

    It is the current one if `everscore init` made it, or else `ROOT`.
    """
    here = Path.cwd()
    return here if (here / _TEMPLATE).exists() and (here / "functions" / "scoring" / "handler.py").exists() else ROOT
