"""Tests of failures and of concurrent writers."""

import json
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from waiting import wait_until

SEGMENTATIONS = "child_port_segmentation"


def segmentations_in_etcd(etcd):
    """(parent, subport, tag) of each segmentation record in etcd."""
    values = etcd.ctl("get", "--prefix", "--print-value-only", f"/{SEGMENTATIONS}/").splitlines()
    records = [json.loads(value) for value in values if value]
    return {(record["parent"], record["port"], record["segmentation_id"]) for record in records}


def segmentations_in_neutron(api):
    """(parent, subport, tag) of each subport in Neutron."""
    trunks = api.request_json("GET", "trunks")["trunks"]
    return {(t["port_id"], s["port_id"], s["segmentation_id"]) for t in trunks for s in t["sub_ports"]}


def wait_equal(api, etcd):
    wait_until("etcd equals Neutron", lambda: segmentations_in_etcd(etcd) == segmentations_in_neutron(api))


def test_requests_succeed_while_etcd_is_frozen_and_are_written_later(etcd, neutron_on):
    # The timeout is long, so that a request that waits for etcd takes longer than any on a slow machine.
    api = neutron_on(etcd.url, options="timeout = 60\n").start()
    lan, other = api.create("network"), api.create("network")
    parents, subports = api.ports(lan, 5), api.ports(other, 20)
    trunks = [api.trunk(parent) for parent in parents]
    wait_equal(api, etcd)
    slowest = 0.0
    with etcd.process.frozen():
        for call in range(50):
            trunk, subport = trunks[call % 5], subports[call % 20]
            began = time.monotonic()
            if call < 20:
                api.add(trunk, (subport, 100 + call))
            elif call < 30:
                api.remove(trunk, subport)
            else:
                api.update("port", parents[call % 5], name=f"call {call}")
            slowest = max(slowest, time.monotonic() - began)
        print(f"the slowest of 50 calls took {slowest:.2f} s")
        assert slowest < 60
    wait_equal(api, etcd)
    assert len(segmentations_in_etcd(etcd)) == 10


def test_changes_of_a_killed_neutron_are_written_by_the_next_one(etcd, neutron_on):
    neutron = neutron_on(etcd.url)
    api = neutron.start()
    parent, subport, left = api.port(api.create("network")), *api.ports(api.create("network"), 2)
    trunk = api.trunk(parent, (left, 50))
    wait_equal(api, etcd)
    with etcd.process.frozen():
        api.add(trunk, (subport, 100))
        api.remove(trunk, left)
        problem = "journal worker failed, and is retried: the northbound DB: "
        wait_until("the log reports that etcd is down", lambda: problem in api.process.log.read_text())
        api.process.kill()
    assert segmentations_in_etcd(etcd) == {(parent["id"], left["id"], 50)}
    wait_equal(neutron.start(), etcd)
    assert segmentations_in_etcd(etcd) == {(parent["id"], subport["id"], 100)}


def test_four_slow_processes_never_leave_a_difference(etcd, mariadb, neutron_on):
    # Each process also writes pending changes of the others every 0.2 s, which provokes conflicts.
    neutron = neutron_on(etcd.url, database=mariadb.url, options="journal_interval = 0.2\nreconcile_interval = 3600\n")
    apis = [neutron.start(delay=0.2) for _ in range(4)]
    api = apis[0]
    lan, other = api.create("network"), api.create("network")
    trunks = [api.trunk(parent) for parent in api.ports(lan, 3)]
    subports = api.ports(other, 9)
    # Neutron creates its controllers at the first request of a kind, which must not run beside others.
    for each in apis:
        each.add(trunks[0], (subports[0], 1))
        each.remove(trunks[0], subports[0])
        each.show("trunk", trunks[0])
    differences = []
    for run in range(20):
        chances = [random.Random(f"{run} {number}") for number in range(3)]
        groups = [subports[start : start + 3] for start in (0, 3, 6)]
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(partial(toggle, apis), trunks, groups, chances))
        # Waits until no entry is pending, not until the DBs are equal: by then they must be.
        wait_until("the journal is empty", lambda: count_journal_rows(mariadb) == 0)
        if segmentations_in_etcd(etcd) != segmentations_in_neutron(api):
            differences.append((run, segmentations_in_etcd(etcd) ^ segmentations_in_neutron(api)))
    assert differences == []
    status, output, problem = neutron.sync("--dry-run")
    assert (status, output) == (0, ""), problem


def toggle(apis, trunk, subports, chance):
    """Adds and removes the same subports at random, each time by a random process."""
    present = {s["port_id"] for s in apis[0].show("trunk", trunk)["sub_ports"]}
    for _ in range(6):
        subport, api = chance.choice(subports), chance.choice(apis)
        if subport["id"] in present:
            api.remove(trunk, subport)
            present.remove(subport["id"])
        else:
            api.add(trunk, (subport, chance.choice([1, 1000, 2000]) + subports.index(subport)))
            present.add(subport["id"])


