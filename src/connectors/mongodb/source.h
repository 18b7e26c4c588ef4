/* MongoDB as a source: what its files share. */
#ifndef TRANSHUME_CONNECTORS_MONGODB_SOURCE_H
#define TRANSHUME_CONNECTORS_MONGODB_SOURCE_H

#include "connectors/mongodb/mongodb.h"

/* A collection or a view that is read. */
struct mongodb_collection {
    const char *name;
    bool view;
    struct column_list key; /* as noted; else _id */
    const char *left_out;   /* a field that its documents are read without; NULL: none */
};

/* STATUS_FAILED with ERROR_SOURCE_MISSING: there is none of that name. */
enum status mongodb_collection_find(struct mongodb_database *self, const char *name,
                                    struct arena *arena, struct mongodb_collection *collection,
                                    struct error *error) MUST_USE;
/* All that are the users', by name. */
enum status mongodb_collections_list(struct mongodb_database *self, struct arena *arena,
                                     struct mongodb_collection **collections, uint32_t *count,
                                     struct error *error) MUST_USE;

struct reader {
    struct mongodb_database *database;
    mongoc_client_t *client;
};

/* As struct source_functions has them; cursor.c. */
enum status mongodb_cursor_open(struct reader *reader, const struct read_request *request,
                                const struct span *span, struct cursor **cursor,
                                struct error *error);
enum status mongodb_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                struct batch **batch, struct error *error);
void mongodb_cursor_close(struct cursor *cursor);

#endif
