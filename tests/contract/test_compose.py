"""What `infra/local/compose.yaml` mounts and asks for is there; that Docker brings it up nothing here can show."""

import re
from pathlib import Path

import yaml

from infra.local.stacks import Stack
from tests.contract.template import ROOT

FILE = ROOT / "infra" / "local" / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text())
CONTAINER = "/etc/prometheus"


def test_each_mounted_path_exists_and_is_only_read() -> None:
    mounts = [mount.split(":") for service in COMPOSE["services"].values() for mount in service["volumes"]]
    assert len(mounts) >= 4
    for path, _, mode in mounts:
        assert (FILE.parent / path).exists(), path
        assert mode == "ro"


def test_prometheus_finds_its_configuration_rules_and_targets_where_they_are_mounted() -> None:
    service = COMPOSE["services"]["prometheus"]
    mounted = {target: FILE.parent / path for path, target, _ in (mount.split(":") for mount in service["volumes"])}
    assert f"--config.file={CONTAINER}/prometheus.yml" in service["command"]
    configuration = yaml.safe_load(mounted[f"{CONTAINER}/prometheus.yml"].read_text())
    assert [str(Path(pattern).parent) for pattern in configuration["rule_files"]] == ["rules"]
    assert list(mounted[f"{CONTAINER}/rules"].glob("*.yml"))
    [looked_up] = configuration["scrape_configs"][0]["file_sd_configs"][0]["files"]
    [config] = service["configs"]
    assert Path(config["target"]).match(f"{CONTAINER}/{looked_up}")


def test_all_that_is_listened_on_is_the_loopback_interface() -> None:
    text = FILE.read_text()
    assert "--web.listen-address=127.0.0.1:9090" in COMPOSE["services"]["prometheus"]["command"]
    assert COMPOSE["services"]["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert "0.0.0.0" not in text
    assert all("ports" not in service for service in COMPOSE["services"].values())


def test_each_variable_is_one_that_local_env_prints() -> None:
    plain = dict.fromkeys(("name", "folder", "endpoint", "mlflow_uri", "metrics_url", "inbox", "store"), "x")
    printed = Stack.model_validate(plain | {"functions": {}, "outputs": {}}).env()
    assert set(re.findall(r"\$\{(\w+)", FILE.read_text())) <= set(printed)


def test_grafana_has_each_variable_that_its_provisioning_names() -> None:
    provisioning = (ROOT / "infra" / "grafana" / "provisioning").rglob("*.yaml")
    named = {variable for file in provisioning for variable in re.findall(r"\$([A-Z][A-Z_]+)", file.read_text())}
    assert named <= set(COMPOSE["services"]["grafana"]["environment"])
    assert named >= {"PROMETHEUS_URL", "EVERSCORE_PAGES"}


def test_images_are_pinned() -> None:
    assert all(re.search(r":v?\d+\.\d+\.\d+$", service["image"]) for service in COMPOSE["services"].values())
