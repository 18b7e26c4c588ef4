"""Starts a real OpenSearch (or Elasticsearch) of one node on a free port of the loopback, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = opensearch_server.shared_for_class(cls)    # skips with the reason if it can't be had

    server.database()                  a prefix that no other test's indexes have
    server.ask(METHOD, PATH, BODY)     what the server answers, by Python's own HTTP client; its numbers as they are
    written

The distributions come from Maven Central into the cache of test servers. A node is ready some five seconds after its
start.
"""
import base64
import contextlib
import decimal
import glob
import hashlib
import http.client
import json
import os
import pwd
import shutil
import subprocess
import time
import unittest

import cache
from database_server import DatabaseServer, Shared, link_or_copy
from servers import free_port

ANSWER_S = 120
# How long a request is sent again that found the server short of memory for a moment.
SHORT_S, PAUSE_S = 60, 0.2
JVM = """-Xss512k -XX:MaxDirectMemorySize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.security.manager=allow -Dfile.encoding=UTF-8
-Djna.nosys=true -Djava.locale.providers=SPI,COMPAT -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0
-Dio.netty.allocator.numDirectArenas=0 -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true --add-opens=java.base/java.io=ALL-UNNAMED""".split()
SETTINGS = {"cluster.name": "test", "node.name": "n1", "network.host": "127.0.0.1", "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": "false", "cluster.max_shards_per_node": 20000,
            # It would refuse requests for garbage that the serial collector has not taken away yet.
            "indices.breaker.total.use_real_memory": "false"}


class Refused(Exception):
    """The server answered with an error: its status and the answer."""

    def __init__(self, status, answer):
        super().__init__("%d: %s" % (status, answer))
        self.status, self.answer = status, answer


def numbers(text):
    """JSON with the digits of its numbers kept."""
    return json.loads(text, parse_float=decimal.Decimal)


