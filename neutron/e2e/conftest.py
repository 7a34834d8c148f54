"""Fixtures. scripts/test-neutron runs the tests in a network and process namespace of their own."""

import os
import subprocess

import pytest

from servers import Etcd, MariaDb, Neutron


@pytest.fixture(scope="session", autouse=True)
def _require_namespace():
    """The tests create links, which must not be in the host's namespace."""
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(links) == 1, "lo must be the only link: run scripts/test-neutron, which creates a namespace"
    assert os.environ.get("TRUNKPATH"), (
        "TRUNKPATH must be the path of the datapath: run scripts/test-neutron, which sets it"
    )


@pytest.fixture
def etcd(tmp_path):
    started = Etcd(tmp_path)
    yield started
    started.process.kill()


@pytest.fixture
def mariadb(tmp_path):
    started = MariaDb(tmp_path)
    yield started
    started.process.kill()


@pytest.fixture
def neutron_on(tmp_path):
    """Function that creates a Neutron with the URL of a northbound DB."""
    created = []

    def create(nb, **options):
        created.append(Neutron(tmp_path, nb, **options))
        return created[-1]

    yield create
    for neutron in created:
        neutron.stop()
