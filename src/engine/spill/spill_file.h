/*
 * Data that are sorted on disk before rows are read: a private SQLite file in the spill folder, and
 * files made of it that are mapped into memory. Memory is bounded by SQLite's cache. The control
 * thread's, but for mappings, which any thread may read.
 */
#ifndef TRANSHUME_ENGINE_SPILL_FILE_H
#define TRANSHUME_ENGINE_SPILL_FILE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include <sqlite3.h>
#include <stdbool.h>

enum { SPILL_HASH_BYTES = 16 };

struct spill_file {
    sqlite3 *connection; /* NULL: it is not open */
    const char *path;
    struct arena *arena; /* of the path; borrowed */
    bool is_made;
    bool directs; /* SQLite's temporary files go to the spill folder */
};

/* Makes one, without a journal and in one transaction: what is in it does not outlive it. `folder`
 * NULL: none could be made. `name` is the file's beginning. Closed in any case. */
enum status spill_file_open(struct spill_file *file, const char *folder, const char *name,
                            uint64_t memory_bytes, struct arena *arena,
                            struct error *error) MUST_USE;
/* SQLite's one variable for the process: where it keeps temporary files; "": as it decides. */
void spill_direct_temporary_files(sqlite3 *connection, const char *folder);
/* The file goes. */
void spill_file_close(struct spill_file *file);
/* The meaning of a result of SQLite's: a full disk, a stop that was asked for, or what it says. */
enum status spill_file_fail(const struct spill_file *file, int result, struct error *error);
enum status spill_file_execute(const struct spill_file *file, const char *sql,
                               struct error *error) MUST_USE;
enum status spill_file_prepare(const struct spill_file *file, const char *sql,
                               sqlite3_stmt **statement, struct error *error) MUST_USE;

/* ---- mapped files */

/* The mapping of a file that has no name any more. */
struct spill_mapping {
    const uint8_t *bytes; /* NULL: it is empty */
    size_t length;
};
void spill_mapping_free(struct spill_mapping *mapping);
/* The number of this hash among ascending ones; SIZE_MAX: it is none of them. */
size_t spill_mapping_find(const struct spill_mapping *mapping, const uint8_t *hash);

/* One while it is written, beside a spill file. */
struct spill_part {
    const char *path;
    int descriptor;
    struct buffer bytes;
    size_t length;
};
enum status spill_part_begin(struct spill_part *part, const struct spill_file *file, int number,
                             struct error *error) MUST_USE;
enum status spill_part_put(struct spill_part *part, const void *bytes, size_t length,
                           struct error *error) MUST_USE;
/* The first column of each row of a query. `places` (may be NULL) gets where each begins in `part`,
 * 8 bytes in the machine's order. */
enum status spill_part_put_rows(struct spill_part *part, struct spill_part *places,
                                const struct spill_file *file, const char *sql,
                                struct error *error) MUST_USE;
/* Maps what was put, if `status` is OK; the part is over in any case. Passes the status through. */
enum status spill_part_end(struct spill_part *part, enum status status,
                           struct spill_mapping *mapping, struct error *error) MUST_USE;

#endif