class Server(DatabaseServer):
    """A node without passwords. `settings` are lines of its configuration. Not shared between processes."""
    TITLE, PREFIX, USER = "OpenSearch", "os-", "nobody"
    FLAVOR, LOGIN = "oss", None   # USER:PASSWORD of the tests' own requests
    READY_S, STOP_S = 120, 20

    def __init__(self, package="opensearch-2.19", settings=None, heap="768m"):
        if os.environ.get("TRANSHUME_SERVERS") == "none":
            raise unittest.SkipTest("no OpenSearch: TRANSHUME_SERVERS=none")
        try:
            self.home = os.path.dirname(os.path.dirname(cache.get(package)))
        except (KeyError, cache.Unavailable) as fault:
            raise unittest.SkipTest("no OpenSearch: %s" % fault) from None
        self.engine = package.partition("-")[0]
        self.settings, self.heap, self.transport, self.prefixes = {**SETTINGS, **(settings or {})}, heap, 0, []
        super().__init__()
        self.start()

    def give(self, *paths):
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self.USER)
            for path in paths:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def _guard(self):
        if os.geteuid() != 0:
            return ["setpriv", "--pdeathsig", "KILL"]
        owner = pwd.getpwnam(self.USER)
        return ["setpriv", "--reuid=%d" % owner.pw_uid, "--regid=%d" % owner.pw_gid, "--clear-groups", "--pdeathsig",
                "KILL"]

    def _configure(self):
        self.transport = self.transport or free_port()
        self.library = self._library()
        for name in ("config", "logs", "tmp", "data"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        shutil.copy(os.path.join(self.home, "config", "log4j2.properties"), os.path.join(self.folder, "config"))
        settings = {**self.settings, "http.port": self.port, "transport.port": self.transport, "path.data": self.data,
                    "path.logs": os.path.join(self.folder, "logs")}
        with open(os.path.join(self.folder, "config", self.engine + ".yml"), "w", encoding="utf-8") as file:
            file.write("".join("%s: %s\n" % pair for pair in settings.items()))
        for path, folders, files in os.walk(self.folder):
            self.give(path, *(os.path.join(path, name) for name in folders + files))

    def _library(self):
        """Where the user that it runs as may read it: a copy beside the data if the cache is root's alone."""
        if os.geteuid() != 0:
            return self.home
        probe = subprocess.run([*self.guard, "test", "-r", glob.glob(os.path.join(self.home, "lib", "*.jar"))[0]],
                               check=False)
        if probe.returncode == 0:
            return self.home
        copy = os.path.join(self.folder, "home")
        if not os.path.isdir(copy):
            shutil.copytree(self.home, copy, copy_function=link_or_copy)
        return copy

    def command(self):
        main = "org.%s.bootstrap.%s" % (self.engine, "OpenSearch" if self.engine == "opensearch" else "Elasticsearch")
        names = ("es",) if self.engine == "elasticsearch" else ("opensearch", "es")
        own = [part for name in names for part in ("-D%s.networkaddress.cache.ttl=60" % name,
                                                   "-D%s.networkaddress.cache.negative.ttl=10" % name,
                                                   "-D%s.path.home=%s" % (name, self.library),
                                                   "-D%s.path.conf=%s/config" % (name, self.folder),
                                                   "-D%s.distribution.type=zip" % name,
                                                   "-D%s.distribution.flavor=%s" % (name, self.FLAVOR))]
        return ["env", "LIBFFI_TMPDIR=%s/tmp" % self.folder, "java", "-Xms" + self.heap, "-Xmx" + self.heap, *JVM,
                "-Djava.io.tmpdir=%s/tmp" % self.folder, *own,
                "-cp", os.path.join(self.library, "lib", "*"), main]

    def _start_once(self):
        self._configure()
        with open(os.path.join(self.folder, self.LOGS[0]), "ab") as log:
            self.process = subprocess.Popen(self.guard + self.command(), cwd=self.library, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + self.READY_S
        while self.process.poll() is None:
            if self._answers():
                return True
            if time.monotonic() > deadline:
                raise AssertionError("%s did not answer within %d s:\n%s" % (self.TITLE, self.READY_S, self.log()))
            time.sleep(0.1)
        self.transport = 0
        return False

    def _answers(self):
        try:
            return self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")["status"] in ("yellow",
                "green")
        except (OSError, http.client.HTTPException, Refused):
            return False

    # --- what tests ask

    def ask(self, method, path, body=None, raw=False):
        """
        `body`: a text, or what becomes JSON; `raw`: the answer's text. Sent again while the server says that it is
        short of memory for a moment.
        """
        deadline = time.monotonic() + SHORT_S
        while True:
            try:
                return self.ask_once(method, path, body, raw)
            except Refused as refused:
                if refused.status != 429 or "TRANSIENT" not in refused.answer or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_S)

    def ask_once(self, method, path, body=None, raw=False):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
            kind = "application/x-ndjson" if "_bulk" in path else "application/json"
            headers = {"Authorization": "Basic " + base64.b64encode(self.LOGIN.encode()).decode()} if self.LOGIN else {}
            connection.request(method, path, text.encode() if isinstance(text, str) else text,
                               {**headers, "Content-Type": kind} if text is not None else headers)
            answer = connection.getresponse()
            found = answer.read().decode()
            if answer.status >= 300:
                raise Refused(answer.status, found)
            return found if raw else numbers(found) if found else {}
        finally:
            connection.close()

    def documents(self, index, size=10000):
        """{id: _source} of an index, all that was written; the digits of numbers are kept."""
        self.ask("POST", "/%s/_refresh" % index)
        page = self.ask("POST", "/%s/_search?scroll=1m" % index, {"size": size, "query": {"match_all": {}}})
        found = {}
        while page["hits"]["hits"]:
            found.update((hit["_id"], hit["_source"]) for hit in page["hits"]["hits"])
            page = self.ask("POST", "/_search/scroll", {"scroll": "1m",
                                                        "scroll_id": page["_scroll_id"]}) if len(
                                                            page["hits"]["hits"]) == size else {"hits": {"hits": []}}
        return found

    def indexes(self, prefix):
        return sorted(self.ask("GET", "/%s*?expand_wildcards=all" % prefix))

    def bulk(self, index, documents):
        """Puts {id: document}."""
        lines = "".join(json.dumps({"index": {"_id": key}}) + "\n" + (document if isinstance(document, str)
                                                                      else json.dumps(document)) + "\n"
                        for key, document in documents.items())
        answer = self.ask("POST", "/%s/_bulk?refresh=true" % index, lines)
        if answer["errors"]:
            raise AssertionError(json.dumps([item for item in answer["items"] if item["index"]["status"] >= 300],
                                            default=str)[:2000])

    def database(self, options=""):
        """Prefixes of no other process and no other class."""
        self.prefixes.append("t%d%s-" % (os.getpid(), os.urandom(4).hex()))
        return self.prefixes[-1]

    def empty(self, prefix):
        """Deletes all that has this prefix: each index takes some of the server's memory."""
        for path in ("/_data_stream/%s*", "/_index_template/%s*", "/%s*?expand_wildcards=all"):
            with contextlib.suppress(Refused):
                self.ask("DELETE", path % prefix)

    def drop_databases(self):
        for prefix in self.prefixes:
            self.empty(prefix)
        self.prefixes = []

    def uri(self, name, options="", via=None):
        """`options` begin with a question mark."""
        return "opensearch://127.0.0.1:%d/%s%s" % ((via or self).port, name, options)


