"""What the tests share. scripts/test-neutron runs them in a network and process namespace of their own."""

import os
import subprocess

import pytest

from servers import Etcd, MariaDb, Neutron, Redis


@pytest.fixture(scope="session", autouse=True)
def _alone():
    """Ports are made in this namespace: not in anybody else's."""
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(links) == 1, "run scripts/test-neutron: it makes a namespace for the tests"
    assert os.environ.get("TRUNKPATH"), "run scripts/test-neutron: it says where trunkpath is"


@pytest.fixture(params=[Etcd, Redis], ids=["etcd", "redis"])
def store(request, tmp_path):
    started = request.param(tmp_path)
    yield started
    started.process.kill()


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
        cloud = Cloud(Neutron(tmp_path, nb, **options))
        made.append(cloud)
        return cloud

    yield make
    for cloud in made:
        cloud.end()


class Cloud:
    """A Neutron and those of its API processes that run."""

    def __init__(self, neutron):
        self.neutron, self.running = neutron, []

    def start(self, **options):
        api = self.neutron.start(**options)
        self.running.append(api)
        return api

    def end(self):
        for api in self.running:
            api.process.kill()
