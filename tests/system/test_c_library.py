"""
The C library: its example, compiled against what `make install` puts there, runs plans; failures have their parts.
"""
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

import support

EXAMPLE = os.path.join(support.ROOT, "examples", "run_plan.c")
PLAN = ("transhume: 1\nsource: shop.db\ntarget: copy.db\ntables:\n  item: { entities: { item: { from: item, "
        "fields: { \"*\": copy } } } }\n")
# Prints an object for each event and one for the result, stops the run at the first chunk if told so, and ends with the
# status.
PROBE = r"""
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <transhume.h>
static int hear(void *context, const struct transhume_event *event)
{
    if (event->size != sizeof *event) return 0;
    printf("%s %s %" PRId64 " %" PRId64 "\n", event->kind, event->json == NULL ? "text" : "json", event->count, event->done);
    return context != NULL && strcmp(event->kind, "chunk") == 0;
}
int main(int count, char **arguments)
{
    struct transhume_call call = {.size = sizeof call, .arguments = (const char *const *)arguments + 4, .program = arguments[1],
                                  .folder = arguments[2], .on_event = hear, .context = arguments[3][0] == 's' ? &count : NULL};
    struct transhume_result *result;
    int status = transhume_call(&call, &result);
    const char *parts[] = {transhume_result_run(result), transhume_result_error_code(result), transhume_result_error_object(result),
                           transhume_result_error_message(result), transhume_result_error_hint(result)};
    for (int i = 0; i < 5; i++) fprintf(stderr, "%s\n", parts[i] == NULL ? "-" : parts[i]);
    fprintf(stderr, "%" PRId64 " %" PRId64 "\n", transhume_result_count(result, "written"), transhume_result_count(result, "rows"));
    fprintf(stderr, "%s", strlen(transhume_result_json(result)) > 1 << 20 ? "" : transhume_result_json(result));
    transhume_result_destroy(result);
    return status;
}
"""


class Library(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = tempfile.mkdtemp(prefix="library-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        subprocess.run(["meson", "install", "-C", support.BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root],
                       check=True,
                       stdout=subprocess.DEVNULL)
        [module] = [os.path.join(place, name) for place, _, names in os.walk(cls.root) for name in names
                    if name == "transhume.pc"]
        cls.libraries = os.path.dirname(os.path.dirname(module))
        cls.flags = subprocess.run(["pkg-config", "--cflags", "--libs", "transhume"], check=True, text=True,
                                   stdout=subprocess.PIPE,
                                   env=dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(module),
                                            PKG_CONFIG_SYSROOT_DIR=cls.root)).stdout.split()
        with open(os.path.join(cls.root, "probe.c"), "w", encoding="ascii") as file:
            file.write(PROBE)
        cls.compile(EXAMPLE, "run_plan", "-std=c17")
        cls.compile(file.name, "probe", "-std=c99")

    @classmethod
    def compile(cls, source, name, *flags):
        sanitizer = os.environ.get("TRANSHUME_SANITIZE", "")
        more = ["-fsanitize=" + sanitizer] if sanitizer not in ("", "valgrind") else []
        subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", *flags, *more, "-o", os.path.join(cls.root, name), source,
                        *cls.flags,
                        "-Wl,-rpath," + cls.libraries], check=True)

    def setUp(self):
        super().setUp()
        with sqlite3.connect(self.path("shop.db")) as database:
            database.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
            database.executemany("INSERT INTO item VALUES (?, ?)", ((i, "item %d" % i) for i in range(2000)))
        database.close()

    def items(self, name):
        with sqlite3.connect(self.path(name)) as database:
            found = database.execute("SELECT * FROM item ORDER BY id").fetchall()
        database.close()
        return found

    def probe(self, *arguments, program=support.PROGRAM, stops=False, env=None):
        done = subprocess.run([os.path.join(self.root, "probe"), program, self.folder, "s" if stops else "-",
                               *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * support.PATIENCE,
                              env=dict(os.environ, **(env or {})))
        run, code, shown, message, hint, counts, *rest = done.stderr.split("\n")
        parts = {"run": run, "code": code, "object": shown, "message": message, "hint": hint, "counts": counts,
                 "json": "\n".join(rest)}
        return done.returncode, [line.split() for line in done.stdout.splitlines()], parts

    def test_the_example_runs_a_plan(self):
        self.write("shop.yaml", PLAN)
        done = subprocess.run([os.path.join(self.root, "run_plan"), "shop.yaml"], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(os.environ, TRANSHUME=support.PROGRAM),
                              timeout=60 * support.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "run %s: 2000 records written, 0 rejected\n" % self.run_id())
        self.assertIn("2000 of 2000 records", done.stderr)
        self.assertEqual(self.items("copy.db"), self.items("shop.db"))

    def test_events_and_result(self):
        code, events, parts = self.probe("migrate", "shop.db", "copy.db", "--chunk-rows", "500")
        self.assertEqual((code, parts["code"], parts["counts"]), (0, "-", "2000 -1"))
        self.assertEqual(sum(int(event[2]) for event in events if event[0] == "chunk"), 2000)
        self.assertEqual([event for event in events if event[0] == "progress"][-1][3], "2000")
        self.assertEqual(json.loads(parts["json"])["run"], parts["run"])
        code, events, parts = self.probe("validate")
        self.assertEqual((code, parts["counts"]), (0, "-1 4000"))

    def test_failures_have_their_parts(self):
        code, _, parts = self.probe("migrate", "none.db", "copy.db")
        self.assertEqual((code, parts["code"], parts["object"]), (2, "source-missing", "none.db"))
        self.assertIn("check the path", parts["hint"])
        code, _, parts = self.probe("migrate", "shop.db")
        self.assertEqual((code, parts["code"]), (2, "usage"))
        code, _, parts = self.probe("migrate", program=self.path("none"))
        self.assertEqual((code, parts["code"], parts["object"], parts["json"]),
                         (2, "program-missing", self.path("none"), ""))

    def test_killed_and_stopped_runs_are_resumed(self):
        code, _, parts = self.probe("migrate", "shop.db", "copy.db", "--chunk-rows", "100",
                                    env={"TRANSHUME_FAILPOINT": "sqlite.before_commit:kill:5"})
        self.assertEqual((code, parts["code"]), (3, "program-ended"))
        code, _, parts = self.probe("resume", stops=True, env={"TRANSHUME_FAILPOINT": "sqlite.before_commit:sleep:0"})
        self.assertEqual(code, 4)
        self.assertLess(len(self.items("copy.db")), 2000)
        code, _, parts = self.probe("resume")
        self.assertEqual((code, parts["code"]), (0, "-"))
        self.assertEqual(self.items("copy.db"), self.items("shop.db"))

    def test_endless_output_is_bounded(self):
        code, events, parts = self.probe("status", program="/usr/bin/yes")
        self.assertEqual((code, events, parts["code"]), (3, [], "output-too-large"))

    def test_nothing_but_the_interface_is_exported(self):
        path = os.path.join(self.libraries, "libtranshume.so.0")
        names = subprocess.run(["nm", "-D", "--defined-only", path], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split()[2::3]
        self.assertGreater(len(names), 8)
        for name in names:
            self.assertRegex(name, r"\Atranshume_")


if __name__ == "__main__":
    unittest.main()
