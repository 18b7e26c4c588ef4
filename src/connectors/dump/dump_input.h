/* The script of a dump: the bytes of a file, unpacked, or what pg_restore prints of an archive. */
#ifndef TRANSHUME_CONNECTORS_DUMP_DUMP_INPUT_H
#define TRANSHUME_CONNECTORS_DUMP_DUMP_INPUT_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dump_input;

/*
 * Looks at the file, or at the folder of an archive (by its contents, never by its name), and keeps
 * it open. `spill_folder` is where what has to be unpacked goes, in a file without a name; NULL:
 * nowhere. `pg_restore` is that program. All are copied.
 */
enum status dump_input_open(const char *path, const char *spill_folder, const char *pg_restore,
                            struct dump_input **input, struct error *error) MUST_USE;
void dump_input_close(struct dump_input *input); /* NULL is fine */
/* "inode 12 of file system 0a1b" */
const char *dump_input_identity(const struct dump_input *input, struct arena *arena);
/* Equal texts: the very same bytes. */
const char *dump_input_token(const struct dump_input *input, struct arena *arena);
/* ERROR_SOURCE_CHANGED: something wrote to the file since it was opened. Any thread. */
enum status dump_input_check(const struct dump_input *input, struct error *error) MUST_USE;

/* The script from some byte on; one thread. */
struct dump_text;

/* The first one is opened at byte 0 and read to its end, on the control thread, before any other:
 * it unpacks. */
enum status dump_text_open(struct dump_input *input, uint64_t offset, struct dump_text **text,
                           struct error *error) MUST_USE;
void dump_text_close(struct dump_text *text); /* NULL is fine */
/* Goes on there; where the script is not unpacked, back means from the beginning. */
enum status dump_text_seek(struct dump_text *text, uint64_t offset, struct error *error) MUST_USE;
/* Between 1 and `capacity` bytes; STATUS_END at the end. */
enum status dump_text_read(struct dump_text *text, void *bytes, size_t capacity, size_t *length,
                           struct error *error) MUST_USE;

#endif
