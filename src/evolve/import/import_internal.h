/* What the files of the import share. */
#ifndef TRANSHUME_EVOLVE_IMPORT_INTERNAL_H
#define TRANSHUME_EVOLVE_IMPORT_INTERNAL_H

#include "evolve/import/import.h"

/* A line of another tool's history that stands. */
struct import_applied {
    const char *version; /* NULL: a repeatable file */
    const char *key;     /* migration_version_key */
    const char *name;    /* NULL: the table has none */
    const char *checksum;
    bool failed; /* it broke off, and nobody knows what of it stands */
};

/* What a tool's table says. */
struct import_history {
    struct arena *arena;
    struct import_applied *items;
    uint32_t count;
    uint32_t capacity;
    const char *up_to; /* the key of the version up to which all files are applied; NULL: none */
};

struct import_reader {
    const struct alter_functions *alter;
    struct alter_session *session;
    struct import_history *history;
};

struct import_tool {
    const char *name;
    const char *table;
    const char *probe; /* answers 1 or more if the table is this tool's */
    enum status (*read)(struct import_reader *reader, struct error *error);
};
/* Ended by one without a name. */
extern const struct import_tool import_tools[];

/* A new line; good until the next one. */
struct import_applied *import_add(struct import_history *history, const char *version);

#endif
