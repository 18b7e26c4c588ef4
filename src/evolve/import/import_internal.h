/* Declarations that the files of the import share. */
#ifndef TRANSHUME_EVOLVE_IMPORT_INTERNAL_H
#define TRANSHUME_EVOLVE_IMPORT_INTERNAL_H

#include "evolve/import/import.h"

/* A line of another tool's history that counts. */
struct import_applied {
    const char *id;    /* as the tool knows the migration; NULL: a repeatable file of Flyway */
    const char *key;   /* migration_version_key of it */
    const char *scope; /* the project or app that it is of; NULL: there is but one */
    const char *name;  /* NULL: the table has none */
    const char *checksum;
    bool failed; /* it broke off, and nobody knows what of it stands */
};

/* The content of a tool's table. */
struct import_history {
    struct arena *arena;
    struct import_applied *items;
    uint32_t count;
    uint32_t capacity;
    const char *up_to; /* the key of the version up to which all files are applied; NULL: none */
};

/*
 * A tool's table, and what SQL finds in it; or its collection, with one document, of which `parts`,
 * `state` and `locked` are the commands that find them. Expressions are of one row. `state` answers
 *
 *   stands, failed     this migration
 *   up to              it and all below it; "failed up to" that it failed itself
 *   gone               it was taken back
 *   none               the row says nothing
 *
 * Rows count in their order: a later one takes back what an earlier one said of the same id.
 */
struct import_tool {
    enum alter_language language; /* of what is asked: ALTER_SQL, or ALTER_MONGO */
    const char *name;
    const char *title;
    const char *table;    /* for people */
    const char *beside;   /* SQLite: the file beside the database that it is in; NULL: in itself */
    const char *probe;    /* answers 1 or more if the table is this tool's */
    const char *parts[3]; /* of an id, with `joint` between them; what is not there is NULL */
    const char *joint;
    const char *label; /* expression of the name; NULL */
    const char *checksum;
    const char *state;
    const char *from; /* FROM … */
    const char *order;
    const char *locked;      /* a query that answers who works with the table now; NULL */
    const char *locked_hint; /* what to do if nobody does any more */
    bool scoped;             /* the first part is a project or an app */
    bool repeats;            /* the same id again is `id#2` */
    bool paths;              /* ids begin with paths, of which one may lack folders in front */
    bool heads;              /* a row stands for all that it requires */
    bool times;              /* ids are times, and the tool passes over what is below the last */
};
/* Ended by one without a name. */
extern const struct import_tool import_tools[];

/* A session that asks, and where the answers go. */
struct import_reader {
    const struct alter_functions *alter;
    struct alter_session *session;
    struct import_history *history;
};

/* read.c: in the database that the session is of. */

/* Is the table there? */
bool import_probe(struct import_reader *reader, const struct import_tool *tool);
/* Reads the table. ERROR_MIGRATION_REFUSED: the tool is at work. */
enum status import_read(struct import_reader *reader, const struct import_tool *tool,
                        struct error *error) MUST_USE;

/* session.c: also in a file beside it. */

/* The tool of that name; NULL: as the folder's layout (`format`) says, else as the tables do. */
enum status import_choose(struct import_reader *reader, const char *name, const char *format,
                          const struct import_tool **tool, struct error *error) MUST_USE;
enum status import_read_tool(struct import_reader *reader, const struct import_tool *tool,
                             struct error *error) MUST_USE;

/* match.c: which of the tool's migrations the files are. Arrays by index of the set. */
struct import_matches {
    const struct import_applied **lines; /* NULL: the tool has none of the file */
    bool *implied;                       /* another one stands that comes behind it */
    bool *found;                         /* by index of the history: a file is of that line */
};

/* ERROR_MIGRATION_REFUSED: it can't be told which files are applied. */
enum status import_match(const struct import_tool *tool, const struct migration_set *set,
                         const struct import_history *history, struct import_matches *matches,
                         struct error *error) MUST_USE;
/* Is the line of a project or an app that the folder has nothing of? */
bool import_is_foreign(const struct import_tool *tool, const struct migration_set *set,
                       const struct import_applied *line);
/* Do both checksums say the same? True also where they can't be compared. */
bool import_is_same(const struct import_applied *line, const struct migration *file);

#endif
