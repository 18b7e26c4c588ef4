"""Starts a real Apache Cassandra of one node on free ports of the loopback, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = cassandra_server.shared_for_class(cls)    # skips with the reason if it can't be had

    server.database()             makes an empty keyspace and gives its name
    server.ask(KEYSPACE, CQL)     asks it by the Python driver; rows as tuples of its values

The jars come from Maven Central and the driver from PyPI, both into the cache of test servers. A node is ready some
five seconds
after its start, most of which is the processor's.
"""
import glob
import os
import socket
import struct
import subprocess
import sys
import time
import unittest

import cache
from database_server import DatabaseServer, Shared
from servers import free_port

VERSION = "cassandra-5.0"
EXPORTS = """java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/jdk.internal.util java.base/java.lang.ref java.base/sun.nio.ch
java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql jdk.unsupported/sun.misc
jdk.compiler/com.sun.tools.javac.file jdk.attach/sun.tools.attach""".split()
OPENS = """java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.io java.base/java.nio java.base/java.util
java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/java.net java.base/jdk.internal.loader java.base/jdk.internal.ref
java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar java.base/sun.nio.ch
jdk.management/com.sun.management.internal jdk.compiler/com.sun.tools.javac""".split()
# What makes a node small, and quick to start.
JVM = """-Xms64M -Xss512k -XX:+UseSerialGC -XX:MaxDirectMemorySize=256M -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -XX:+PerfDisableSharedMem
-Djava.net.preferIPv4Stack=true -Dcassandra-foreground=yes -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=100
-Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.consistent.rangemovement=false -Dcassandra.shutdown_announce_in_ms=0
-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4 -Dorg.apache.cassandra.disable_mbean_registration=true -Dcassandra.size_recorder_interval=5 -Dchronicle.announcer.disable=true
-Dchronicle.analytics.disable=true -Dio.netty.tryReflectionSetAccessible=true -Djdk.attach.allowAttachSelf=true""".split()
SETTINGS = {
    "cluster_name": "test", "num_tokens": 4, "auto_bootstrap": "false",
    "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
    "initial_token": '"-9223372036854775807,-4611686018427387904,0,4611686018427387904"',
    "endpoint_snitch": "SimpleSnitch",
    "listen_address": "127.0.0.1", "rpc_address": "127.0.0.1", "start_native_transport": "true",
    "commitlog_sync": "periodic", "commitlog_sync_period_in_ms": 1000, "commitlog_segment_size_in_mb": 16,
    "commitlog_total_space_in_mb": 256,
    # a table that was written to would take a region of a mebibyte
    "memtable_allocation_type": "unslabbed_heap_buffers", "memtable_heap_space_in_mb": 96,
    "memtable_offheap_space_in_mb": 64, "file_cache_size_in_mb": 32, "key_cache_size_in_mb": 8,
    "counter_cache_size_in_mb": 2, "concurrent_reads": 8, "concurrent_writes": 16, "concurrent_counter_writes": 8,
    "concurrent_compactors": 1,
    "native_transport_max_threads": 16, "compaction_throughput_mb_per_sec": 0, "auto_snapshot": "false",
    "dynamic_snitch": "false",
    "enable_materialized_views": "true", "storage_compatibility_mode": "NONE",
    "read_request_timeout_in_ms": 20000, "range_request_timeout_in_ms": 30000, "write_request_timeout_in_ms": 20000,
    "request_timeout_in_ms": 30000, "truncate_request_timeout_in_ms": 60000}
LOGGING = """<configuration><appender name="O" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%-5level [%thread] %date{HH:mm:ss.SSS} %logger{0}:%line - %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="O"/></root></configuration>
"""
KEYSPACE = "CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1} %s"


def driver():
    """The Python driver's module `cassandra`, from the cache; SkipTest if it can't be had."""
    packages = os.path.dirname(os.path.dirname(_fetched("cassandra-driver")))
    if packages not in sys.path:
        sys.path.insert(0, packages)
    import cassandra.cluster
    return cassandra


def _fetched(name):
    try:
        return cache.get(name)
    except (KeyError, cache.Unavailable) as fault:
        raise unittest.SkipTest("no Cassandra: %s" % fault) from None


def _answers(port, address="127.0.0.1"):
    """Does a node answer OPTIONS there?"""
    try:
        with socket.create_connection((address, port), 2) as asking:
            asking.settimeout(5)
            asking.sendall(struct.pack(">BBhBI", 4, 0, 0, 5, 0))
            return asking.recv(5)[4:5] == b"\x06"
    except OSError:
        return False


