"""What a fresh interpreter does before it can score: `libraries` imports others' code only, `all` everything.

python -m tests.bench.scoring.cold_start libraries|all STORE MODEL
"""

import sys
from pathlib import Path


def libraries() -> None:
    """The packages that scoring imports before it knows what a file is, and an S3 client."""
    import aws_lambda_powertools
    import botocore.session
    import numpy as np
    import pyarrow.compute
    import pydantic

    botocore.session.get_session().create_client("s3", region_name="us-east-1")
    assert all((aws_lambda_powertools, np, pyarrow, pydantic))


def everything(store: Path, model: str) -> None:
    """The handler's module and its use case with a client, and the model that it would serve."""
    import os

    os.environ |= {
        "EVERSCORE_STACK": "s",
        "EVERSCORE_INBOX": "i",
        "EVERSCORE_STORE": "s",
        "EVERSCORE_PARTITION_ABOVE_MB": "512",
        "EVERSCORE_STATE_MACHINE": "m",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    from functions.scoring.handler import ports
    from functions.scoring.scorers import load_scorers
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.repositories.releases import Releases
    from infra.cli.local_folder import LocalFolder

    ports()
    folder = LocalFolder(store)
    release = Releases(folder).current(model)
    assert release is not None
    load_scorers(release, Bundles(folder))


if __name__ == "__main__":
    what, store, model = sys.argv[1:]
    if what == "libraries":
        libraries()
    else:
        everything(Path(store), model)
