"""The processes of a small cloud: etcd, redis, MariaDB, RabbitMQ, Neutron's API and DHCP agent, and the datapath."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from api import Api
from waiting import wait_until

HERE = Path(__file__).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child process whose output goes to a log file; the caller must kill it."""

    def __init__(self, folder, name, command, env=None):
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | (env or {})
            )

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGCONT)
        self.child.kill()
        self.child.wait()

    @contextlib.contextmanager
    def frozen(self):
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def listens_on(self, port):
        assert self.child.poll() is None, f"the process has exited: {self.log.read_text(errors='replace')[-3000:]}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Etcd:
    def __init__(self, folder):
        port, peers = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{port}"
        self.url = f"etcd://{self.endpoint}"
        client, peer = f"http://{self.endpoint}", f"http://127.0.0.1:{peers}"
        self.port = port
        self.process = Process(
            folder,
            "etcd",
            [
                *("etcd", "--data-dir", folder / "etcd", "--log-level", "warn"),
                # The namespaces of the tests have no links to others.
                *("--listen-client-urls", f"http://0.0.0.0:{port}", "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"default={peer}"),
            ],
        )
        wait_until("etcd listens", lambda: self.process.listens_on(port))

    def ctl(self, *arguments, text=None):
        # By default it gives up after 2 and 5 s, which a busy machine exceeds.
        patience = ["--dial-timeout", "60s", "--command-timeout", "60s"]
        command = ["etcdctl", "--endpoints", self.endpoint, *patience, *arguments]
        env = os.environ | {"ETCDCTL_API": "3"}
        return subprocess.run(command, check=True, capture_output=True, text=True, input=text, env=env).stdout

    def keys(self, table):
        return sorted(line for line in self.ctl("get", "--prefix", "--keys-only", f"/{table}/").splitlines() if line)

    def records(self):
        """All records by key, without unique_key and version: a record that is written again may have others."""
        found = {}
        for table in ("lswitch", "lsubnet", "stateless_secgroup", "secgroup", "lport", "child_port_segmentation"):
            lines = self.ctl("get", "--prefix", f"/{table}/").splitlines()
            for key, value in zip(lines[::2], lines[1::2], strict=True):
                with contextlib.suppress(ValueError):
                    found[key] = json.loads(value) | {"unique_key": 0, "version": 0}
        return found

    def record(self, table, record_id):
        """The record, None if it does not exist."""
        return json.loads(self.ctl("get", "--print-value-only", f"/{table}/{record_id}") or "null")

    def put(self, table, record_id, text):
        self.ctl("put", f"/{table}/{record_id}", text=text)

    def delete(self, table, record_id):
        self.ctl("del", f"/{table}/{record_id}")


class Redis:
    def __init__(self, folder):
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}"
        (folder / "redis").mkdir()
        self.process = Process(
            folder,
            "redis",
            [
                *("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", folder / "redis", "--save", ""),
                *("--notify-keyspace-events", "Kg$x"),
            ],
        )
        wait_until("redis listens", lambda: self.process.listens_on(port))
        import redis

        self.client = redis.Redis(port=port)

    def keys(self, table):
        return sorted(key.decode() for key in self.client.scan_iter(match=f"{{{table}.*"))

    def record(self, table, record_id):
        """The record, None if it does not exist."""
        key = next((key for key in self.keys(table) if key.endswith(f"}}{record_id}")), None)
        return key and json.loads(self.client.get(key) or "null")


class MariaDb:
    def __init__(self, folder):
        data, port = folder / "mariadb", free_port()
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db"]
        install += ["--auth-root-authentication-method=normal"]
        subprocess.run(install, check=True, capture_output=True)
        options = [f"--datadir={data}", f"--socket={data}/socket", f"--port={port}", "--bind-address=127.0.0.1"]
        # Durability is not needed: no wait for the disk.
        options += ["--user=root", "--innodb-flush-log-at-trx-commit=0", f"--pid-file={data}/pid"]
        self.process = Process(folder, "mariadb", ["mariadbd", "--no-defaults", *options])
        wait_until("MariaDB listens", lambda: self.process.listens_on(port))
        statements = (
            "CREATE DATABASE neutron CHARACTER SET utf8mb4; CREATE USER neutron@'127.0.0.1' IDENTIFIED BY 'x'; "
            "GRANT ALL ON neutron.* TO neutron@'127.0.0.1'"
        )
        client = ["mariadb", "--no-defaults", f"--socket={data}/socket", "--user=root"]
        subprocess.run([*client, "-e", statements], check=True, capture_output=True)
        self.url = f"mysql+pymysql://neutron:x@127.0.0.1:{port}/neutron?charset=utf8mb4"


