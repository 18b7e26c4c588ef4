/*
 * The types of a table's columns beside its files, for formats whose files don't tell them.
 *
 *   DIR/_transhume/tables/<table>.json
 *   { "format": 1, "table": "orders", "tags": true, "documents": false, "key": ["id"],
 *     "columns": [
 *       { "name": "id", "type": "int64", "null": false, "dynamic": true, "native": "INTEGER" },
 *       { "name": "total", "type": "decimal", "precision": 10, "scale": 2 },
 *       { "name": "at", "type": "timestamp", "zoned": true } ],
 *     "indexes": [ { "name": "by_at", "columns": ["at"], "unique": false } ],
 *     "references": [ { "columns": ["customer"], "table": "customers", "to": ["id"],
 *                       "on_delete": "CASCADE" } ],
 *     "dialect": { "delimiter": "tab" } }
 *
 * A run writes it with the table; people write one to declare the types of files that came from
 * elsewhere (only "format" and "columns" are needed, and of a column "name" and "type"). Types are
 * the kinds of the plan's `cast:`. "dynamic": values of other kinds occur, too.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_SIDECAR_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_SIDECAR_H

#include "connectors/contract/connector.h"

/* An option of the format that the files were written with; member "dialect". */
struct folder_sidecar_option {
    const char *name;
    const char *text;
};

struct folder_sidecar {
    bool tags;      /* the format's own notation for what it lacks is in the files */
    bool documents; /* records have fields beyond the columns */
    const struct schema_column *columns;
    uint32_t column_count;
    struct column_list key;
    const struct schema_index *indexes;
    uint32_t index_count;
    const struct schema_foreign_key *foreign_keys;
    uint32_t foreign_key_count;
    const struct folder_sidecar_option *options;
    uint32_t option_count;
};

/* Writes what the plan wants of the table, atomically; `options` (may be none) are the format's. */
enum status folder_sidecar_write(const char *path, const struct target_table *table, bool tags,
                                 bool documents, const struct folder_sidecar_option *options,
                                 uint32_t option_count, struct error *error) MUST_USE;
/* All of it in `arena`. Missing: STATUS_END; not understood: ERROR_SOURCE_INVALID, which names the
 * file and what is wrong in it. */
enum status folder_sidecar_read(const char *path, struct arena *arena,
                                struct folder_sidecar *sidecar, struct error *error) MUST_USE;
/* Puts columns, key, indexes and references into a schema. */
void folder_sidecar_describe(const struct folder_sidecar *sidecar, struct schema_table *schema);

#endif
