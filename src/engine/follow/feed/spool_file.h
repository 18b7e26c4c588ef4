/*
 * Change sets in files: whole transactions of a feed, one behind the other, in segments NNNNNNNN.
 *
 *   segment  records; a new one begins between two transactions
 *   record   length of its bytes (4), kind (4), XXH3 of the bytes (8), the bytes (set_bytes.h)
 *
 * A table stands in each segment before the first set that names it. What a crash left behind the
 * last whole transaction is not read, and cut off before anything is written again.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_FEED_SPOOL_FILE_H
#define TRANSHUME_ENGINE_FOLLOW_FEED_SPOOL_FILE_H

#include "connectors/contract/feed.h"

/* feed.covers */
typedef bool spool_covers(struct position at, struct position goal);

/* A position in a buffer, and the buffer's. */
static inline void position_keep(struct buffer *to, struct position position)
{
    buffer_clear(to);
    buffer_append(to, position.bytes, position.length);
}
static inline struct position position_kept(const struct buffer *in)
{
    return (struct position){(const uint8_t *)in->data, (uint32_t)in->length};
}

/* ---- writing; one thread */

struct spool_writer;
/* Makes the folder if need be. `*end` is the end of the last whole transaction that is there
 * (length 0: there is none), in the arena. */
enum status spool_writer_open(const char *folder, struct arena *arena, struct position *end,
                              struct spool_writer **writer, struct error *error) MUST_USE;
void spool_writer_close(struct spool_writer *writer); /* takes NULL */
/* The set stays the caller's. Not durable before spool_writer_sync. */
enum status spool_writer_add(struct spool_writer *writer, const struct change_set *set,
                             struct error *error) MUST_USE;
/* Shapes of sets that come now are others, whatever their addresses. */
enum status spool_writer_forget(struct spool_writer *writer, struct error *error) MUST_USE;
enum status spool_writer_sync(struct spool_writer *writer, struct error *error) MUST_USE;
uint64_t spool_writer_bytes(const struct spool_writer *writer); /* of all segments */

/* ---- reading; one thread, once nobody writes */

struct spool_reader;
/* Opens the sets that come behind `from`. No folder, or nothing in it: `*reader` is NULL. */
enum status spool_reader_open(const char *folder, struct position from, spool_covers *covers,
                              struct spool_reader **reader, struct error *error) MUST_USE;
void spool_reader_close(struct spool_reader *reader); /* takes NULL */
/* STATUS_END: no whole transaction is left. The set's tables live until the reader is closed. */
enum status spool_reader_next(struct spool_reader *reader, struct change_set **set,
                              struct error *error) MUST_USE;
/* Where the feed goes on behind what was read. */
struct position spool_reader_end(const struct spool_reader *reader);
/* Everything up to the position is durable elsewhere: segments that hold nothing else go. After
 * STATUS_END of spool_reader_next the folder goes with the last of them. */
enum status spool_reader_confirm(struct spool_reader *reader, struct position position,
                                 struct error *error) MUST_USE;

#endif