class Server(DatabaseServer):
    """
    A node; no password. `settings` are lines of cassandra.yaml, `without` those that older versions do not know;
    `durable`: what it wrote survives a kill. Not shared between processes.
    """
    TITLE, PREFIX, MAINTENANCE = "Cassandra", "ca-", "system"
    READY_S, STOP_S = 300, 30
    address, seeds = "127.0.0.1", "127.0.0.1"

    def __init__(self, settings=None, version=VERSION, durable=True, heap="512M", without=()):
        if os.environ.get("TRANSHUME_SERVERS") == "none":
            raise unittest.SkipTest("no Cassandra: TRANSHUME_SERVERS=none")
        self.jars = os.path.dirname(_fetched(version))
        driver()
        super().__init__()
        self.internal, self.connection = 0, None
        self.settings, self.durable, self.heap = {**SETTINGS, **(settings or {})}, durable, heap
        for name in without:
            self.settings.pop(name, None)
        self.start()

    def _guard(self):
        return ["setpriv", "--pdeathsig", "KILL"]   # it does run as root

    def give(self, *_):
        """Nobody else's."""

    def _configure(self):
        self.internal = self.internal or free_port()
        os.makedirs(os.path.join(self.folder, "tmp"), exist_ok=True)
        seeds = ("seed_provider:\n  - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n    parameters:\n   "
                 "   - seeds: %s\n" % self.seeds)
        settings = {**self.settings, "native_transport_port": self.port, "storage_port": self.internal}
        for name, text in (("cassandra.yaml", "".join("%s: %s\n" % pair for pair in settings.items()) + seeds),
                           ("logback.xml", LOGGING)):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def command(self):
        agents = glob.glob(os.path.join(self.jars, "jamm-*.jar"))
        own = {"java.io.tmpdir": "tmp", "jna.tmpdir": "tmp", "cassandra.logdir": ".", "cassandra.storagedir": ".",
               "logback.configurationFile": "logback.xml"}
        return ["java", "-Xmx" + self.heap, *JVM, *("-D%s=%s" % (name,
                                                                 os.path.normpath(os.path.join(self.folder, path)))
                                                    for name, path in own.items()),
                "-Dcassandra.config=file://" + os.path.join(self.folder, "cassandra.yaml"),
                *([] if self.durable else ["-Dcassandra.unsafesystem=true",
                                           "-Dcassandra.test.flush_local_schema_changes=false"]),
                *(part for module in EXPORTS for part in ("--add-exports", module + "=ALL-UNNAMED")),
                *(part for module in OPENS for part in ("--add-opens", module + "=ALL-UNNAMED")),
                *("-javaagent:" + agent for agent in agents), "-cp", os.path.join(self.jars, "*"),
                "org.apache.cassandra.service.CassandraDaemon"]

    def _start_once(self):
        self._configure()
        with open(os.path.join(self.folder, self.LOGS[0]), "ab") as log:
            self.process = subprocess.Popen(self.guard + self.command(), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + self.READY_S
        while self.process.poll() is None:
            if _answers(self.port, self.address):
                return True
            if time.monotonic() > deadline:
                raise AssertionError("%s did not answer within %d s:\n%s" % (self.TITLE, self.READY_S, self.log()))
            time.sleep(0.1)
        self.internal = 0
        return False

    def kill(self):
        self.disconnect()
        super().kill()

    def stop(self):
        self.disconnect()
        super().stop()

    # --- what tests ask

    def uri(self, name, options="", via=None):
        """`via`: a proxy before it, by whose port it is reached. `options` begin with a question mark."""
        return "cassandra://127.0.0.1:%d/%s%s" % ((via or self).port, name, options)

    def connect(self):
        """The driver's session, made at first use."""
        if self.connection is None:
            from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
            from cassandra.policies import RoundRobinPolicy
            from cassandra.query import tuple_factory
            profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60,
                                       row_factory=tuple_factory)
            self.connection = Cluster(["127.0.0.1"], port=self.port, protocol_version=4,
                                      execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                                      connect_timeout=30, control_connection_timeout=30).connect()
        return self.connection

    def disconnect(self):
        if getattr(self, "connection", None) is not None:
            self.connection.cluster.shutdown()
        self.connection = None

    def ask(self, name, cql, *values):
        """The rows of one statement; `values` stand for its %s. Names of tables are the keyspace's."""
        session = self.connect()
        if session.keyspace != name:
            session.set_keyspace(name)
        return [tuple(row) for row in session.execute(cql, values or None)]

    def run_script(self, name, script):
        """Statements that semicolons at the ends of lines divide."""
        for statement in script.split(";\n"):
            if statement.strip():
                self.ask(name, statement.rstrip("; \n"))

    def fill(self, name, cql, rows):
        """A prepared statement with each row's values."""
        from cassandra.concurrent import execute_concurrent_with_args
        session = self.connect()
        session.set_keyspace(name)
        execute_concurrent_with_args(session, session.prepare(cql), rows, concurrency=100)

    def database(self, options=""):
        """The name of a new, empty keyspace."""
        self.count += 1
        name = self.name_of(self.count)
        self.ask(self.MAINTENANCE, KEYSPACE % (name, options))
        return name

    def renew(self, name):
        """Empties a keyspace of all tables."""
        self.ask(self.MAINTENANCE, "DROP KEYSPACE IF EXISTS " + name)
        self.ask(self.MAINTENANCE, KEYSPACE % (name, ""))

    def drop_databases(self):
        for count in range(self.dropped + 1, self.count + 1):
            self.ask(self.MAINTENANCE, "DROP KEYSPACE IF EXISTS " + self.name_of(count))
        self.dropped = self.count