class SecuredElasticsearch(Server):
    """Which asks for a password, and lets each user do what his roles say. Users and roles are of files, since the
    index that others are kept in needs a module
    that cannot be had: what a file says of a role is what the API takes."""
    FLAVOR, LOGIN = "default", "admin:of-the-test"

    def __init__(self, package="elasticsearch-7.17"):
        self.users, self.roles = {self.LOGIN.partition(":")[0]: (self.LOGIN.partition(":")[2], ["superuser"])}, {}
        super().__init__(package, {"xpack.security.enabled": "true", "resource.reload.interval.high": "100ms"})

    def _configure(self):
        super()._configure()
        self._write_users()

    def _write_users(self):
        files = {"roles.yml": "".join("%s: %s\n" % (name, json.dumps(body)) for name, body in self.roles.items()),
                 "role_mapping.yml": "",
                 "users": "".join("%s:%s\n" % (name, salted(password)) for name, (password, _) in self.users.items()),
                 "users_roles": "".join("%s:%s\n" % (role, ",".join(name for name, (_, roles) in self.users.items()
                                                                    if role in roles))
                                        for role in ["superuser", *self.roles])}
        for name, text in files.items():
            path = os.path.join(self.folder, "config", name)
            with open(path + ".new", "w", encoding="ascii") as file:
                file.write(text)
            self.give(path + ".new")
            os.rename(path + ".new", path)

    def set_user(self, name, password, roles):
        """A user with just these roles, {name: body}."""
        self.roles.update(roles)
        self.users[name] = (password, list(roles))
        self._write_users()
        asked = {"cluster": sorted({one for body in roles.values() for one in body["cluster"]}),
                 "index": [group for body in roles.values() for group in body["indices"]]}
        admin, self.LOGIN = self.LOGIN, "%s:%s" % (name, password)
        deadline = time.monotonic() + SHORT_S
        try:
            while not self._has(asked) and time.monotonic() < deadline:
                time.sleep(PAUSE_S)
        finally:
            self.LOGIN = admin

    def _has(self, asked):
        try:
            if not asked["cluster"]:
                return self.ask("GET", "/_security/_authenticate")["roles"] == []
            return self.ask("POST", "/_security/user/_has_privileges", asked)["has_all_requested"]
        except Refused:
            return False


def salted(password):
    salt = os.urandom(8)
    return "{SSHA256}" + "".join(base64.b64encode(part).decode()
                                 for part in (salt, hashlib.sha256(password.encode() + salt).digest()))


class SharedServer(Shared, Server):
    """The pool's."""
    KIND = "opensearch_server"

    def attach(self):
        self.engine, self.prefixes = "opensearch", []


Server.SHARED = SharedServer
for_class, shared_for_class = Server.for_class, Server.shared_for_class


def for_pool():
    return Server()
