/*
 * Whether a dump is whole: what its program writes last is there, and what it began is done.
 *
 *   program         begins with                    ends with
 *   pg_dump         -- PostgreSQL database dump    -- PostgreSQL database dump complete
 *   mysqldump       -- MySQL dump                  -- Dump completed
 *   mariadb-dump    -- MariaDB dump                -- Dump completed
 *   sqlite3 .dump   BEGIN TRANSACTION;             COMMIT;
 *
 * Where SQLite's shell could not read on, it ends with ROLLBACK; -- due to errors
 *
 * A dump without the first of them (--skip-comments, --compact) need not have the second.
 */
#ifndef TRANSHUME_CONNECTORS_DUMP_DUMP_WHOLE_H
#define TRANSHUME_CONNECTORS_DUMP_DUMP_WHOLE_H

#include "base/error.h"
#include "sql/cursor.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DUMP_WHOLE_TAIL_BYTES = 1024 };

/* Begins as zeros. One thread. */
struct dump_whole {
    const char *last_words; /* that have to be at the end; NULL: none */
    char tail[DUMP_WHOLE_TAIL_BYTES];
    size_t tail_length;
    bool in_transaction;
    uint32_t line; /* of its beginning */
};

/* The script's first bytes. */
void dump_whole_begin(struct dump_whole *whole, const char *text, size_t length);
/* All of its bytes, piece by piece. */
void dump_whole_read(struct dump_whole *whole, const char *text, size_t length);
/* A statement. False: it takes back what came before it, so the rows are not its database's. */
bool dump_whole_statement(struct dump_whole *whole, enum sql_language language,
                          const struct sql_piece *piece) MUST_USE;
/* At the script's end: NULL, or the words that are missing there. */
const char *dump_whole_missing(const struct dump_whole *whole);

#endif
