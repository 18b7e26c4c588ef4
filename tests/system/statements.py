"""Which statements the program begins on a SQLite file: a library preloaded before SQLite's writes them down."""
import os
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
static FILE *list;
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("STATEMENTS_FILE");
    list = path != NULL ? fopen(path, "w") : NULL;
}
int sqlite3_step(sqlite3_stmt *statement)
{
    static int (*step)(sqlite3_stmt *);
    if (step == NULL) {
        step = (int (*)(sqlite3_stmt *))dlsym(RTLD_NEXT, "sqlite3_step");
    }
    const char *file = sqlite3_db_filename(sqlite3_db_handle(statement), "main");
    const char *of = getenv("STATEMENTS_OF");
    if (list != NULL && file != NULL && strstr(file, of) != NULL && !sqlite3_stmt_busy(statement)) {
        const char *sql = sqlite3_sql(statement);
        fprintf(list, "%s%c", sql != NULL ? sql : "", 0);
    }
    return step(statement);
}
__attribute__((destructor)) static void end(void)
{
    if (list != NULL) {
        fclose(list);
    }
}
"""


class Recorder:
    """`test` is skipped where the library can't be built."""

    def __init__(self, test):
        self.library, self.file = test.path("statements.so"), test.path("statements.txt")
        source = test.write("statements.c", SOURCE)
        built = subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", self.library, source, "-lsqlite3",
                                "-ldl"], capture_output=True, text=True)
        if built.returncode != 0:
            test.skipTest("the recorder of statements can't be built: " + built.stderr.splitlines()[0])

    def environment(self, file):
        """For a run whose statements on `file` are wanted."""
        return {"LD_PRELOAD": self.library, "STATEMENTS_FILE": self.file, "STATEMENTS_OF": file}

    def statements(self):
        """Those of the last run, in order."""
        with open(self.file, encoding="utf-8", errors="replace") as file:
            return file.read().split("\0")[:-1]
