/* MongoDB as a source: what its files share. */
#ifndef TRANSHUME_CONNECTORS_MONGODB_SOURCE_H
#define TRANSHUME_CONNECTORS_MONGODB_SOURCE_H

#include "connectors/mongodb/mongodb.h"

/* A collection or a view that is read. */
struct mongodb_collection {
    const char *name;
    struct mongodb_facts facts;
    struct column_list key; /* as noted; else _id; none of a time series */
    const char *left_out;   /* a field that its documents are read without; NULL: none */
};

/* It is cut into ranges of _id. */
static inline bool mongodb_collection_is_cut(const struct mongodb_collection *collection)
{
    return !collection->facts.view && !collection->facts.time_series && !collection->facts.capped;
}

/* STATUS_FAILED with ERROR_SOURCE_MISSING: there is none of that name. */
enum status mongodb_collection_find(struct mongodb_database *self, const char *name,
                                    struct arena *arena, struct mongodb_collection *collection,
                                    struct error *error) MUST_USE;
/* All that are the users', by name. */
enum status mongodb_collections_list(struct mongodb_database *self, struct arena *arena,
                                     struct mongodb_collection **collections, uint32_t *count,
                                     struct error *error) MUST_USE;

/* How a find command reads it, as the fields of a document: in the order of _id; a capped one in
 * that of its insertions. `page_documents` of one answer; 0: the server's choice. */
void mongodb_collection_write_options(const struct mongodb_collection *collection,
                                      uint32_t page_documents, struct buffer *options);

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
