"""Other tools that migrate schemas, run as people run them: each makes a folder and a history in a database."""
import os
import shutil
import subprocess
import unittest

import cache

LIMIT_S = 180


def fetched(name):
    """The path of what shows the package, or a skip with its reason."""
    try:
        return cache.get(name)
    except cache.Unavailable as fault:
        raise unittest.SkipTest(str(fault)) from fault


def installed(*programs):
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest("%s is not installed" % program)


def run(command, cwd, code=0, **env):
    done = subprocess.run(command, cwd=cwd, env=dict(os.environ, **env), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    said = done.stdout.decode("utf-8", "replace")
    if (done.returncode == 0) != (code == 0):
        raise AssertionError("%s ended with %d:\n%s" % (" ".join(command), done.returncode, said))
    return said


def put(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Sqitch:
    """A project; `target` as Sqitch names a database, db:pg://…"""

    def __init__(self, folder, engine, target):
        installed("sqitch")
        self.folder, self.target = folder, target
        self.env = {"SQITCH_USER_CONFIG": os.path.join(folder, "user.conf"),
                    "SQITCH_SYSTEM_CONFIG": os.path.join(folder, "system.conf"),
                    "SQITCH_FULLNAME": "Ann Example", "SQITCH_EMAIL": "ann@example.org", "TZ": "UTC"}
        os.makedirs(folder)
        self("init", "shop", "--engine", engine)

    def __call__(self, *arguments, code=0):
        return run(["sqitch", *arguments], self.folder, code, **self.env)

    def change(self, name, deploy, revert="SELECT 1;\n", verify="", requires=()):
        self("add", name, "-n", name + " # it", *(word for other in requires for word in ("--requires", other)))
        self.write(name, deploy, revert, verify)

    def write(self, name, deploy, revert="SELECT 1;\n", verify=""):
        put(self.folder, "deploy/%s.sql" % name, deploy)
        put(self.folder, "revert/%s.sql" % name, revert)
        put(self.folder, "verify/%s.sql" % name, verify or "SELECT 1;\n")

    def deploy(self, code=0):
        return self("deploy", self.target, code=code)


class Liquibase:
    def __init__(self, folder, url, user, password):
        self.program, self.folder, self.url = fetched("liquibase"), folder, url
        self.user, self.password = user, password
        os.makedirs(folder)

    def __call__(self, *arguments, code=0):
        return run(["sh", self.program, "--url=" + self.url, "--username=" + self.user, "--password=" + self.password,
                    "--changelog-file=root.xml", *arguments], self.folder, code)

    def root(self, *files):
        put(self.folder, "root.xml", """<?xml version="1.0" encoding="UTF-8"?>
<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://www.liquibase.org/xml/ns/dbchangelog http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-4.28.xsd">
%s</databaseChangeLog>
""" % "".join('  <include file="%s"/>\n' % file for file in files))


DRIZZLE_APPLY = """
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
const db = drizzle(process.argv[2]);
await migrate(db, { migrationsFolder: 'drizzle' });
await db.$client.end();
"""


class Drizzle:
    """Its packages are found beside the project."""

    def __init__(self, folder, url):
        shown = fetched("drizzle")
        self.folder, self.url = folder, url
        os.makedirs(folder)
        os.symlink(os.path.dirname(os.path.dirname(shown)), os.path.join(folder, "node_modules"))
        put(folder, "apply.mjs", DRIZZLE_APPLY)

    def generate(self, columns, name):
        put(self.folder, "schema.ts", "import { pgTable, integer, text } from 'drizzle-orm/pg-core';\n"
                                      "export const users = pgTable('users', { id: integer().primaryKey(), %s });\n"
                                      "export const notes = pgTable('notes', { id: integer().primaryKey() });\n"
            % columns)
        return run(["node", "node_modules/drizzle-kit/bin.cjs", "generate", "--dialect", "postgresql", "--schema",
                    "schema.ts",
                    "--out", "drizzle", "--name", name], self.folder)

    def migrate(self):
        return run(["node", "apply.mjs", self.url], self.folder)


ALEMBIC_ENV = """
from alembic import context
from sqlalchemy import create_engine
url = context.config.get_main_option('sqlalchemy.url')
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True, **%(options)s)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url).connect() as connection:
        context.configure(connection=connection, **%(options)s)
        with context.begin_transaction():
            context.run_migrations()
"""


class Alembic:
    def __init__(self, folder, url, options="{}"):
        self.program, self.folder = fetched("python-migrations"), folder
        os.makedirs(os.path.join(folder, "versions"))
        put(folder, "alembic.ini", "[alembic]\nscript_location = .\nsqlalchemy.url = %s\n" % url)
        put(folder, "env.py", ALEMBIC_ENV % {"options": options})

    def __call__(self, *arguments):
        done = subprocess.run([self.program, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=LIMIT_S, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        return done.stdout.decode()

    def revision(self, name, below, up, down="SELECT 1"):
        put(self.folder, "versions/%s.py" % name,
            "from alembic import op\nrevision = %r\ndown_revision = %r\nbranch_labels = None\ndepends_on = None\n"
            "def upgrade():\n%sdef downgrade():\n%s" %
            (name, below, "".join("    op.execute(%r)\n" % line for line in up.split(";") if line.strip()),
             "".join("    op.execute(%r)\n" % line for line in down.split(";") if line.strip())))


class Django:
    """A project with one app, `shop`."""

    def __init__(self, folder, database):
        self.python = os.path.join(os.path.dirname(fetched("python-migrations")), "python")
        self.folder = folder
        put(folder, "settings.py", "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.contenttypes', 'shop']\n"
                                   "DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\nUSE_TZ = True\nDATABASES = "
                                   "{'default': %r}\n" % database)
        put(folder, "shop/__init__.py", "")

    def __call__(self, *arguments):
        done = subprocess.run([self.python, "-m", "django", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=LIMIT_S, check=False,
                              env=dict(os.environ, DJANGO_SETTINGS_MODULE="settings", PYTHONPATH=self.folder))
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        return done.stdout.decode()

    def model(self, fields, name):
        put(self.folder, "shop/models.py", "from django.db import models\nclass Item(models.Model):\n%s" %
            "".join("    %s\n" % field for field in fields))
        self("makemigrations", "shop", "--name", name)

    def write_sql(self, folder, *names):
        for name in names:
            put(folder, "shop/%s.sql" % name, self("sqlmigrate", "shop", name))
            put(folder, "shop/%s.down.sql" % name, self("sqlmigrate", "shop", name, "--backwards"))


RAILS = """
require 'active_record'
ActiveRecord::Base.establish_connection(%(connection)s)
ActiveRecord::Base.logger = nil
ActiveRecord::Migration.verbose = false
ActiveRecord::MigrationContext.new('%(folder)s', ActiveRecord::SchemaMigration).migrate(%(to)s)
"""


class Rails:
    """ActiveRecord without the rest of Rails. `connection`: Ruby's hash."""

    def __init__(self, folder, connection):
        installed("ruby")
        if subprocess.run(["ruby", "-e", "require 'active_record'; require 'pg'; require 'sqlite3'"],
                          stderr=subprocess.DEVNULL, check=False,
                          timeout=LIMIT_S).returncode:
            raise unittest.SkipTest("ActiveRecord is not installed (ruby-activerecord, ruby-pg, ruby-sqlite3)")
        self.folder, self.connection = folder, connection
        os.makedirs(folder)

    def migration(self, version, name, sql):
        put(self.folder, "migrate/%s_%s.rb" % (version, name),
            "class %s < ActiveRecord::Migration[6.1]\n  def up\n    execute %r\n  end\nend\n" %
            ("".join(word.capitalize() for word in name.split("_")), sql))

    def migrate(self, to):
        return run(["ruby", "-e", RAILS % {"connection": self.connection, "folder": "migrate", "to": to}], self.folder)