class RabbitMq:
    """The message bus between Neutron's servers and agents. The tests without agents do not need it."""

    def __init__(self, folder):
        port, self._folder = free_port(), folder / "rabbitmq"
        self._folder.mkdir()
        # Distribution between nodes is not needed, but Erlang starts it in any case.
        env = {
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_BASE": str(self._folder),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-rabbit loopback_users []",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(self._folder),
        }
        # Debian's wrapper in PATH changes the user.
        self.process = Process(folder, "rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env)
        wait_until("RabbitMQ listens", lambda: self.process.listens_on(port))
        self.url = f"rabbit://guest:guest@127.0.0.1:{port}/"

    def stop(self):
        """Erlang is a child of the shell script that was started."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)
        self.process.kill()


CONFIG = """
[DEFAULT]
state_path = {folder}/state
auth_strategy = noauth
core_plugin = ml2
service_plugins = trunk
transport_url = {transport}
# A request of the agent is lost if the server that answers it has not started yet.
rpc_response_timeout = 15
api_paste_config = {paste}
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
use_stderr = true
dhcp_agent_notification = {has_agents}
[oslo_concurrency]
lock_path = {folder}/state/lock
[database]
connection = {database}
[oslo_messaging_notifications]
driver = noop
[oslo_policy]
policy_file = {folder}/etc/policy.yaml
[quotas]
quota_port = -1
quota_network = -1
quota_trunk = -1
[trunkpath]
nb = {nb}
"""

# nova does this with the role "service", which requests without authentication do not have.
POLICY = """
create_port_binding: "rule:context_is_admin"
activate: "rule:context_is_admin"
"""

ML2_CONFIG = """
[ml2]
mechanism_drivers = trunkpath
type_drivers = local,flat,vlan,vxlan,geneve,gre
project_network_types = vxlan
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:10000
[ml2_type_vlan]
network_vlan_ranges = physnet1:100:4000
[ml2_type_geneve]
vni_ranges = 1:10000
[ml2_type_gre]
tunnel_id_ranges = 1:10000
"""

AGENT_CONFIG = """
[DEFAULT]
host = {host}
interface_driver = trunkpath
# dnsmasq runs as a user of its own, which must be able to read its files.
dhcp_confs = /run/trunkpath-dhcp
resync_interval = 5
# The metadata proxy is not tested.
enable_metadata_proxy = false
[agent]
report_interval = 5
# root needs no sudo.
root_helper = env
"""


class Neutron:
    """Configuration and database of a Neutron, and any number of API processes on them."""

    def __init__(self, folder, nb, database=None, options="", transport="fake:///"):
        self.folder, self.running = folder, []
        self.config = folder / "etc"
        self.database = database or f"sqlite:///{folder}/neutron.sqlite"
        self.config.mkdir()
        (folder / "state" / "lock").mkdir(parents=True)
        paste = Path(sys.prefix) / "etc" / "neutron" / "api-paste.ini"
        has_agents = transport != "fake:///"
        settings = {"database": self.database, "nb": nb, "transport": transport, "has_agents": has_agents}
        text = CONFIG.format(folder=folder, paste=paste, **settings) + options
        (self.config / "neutron.conf").write_text(text)
        (self.config / "ml2_conf.ini").write_text(ML2_CONFIG)
        (self.config / "policy.yaml").write_text(POLICY)
        self._create_tables()

    def _create_tables(self):
        if self.database.startswith("sqlite"):
            command = [sys.executable, "-W", "ignore", HERE / "create_schema.py", self.database]
        else:
            command = [Path(sys.executable).with_name("neutron-db-manage"), *self.files(), "upgrade", "heads"]
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    def files(self):
        return ["--config-file", str(self.config / "neutron.conf"), "--config-file", str(self.config / "ml2_conf.ini")]

    def start(self, delay=None):
        """Starts another API process on the same database and returns a client of it."""
        port = free_port()
        # SQLite has one writer, so a second thread is of no use.
        threads = 1 if self.database.startswith("sqlite") else 4
        command = [sys.executable, "-W", "ignore", HERE / "serve_neutron.py", port, threads]
        command += [] if delay is None else [delay]
        process = Process(self.folder, f"neutron-{port}", command, {"OS_NEUTRON_CONFIG_DIR": str(self.config)})
        self.running.append(process)
        wait_until("Neutron listens", lambda: process.listens_on(port), 300)
        return Api(port, process)

    def start_rpc_server(self):
        """Starts the process that answers the agents."""
        self._start_program("neutron-rpc-server", *self.files())

    def start_agent(self, name, host):
        """Starts neutron-dhcp-agent or neutron-l3-agent (dhcp, l3)."""
        config = self.config / "agent.ini"
        config.write_text(AGENT_CONFIG.format(host=host))
        self._start_program(f"neutron-{name}-agent", *self.files(), "--config-file", config)

    def _start_program(self, name, *arguments):
        programs = Path(sys.executable).parent
        # privsep-helper is found by PATH.
        env = {"PATH": f"{programs}:{os.environ['PATH']}"}
        self.running.append(Process(self.folder, name, [programs / name, *arguments], env))

    def stop(self):
        for process in self.running:
            process.kill()

    def sync(self, *arguments):
        """Runs trunkpath-neutron-sync; returns exit status, stdout and stderr."""
        command = [Path(sys.executable).with_name("trunkpath-neutron-sync"), *self.files(), *arguments]
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr


class Daemon:
    """The datapath: a process of `trunkpath run`."""

    def __init__(self, folder, nb, chassis="compute1", uplinks=(), local_ip="10.99.0.2", namespace=None):
        run = ["ip", "netns", "exec", namespace] if namespace else []
        run += [os.environ["TRUNKPATH"], "run", "--nb", nb, "--chassis", chassis, "--local-ip", local_ip]
        run += ["--api", folder / f"{chassis}.sock", "--state", folder / f"{chassis}.db"]
        run += [f"--uplink={uplink}" for uplink in uplinks]
        self.process = Process(folder, f"trunkpath-{chassis}", run)

    def stop(self):
        self.process.signal(signal.SIGTERM)
        self.process.child.wait(30)
