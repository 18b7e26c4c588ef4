/* Change sets as bytes and back: for what is kept aside and read again on the same machine. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FEED_SET_BYTES_H
#define TRANSHUME_ENGINE_FOLLOW_FEED_SET_BYTES_H

#include "base/buffer.h"
#include "model/change.h"

/*
 * A set names its tables by numbers, whose names, columns and keys stand before it: a table of the
 * bytes is as large as its columns, and repeated as rarely as it changes. Types of columns are not
 * kept. Integers are in the machine's own order.
 */
void set_bytes_append_table(const struct change_table *table, uint32_t number, struct buffer *out);
/* `numbers`: of the set's tables, in its order. */
enum status set_bytes_append(const struct change_set *set, const uint32_t *numbers,
                             struct buffer *out, struct error *error) MUST_USE;

/* The head of a set. Borrowed from the bytes. */
struct set_head {
    bool first_piece;
    bool last_piece;
    struct position end;
};

/* ERROR_STATE_INVALID, as of the next two: they are not what was appended. The table lives in the
 * arena. */
enum status set_bytes_read_table(const void *bytes, size_t length, struct arena *arena,
                                 struct change_table *table, uint32_t *number,
                                 struct error *error) MUST_USE;
enum status set_bytes_read_head(const void *bytes, size_t length, struct set_head *head,
                                struct error *error) MUST_USE;
/* The set lives in an arena of its own; of the tables it has those numbers. */
enum status set_bytes_read(const void *bytes, size_t length, const struct change_table *tables,
                           uint32_t table_count, struct change_set **set,
                           struct error *error) MUST_USE;

#endif
