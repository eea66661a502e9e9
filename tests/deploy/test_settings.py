"""The settings of Dask that ``deploy/`` ships."""

import dask
import yaml

from dsketch.engine.local import _SETTINGS
from tests.deploy.commands import DEPLOY, documents


def test_dask_yaml_says_what_own_clusters_get() -> None:
    """``deploy/dask.yaml`` holds the settings of the LocalCluster that dsketch starts, each of them and no other."""
    (given,) = documents(DEPLOY / "dask.yaml")
    assert all(dask.config.get(name, config=given) == value for name, value in _SETTINGS.items())
    assert len(list(_leaves(given))) == len(_SETTINGS)


def test_config_map_is_the_file() -> None:
    """The ConfigMap of the manifests is that file, word for word."""
    (config,) = documents(DEPLOY / "kubernetes" / "config.yaml")
    assert config["data"]["dask.yaml"] == (DEPLOY / "dask.yaml").read_text()
    assert yaml.safe_load(config["data"]["dask.yaml"])


def _leaves(value: object) -> list[object]:
    return [leaf for inner in value.values() for leaf in _leaves(inner)] if isinstance(value, dict) else [value]
