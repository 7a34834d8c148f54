"""What must hold when something breaks, and when several write at once."""

import json
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from servers import until

SEGMENTATIONS = "child_port_segmentation"


def held(etcd):
    """(parent, child, tag) of each segmentation in etcd."""
    values = etcd.ctl("get", "--prefix", "--print-value-only", f"/{SEGMENTATIONS}/").splitlines()
    records = [json.loads(value) for value in values if value]
    return {(record["parent"], record["port"], record["segmentation_id"]) for record in records}


def wanted(api):
    """The same, as Neutron says."""
    trunks = api.do("GET", "trunks")["trunks"]
    return {(t["port_id"], s["port_id"], s["segmentation_id"]) for t in trunks for s in t["sub_ports"]}


def wait_equal(api, etcd):
    until("etcd has what Neutron says", lambda: held(etcd) == wanted(api))


def test_nothing_is_lost_while_etcd_is_frozen_and_no_call_waits_for_it(etcd, neutron_on):
    # So long that a call that waits for etcd is not taken for one on a slow machine.
    api = neutron_on(etcd.url, options="timeout = 60\n").start()
    lan, other = api.create("network"), api.create("network")
    parents, children = api.ports(lan, 5), api.ports(other, 20)
    trunks = [api.trunk(parent) for parent in parents]
    wait_equal(api, etcd)
    slowest = 0.0
    with etcd.process.frozen():
        for call in range(50):
            trunk, child = trunks[call % 5], children[call % 20]
            began = time.monotonic()
            if call < 20:
                api.add(trunk, (child, 100 + call))
            elif call < 30:
                api.remove(trunk, child)
            else:
                api.update("port", parents[call % 5], name=f"call {call}")
            slowest = max(slowest, time.monotonic() - began)
        print(f"the slowest of 50 calls took {slowest:.2f} s")
        assert slowest < 60
    wait_equal(api, etcd)
    assert len(held(etcd)) == 10


def test_what_a_killed_neutron_has_committed_is_written_by_the_next_one(etcd, neutron_on):
    cloud = neutron_on(etcd.url)
    api = cloud.start()
    parent, child, left = api.port(api.create("network")), *api.ports(api.create("network"), 2)
    trunk = api.trunk(parent, (left, 50))
    wait_equal(api, etcd)
    with etcd.process.frozen():
        api.add(trunk, (child, 100))
        api.remove(trunk, left)
        problem = "drain waits, and is tried again: the northbound DB: "
        until("the log says that etcd is away", lambda: problem in api.process.log.read_text())
        api.process.kill()
    assert held(etcd) == {(parent["id"], left["id"], 50)}
    wait_equal(cloud.start(), etcd)
    assert held(etcd) == {(parent["id"], child["id"], 100)}


def test_four_slow_processes_never_leave_a_difference(etcd, mariadb, neutron_on):
    # Every 0.2 s each also writes what the other has marked: those that are faster and those that are slower meet.
    cloud = neutron_on(etcd.url, database=mariadb.url, options="drain_interval = 0.2\nreconcile_interval = 3600\n")
    apis = [cloud.start(delay=0.2) for _ in range(4)]
    api = apis[0]
    lan, other = api.create("network"), api.create("network")
    trunks = [api.trunk(parent) for parent in api.ports(lan, 3)]
    children = api.ports(other, 9)
    # Neutron's first answers of a kind must not come at once: it builds its controllers then.
    for each in apis:
        each.add(trunks[0], (children[0], 1))
        each.remove(trunks[0], children[0])
        each.show("trunk", trunks[0])
    differences = []
    for run in range(20):
        chances = [random.Random(f"{run} {number}") for number in range(3)]
        mine = [children[start : start + 3] for start in (0, 3, 6)]
        with ThreadPoolExecutor(3) as users:
            list(users.map(partial(toggle, apis), trunks, mine, chances))
        # Not until they are equal: until nothing is left to do. Then they must be.
        until("the journal is empty", lambda: waiting(mariadb) == 0)
        if held(etcd) != wanted(api):
            differences.append((run, held(etcd) ^ wanted(api)))
    assert differences == []
    status, output, problem = cloud.sync("--dry-run")
    assert (status, output) == (0, ""), problem


def toggle(apis, trunk, children, chance):
    """What an impatient user does: adds and removes the same subports, each time through another process."""
    present = {s["port_id"] for s in apis[0].show("trunk", trunk)["sub_ports"]}
    for _ in range(6):
        child, api = chance.choice(children), chance.choice(apis)
        if child["id"] in present:
            api.remove(trunk, child)
            present.remove(child["id"])
        else:
            api.add(trunk, (child, chance.choice([1, 1000, 2000]) + children.index(child)))
            present.add(child["id"])


