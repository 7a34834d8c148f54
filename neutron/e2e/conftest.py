"""What the tests share. scripts/test-neutron runs them in a network and process namespace of their own."""

import os
import subprocess

import pytest

from servers import Etcd, MariaDb, Neutron


@pytest.fixture(scope="session", autouse=True)
def _alone():
    """Ports are made in this namespace: not in anybody else's."""
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(links) == 1, "run scripts/test-neutron: it makes a namespace for the tests"
    assert os.environ.get("TRUNKPATH"), "run scripts/test-neutron: it says where trunkpath is"


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
    """Makes a Neutron on a northbound DB."""
    made = []

    def make(nb, **options):
        made.append(Neutron(tmp_path, nb, **options))
        return made[-1]

    yield make
    for neutron in made:
        neutron.end()