def count_journal_rows(mariadb):
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
    neutron = neutron_on(etcd.url, options="reconcile_interval = 5\n")
    api = neutron.start()
    lan = api.create("network", name="lan")
    parent, subport, spare = api.port(lan), *api.ports(lan, 2)
    group = api.create("security_group", name="web")
    api.trunk(parent, (subport, 100))
    wait_equal(api, etcd)
    (segmentation,) = [key.rpartition("/")[2] for key in etcd.keys(SEGMENTATIONS)]
    whole = etcd.records()

    def damage():
        etcd.delete("lport", parent["id"])
        etcd.put("lport", subport["id"], "no JSON")
        port = json.loads(etcd.ctl("get", "--print-value-only", f"/lport/{spare['id']}"))
        etcd.put("lport", spare["id"], json.dumps(port | {"enabled": False}))
        etcd.put("lswitch", "11111111-0000-0000-0000-000000000000", '{"id": "foreign"}')
        etcd.delete("secgroup", group["id"])
        etcd.put("stateless_secgroup", group["id"], json.dumps({"id": group["id"]}))
        record = json.loads(etcd.ctl("get", "--print-value-only", f"/{SEGMENTATIONS}/{segmentation}"))
        etcd.put(SEGMENTATIONS, segmentation, json.dumps(record | {"segmentation_id": 101}))

    # The periodic reconciliation.
    damage()
    wait_until("the damage is repaired", lambda: etcd.records() == whole)
    api.process.signal(signal.SIGSTOP)
    # trunkpath-neutron-sync, with Neutron stopped.
    damage()
    status, output, _ = neutron.sync("--dry-run")
    lines = sorted(output.splitlines())
    assert status == 1
    assert lines == sorted(
        [
            f"lport {parent['id']} is missing",
            f"lport {subport['id']} is missing",
            f"lport {spare['id']} enabled is false, not true",
            "lswitch 11111111-0000-0000-0000-000000000000 is not Neutron's",
            f"secgroup {group['id']} is missing",
            f"stateless_secgroup {group['id']} is not Neutron's",
            f"{SEGMENTATIONS} {segmentation} segmentation_id is 101, not 100",
        ]
    )
    status, output, _ = neutron.sync()
    assert (status, output.splitlines()[-1]) == (0, "7 records were made equal to Neutron's")
    assert etcd.records() == whole
    # Unique keys stay unique after the loss of the counter.
    api.process.signal(signal.SIGCONT)
    etcd.ctl("del", "/unique_key/lport")
    api.port(lan)
    wait_until("four ports are written", lambda: len(etcd.keys("lport")) == 4)
    numbers = [json.loads(etcd.ctl("get", "--print-value-only", key))["unique_key"] for key in etcd.keys("lport")]
    assert len(set(numbers)) == 4


def test_three_hundred_subports_are_added_in_one_call(etcd, neutron_on):
    api = neutron_on(etcd.url).start()
    parent, subports = api.port(api.create("network")), api.ports(api.create("network"), 300)
    trunk = api.trunk(parent)
    wait_until("all ports are written", lambda: len(etcd.keys("lport")) == 301)
    began, busy = time.monotonic(), api.process.cpu_seconds()
    api.add(trunk, *((subport, tag) for tag, subport in enumerate(subports, start=1)))
    took, busy = time.monotonic() - began, api.process.cpu_seconds() - busy
    # For information: it depends on the load of the machine. test_trunks.py counts the statements of the driver.
    print(f"300 subports: {took:.1f} s, of which Neutron computed for {busy:.1f} s")
    wait_equal(api, etcd)


def test_wrong_password_and_wrong_url_are_reported(etcd, neutron_on):
    etcd.ctl("user", "add", "root:secret")
    etcd.ctl("user", "grant-role", "root", "root")
    etcd.ctl("auth", "enable")
    login = ("--user", "root:secret")
    neutron = neutron_on(f"etcd://root:wrong@{etcd.endpoint}")
    api = neutron.start()
    api.create("network")
    expected = "authentication failed, invalid user ID or password: see user and password in [trunkpath] nb"
    wait_until("the log has the cause and the remedy", lambda: expected in api.process.log.read_text())
    assert "wrong" not in api.process.log.read_text()
    status, _, problem = neutron.sync()
    assert (status, expected in problem) == (2, True)
    assert etcd.ctl(*login, "get", "--prefix", "--keys-only", "/") == ""

    config = neutron.config / "neutron.conf"
    text = config.read_text()
    config.write_text(text.replace("root:wrong", "root:secret"))
    status, output, _ = neutron.sync()
    assert status == 0, output
    assert etcd.ctl(*login, "get", "--prefix", "--keys-only", "/lswitch/") != ""

    config.write_text(text.replace("etcd://", "zookeeper://"))
    status, _, problem = neutron.sync()
    assert status == 2
    assert 'unknown scheme "zookeeper": expected etcd://' in problem
