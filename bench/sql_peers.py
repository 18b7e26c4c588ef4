"""The other tools that copy between SQL databases: how each is called. docs/benchmarks.md says where each is to be had."""
import collections
import os
import tempfile

LIMIT_S = 900   # a tool that waits for something that never comes is ended

# words: the command; script: makes what it needs in `target`; table: where its rows arrive; before: a command that is not measured;
# rival: it is one of those whose fastest the mark is about; mark_time, mark_cpu: most of its own, or None
Peer = collections.namedtuple("Peer", "name program words script table before rival mark_time mark_cpu",
                              defaults=("", "t", "", False, None, None))


def shell(name, program, line, *arguments, **options):
    return Peer(name, program, ["timeout", str(LIMIT_S), "sh", "-c", line], *arguments, **options)


def sluice(source, target, **options):
    """`source`, `target`: a sql_servers.Place, here as below."""
    return shell("sluice", "sluice", "sluice migrate --no-progress --source-driver %s --source '%s' --target-driver %s --target '%s'" % (
        source.driver, source.address, target.driver, target.address), rival=True, **options)


def sling(source, target, script):
    """Left to itself it makes a table without a key: so it fills one that is there, by way of a table of its own."""
    return shell("sling", "sling", "HOME={folder} SLING_DISABLE_TELEMETRY=TRUE sling run --mode truncate --src-conn '%s' --src-stream %s.t "
                 "--tgt-conn '%s' --tgt-object %s.t" % (source.url, source.schema, target.url, target.schema), script)


def ingestr(source, table, target, key, *options):
    """From a URL into PostgreSQL, where it leaves the key out: `key` is the command that adds it."""
    return shell("ingestr", "ingestr", "HOME={folder} DISABLE_TELEMETRY=true RUNTIME__DLTHUB_TELEMETRY=false ingestr ingest --yes "
                 "--progress log --source-uri '%s' --source-table %s --dest-uri '%s' --dest-table %s.t %s && %s" % (
                     source, table, target.url, target.schema, " ".join(options), key))


def pgloader(source, target, **options):
    return shell("pgloader", "pgloader", "pgloader --quiet %s %s" % (source, target), rival=True, **options)


CHAMELEON = """
pid_dir: {home}/.pg_chameleon/pid
log_dir: {home}/.pg_chameleon/logs
log_dest: stdout
log_level: info
log_days_keep: 10
rollbar_key: ''
rollbar_env: ''
type_override: {{}}
pg_conn: {{host: 127.0.0.1, port: {target}, user: postgres, password: none, database: target, charset: utf8}}
sources:
  mysql:
    type: mysql
    db_conn: {{host: 127.0.0.1, port: {source}, user: root, password: '', charset: utf8, connect_timeout: 10}}
    schema_mappings: {{source: source}}
    limit_tables:
    skip_tables:
    grant_select_to:
    lock_timeout: 120s
    my_server_id: 100
    replica_batch_size: 10000
    replay_max_rows: 10000
    batch_retention: 1 day
    copy_max_memory: 300M
    copy_mode: file
    out_dir: {home}
    sleep_loop: 1
    on_error_replay: continue
    on_error_read: continue
    auto_maintenance: disabled
    gtid_enable: false
    keep_existing_schema: false
    net_read_timeout: 600
"""


class Chameleon:
    """pg_chameleon's init_replica. It wants a home for its configuration, a catalogue in the target, and not to be root."""

    def __init__(self, source, target):
        """The ports of both servers."""
        self.home = tempfile.TemporaryDirectory(prefix="chameleon-")
        folder = os.path.join(self.home.name, ".pg_chameleon")
        for name in ("configuration", "pid", "logs"):
            os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, "configuration", "default.yml"), "w", encoding="utf-8") as file:
            file.write(CHAMELEON.format(home=self.home.name, source=source, target=target))
        self.start = "cd %s && HOME=%s " % (self.home.name, self.home.name)
        if os.geteuid() == 0:
            for path, _, names in os.walk(self.home.name):
                for each in [path, *(os.path.join(path, name) for name in names)]:
                    os.chown(each, 65534, 65534)
            self.start += "setpriv --reuid=65534 --regid=65534 --clear-groups "

    def peer(self, **options):
        call = self.start + "chameleon %s --debug"
        return shell("pg_chameleon", "chameleon", call % "init_replica --source mysql", table="source.t", rival=True, before="(%s) && (%s)" % (
            call % "create_replica_schema", call % "add_source --source mysql"), **options)