def waiting(mariadb):
    import pymysql
    from sqlalchemy.engine import make_url

    url = make_url(mariadb.url)
    with (
        pymysql.connect(
            host=url.host, port=url.port, user=url.username, password=url.password, database=url.database
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT COUNT(*) FROM trunkpath_journal")
        return cursor.fetchone()[0]


def test_reconcile_repairs_planted_damage(etcd, neutron_on):
    cloud = neutron_on(etcd.url, options="reconcile_interval = 5\n")
    api = cloud.start()
    lan = api.create("network", name="lan")
    parent, child, spare = api.port(lan), *api.ports(lan, 2)
    api.trunk(parent, (child, 100))
    wait_equal(api, etcd)
    (segmentation,) = [key.rpartition("/")[2] for key in etcd.keys(SEGMENTATIONS)]
    whole = etcd.records()

    def damage():
        etcd.delete("lport", parent["id"])
        etcd.put("lport", child["id"], "no JSON")
        port = json.loads(etcd.ctl("get", "--print-value-only", f"/lport/{spare['id']}"))
        etcd.put("lport", spare["id"], json.dumps(port | {"enabled": False}))
        etcd.put("lswitch", "11111111-0000-0000-0000-000000000000", '{"id": "not ours"}')
        record = json.loads(etcd.ctl("get", "--print-value-only", f"/{SEGMENTATIONS}/{segmentation}"))
        etcd.put(SEGMENTATIONS, segmentation, json.dumps(record | {"segmentation_id": 101}))

    # The periodic one.
    damage()
    until("the damage is repaired", lambda: etcd.records() == whole)
    api.process.signal(signal.SIGSTOP)
    # The one on demand.
    damage()
    status, output, _ = cloud.sync("--dry-run")
    lines = sorted(output.splitlines())
    assert status == 1
    assert lines == sorted(
        [
            f"lport {parent['id']} is missing",
            f"lport {child['id']} is missing",
            f"lport {spare['id']} enabled is false, not true",
            "lswitch 11111111-0000-0000-0000-000000000000 is not Neutron's",
            f"{SEGMENTATIONS} {segmentation} segmentation_id is 101, not 100",
        ]
    )
    status, output, _ = cloud.sync()
    assert (status, output.splitlines()[-1]) == (0, "5 records were made what Neutron says")
    assert etcd.records() == whole
    # Numbers are unique also after the counter was lost.
    api.process.signal(signal.SIGCONT)
    etcd.ctl("del", "/unique_key/lport")
    api.port(lan)
    until("four ports are written", lambda: len(etcd.keys("lport")) == 4)
    numbers = [json.loads(etcd.ctl("get", "--print-value-only", key))["unique_key"] for key in etcd.keys("lport")]
    assert len(set(numbers)) == 4


def test_three_hundred_subports_are_added_in_one_call(etcd, neutron_on):
    api = neutron_on(etcd.url).start()
    parent, children = api.port(api.create("network")), api.ports(api.create("network"), 300)
    trunk = api.trunk(parent)
    until("all ports are written", lambda: len(etcd.keys("lport")) == 301)
    began, busy = time.monotonic(), api.process.cpu_seconds()
    api.add(trunk, *((child, tag) for tag, child in enumerate(children, start=1)))
    took, busy = time.monotonic() - began, api.process.cpu_seconds() - busy
    # For a person: what the machine does beside counts too. test_trunks.py counts what the driver adds.
    print(f"300 subports: {took:.1f} s, of which Neutron computed for {busy:.1f} s")
    wait_equal(api, etcd)


def test_a_wrong_northbound_db_is_named_and_nothing_is_written(etcd, neutron_on):
    etcd.ctl("user", "add", "root:secret")
    etcd.ctl("user", "grant-role", "root", "root")
    etcd.ctl("auth", "enable")
    login = ("--user", "root:secret")
    cloud = neutron_on(f"etcd://root:wrong@{etcd.endpoint}")
    api = cloud.start()
    api.create("network")
    expected = "authentication failed, invalid user ID or password: see user and password in [trunkpath] nb"
    until("the log says who must do what", lambda: expected in api.process.log.read_text())
    assert "wrong" not in api.process.log.read_text()
    status, _, problem = cloud.sync()
    assert (status, expected in problem) == (2, True)
    assert etcd.ctl(*login, "get", "--prefix", "--keys-only", "/") == ""

    config = cloud.config / "neutron.conf"
    text = config.read_text()
    config.write_text(text.replace("root:wrong", "root:secret"))
    status, output, _ = cloud.sync()
    assert status == 0, output
    assert etcd.ctl(*login, "get", "--prefix", "--keys-only", "/lswitch/") != ""

    config.write_text(text.replace("etcd://", "zookeeper://"))
    status, _, problem = cloud.sync()
    assert status == 2
    assert 'the scheme "zookeeper" is not known: expected etcd://' in problem
