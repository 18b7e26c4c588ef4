/* The meaning of a column's default, out of a SQL database's own words. */
#ifndef TRANSHUME_SQL_DEFAULT_TEXT_H
#define TRANSHUME_SQL_DEFAULT_TEXT_H

#include "base/arena.h"
#include "model/schema.h"

enum sql_default_words {
    SQL_BACKSLASHES = 1 << 0, /* escape in texts */
    SQL_CASTS = 1 << 1,       /* 'x'::text */
    SQL_BARE_TEXTS = 1 << 2,  /* "x" and x are texts */
    SQL_CLOCK_TEXTS = 1 << 3  /* the clock gives "2024-02-29 12:00:00", UTC, into columns of text */
};

/* Sets default_kind and default_value by default_text. Returns true. */
bool sql_default_read(struct schema_column *column, unsigned words, struct arena *arena);

#endif
