/* One side of a comparison. */
#ifndef TRANSHUME_EVOLVE_DIFF_SIDE_H
#define TRANSHUME_EVOLVE_DIFF_SIDE_H

#include "evolve/diff/diff_internal.h"

/* A database that was opened, or what stands in for one where none is needed (SQLite). */
struct diff_server {
    const struct connector *connector;
    const struct definition_functions *functions;
    struct database *database;
};

struct diff_side {
    const char *text;
    struct diff_server server; /* without a database: it stands in files, or is empty */
    const struct definition_functions *functions;
    struct definition_session *session;
    struct definitions definitions;
    struct diff_renames renames;
    const struct diff_maker *maker; /* of a side in files: what it is filled with; may be NULL */
};

/* A file of SQL, a folder, or "": no URI. */
bool diff_side_is_file(const char *text);
enum status diff_open_database(const char *text, const struct diff_options *options,
                               struct arena *arena, struct diff_server *server,
                               struct error *error) MUST_USE;
void diff_close_database(struct diff_server *server);
/* Reads a side; one of files in a scratch place of `scratch`. */
enum status diff_side_open(struct diff_side *side, const struct diff_server *scratch,
                           struct arena *arena, struct error *error) MUST_USE;
void diff_side_close(struct diff_side *side);

#endif
