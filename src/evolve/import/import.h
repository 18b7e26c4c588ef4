/*
 * Going on where another tool stopped: what its table says is applied is noted in our history. Its
 * table is only read. A second import finds nothing to do.
 */
#ifndef TRANSHUME_EVOLVE_IMPORT_IMPORT_H
#define TRANSHUME_EVOLVE_IMPORT_IMPORT_H

#include "evolve/run/run.h"

enum import_state {
    IMPORT_APPLIED, /* noted, or to be noted */
    IMPORT_KNOWN,   /* our history has it already */
    IMPORT_PENDING, /* a file that the other tool did not apply */
    IMPORT_LOST     /* applied, and no file says what it was */
};

struct import_item {
    enum import_state state;
    const char *version; /* NULL: a repeatable file */
    const char *name;
    const char *note; /* NULL: nothing to tell */
};

/* Lives in the arena. */
struct import_report {
    const char *tool;  /* "flyway" */
    const char *table; /* its own */
    struct import_item *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t foreign; /* lines of projects or apps that the folder has nothing of */
};

/*
 * `tool` NULL: as the tables in the database tell. `dry_run`: nothing is noted. What the other
 * tool left half done, or a file that is not the one that it applied, is refused
 * (ERROR_MIGRATION_REFUSED).
 */
enum status migration_import(const struct schema_options *options, const char *tool, bool dry_run,
                             struct arena *arena, struct import_report *report,
                             struct error *error) MUST_USE;

const char *import_state_name(enum import_state state);

#endif