class Node(Server):
    """One of a ring; on its own address of the loopback, with the ports of all others."""

    def __init__(self, address, addresses, tokens, port, internal):
        self.address, self.seeds, self.ring_port, self.ring_internal = address, ",".join(addresses), port, internal
        super().__init__(settings={"listen_address": address, "rpc_address": address,
                                   "initial_token": '"%s"' % ",".join(map(str, tokens))}, heap="384M")

    def _configure(self):
        self.port, self.internal = self.ring_port, self.ring_internal
        super()._configure()


class Ring:
    """Three nodes that know one another; `kill` and `restart` are of one of them, by its number."""
    ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    TOKENS = 4

    def __init__(self):
        port, internal = free_port(), free_port()
        step = 2 ** 64 // (len(self.ADDRESSES) * self.TOKENS)
        tokens = [[-2 ** 63 + 1 + step * (at * len(self.ADDRESSES) + node) for at in range(self.TOKENS)]
                  for node in range(len(self.ADDRESSES))]
        self.nodes, self.port, self.session = [], port, None
        try:
            for address, own in zip(self.ADDRESSES, tokens):
                self.nodes.append(Node(address, self.ADDRESSES, own, port, internal))
            self.wait()
        except BaseException:
            self.stop()
            raise

    @classmethod
    def for_class(cls, test):
        ring = cls()
        test.addClassCleanup(ring.stop)
        return ring

    def wait(self):
        """Until the driver sees all of them up."""
        deadline = time.monotonic() + Server.READY_S
        while sum(bool(host.is_up) for host in self.connect().cluster.metadata.all_hosts()) < len(self.ADDRESSES):
            if time.monotonic() > deadline:
                raise AssertionError("the nodes of the ring do not find one another")
            time.sleep(0.5)
            self.disconnect()

    def connect(self):
        if self.session is None:
            from cassandra.cluster import Cluster
            self.session = Cluster(self.ADDRESSES, port=self.port, protocol_version=4, connect_timeout=30).connect()
            self.session.default_timeout = 120
        return self.session

    def disconnect(self):
        if self.session is not None:
            self.session.cluster.shutdown()
        self.session = None

    def uri(self, keyspace, options):
        return "cassandra://%s:%d/%s%s" % (",".join(self.ADDRESSES), self.port, keyspace, options)

    def ask(self, cql):
        """At QUORUM."""
        from cassandra import ConsistencyLevel
        from cassandra.query import SimpleStatement
        return [tuple(row) for row in self.connect().execute(SimpleStatement(cql,
                                                                             consistency_level=ConsistencyLevel.QUORUM,
                                                                             fetch_size=2000))]

    def kill(self, number):
        process = self.nodes[number].process
        process.kill()
        process.wait()

    def restart(self, number):
        self.nodes[number].start()

    def stop(self):
        self.disconnect()
        for node in self.nodes:
            node.stop()
        self.nodes = []


class SharedServer(Shared, Server):
    """The pool's."""
    KIND = "cassandra_server"

    def attach(self):
        driver()
        self.connection = None

    def database(self, options=""):
        """Names of no other process and no other class, since keyspaces stay."""
        name = "test_%d_%s" % (os.getpid(), os.urandom(5).hex())
        self.ask(self.MAINTENANCE, KEYSPACE % (name, options))
        return name

    def stop(self):
        """Its keyspaces end with the pool: to drop a table takes longer than to make one."""
        self.disconnect()


Server.SHARED = SharedServer
start = Server
for_class = Server.for_class
shared_for_class = Server.shared_for_class


def for_pool():
    """With room for the tables of all tests: a table takes a quarter of a mebibyte of its heap, used or not."""
    return Server(durable=False, heap="1536M")
