/* MongoDB: finds of a source, and the time that they read as of. */
#ifndef TRANSHUME_CONNECTORS_MONGODB_FIND_H
#define TRANSHUME_CONNECTORS_MONGODB_FIND_H

#include "connectors/mongodb/mongodb.h"

/* A find under way; what is not the caller's begins zeroed. One thread. */
struct mongodb_find {
    struct mongodb_database *database; /* these four are the caller's */
    mongoc_client_t *client;
    const char *name; /* of the collection */
    bool as_of_now;   /* even if the source has a snapshot */
    uint64_t moment;  /* that it reads as of; 0: whatever is there */
    mongoc_collection_t *collection;
    mongoc_client_session_t *session;
    mongoc_cursor_t *cursor;
};

/*
 * Begins a find; both buffers hold documents: the filter, and options as a find command has them.
 * Once the source has taken its snapshot, as of that. Failures of class RETRY: the server no longer
 * knows that time; who begins again reads as of a later one, and report.moved says so.
 */
enum status mongodb_find_begin(struct mongodb_find *find, const struct buffer *filter,
                               const struct buffer *options, struct error *error) MUST_USE;
/* STATUS_END: that was all. The document is borrowed until the next call. Failures as above. */
enum status mongodb_find_next(struct mongodb_find *find, const bson_t **document,
                              struct error *error) MUST_USE;
void mongodb_find_end(struct mongodb_find *find); /* of one that was not begun, too */

/* Takes the snapshot of a server that has such; the token names its time. */
enum status mongodb_moment_take(struct mongodb_database *self, struct arena *arena,
                                const char **token, struct error *error) MUST_USE;

#endif
