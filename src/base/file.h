/* Files written so that a crash leaves the old or the new contents, never a mixture. */
#ifndef TRANSHUME_BASE_FILE_H
#define TRANSHUME_BASE_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * open(2), read(2), pread(2), pwrite(2), ftruncate(2), fsync(2) and fdatasync(2) of files, made
 * again when a signal came between (EINTR): over NFS and FUSE it may. close(2) is not: Linux has
 * let go of the file by then, and what was to be durable was synced before.
 */
int file_open(const char *path, int flags, mode_t mode);
ssize_t file_read(int descriptor, void *bytes, size_t size);
ssize_t file_read_at(int descriptor, void *bytes, size_t size, off_t offset);
ssize_t file_write_at(int descriptor, const void *bytes, size_t size, off_t offset);
int file_cut(int descriptor, off_t size);
int file_sync(int descriptor);
int file_sync_data(int descriptor);
int file_close(int descriptor);

/*
 * Failures to write are ERROR_STATE_WRITE, to read ERROR_STATE_INVALID, or what error_set_errno
 * makes of them (permission, disk full); a caller whose file is no part of the state changes the
 * code with error_recode.
 */

/* Writes `path` whole: temporary file beside it (0600, O_EXCL, O_NOFOLLOW), fsync, rename, fsync of
 * the folder. `failpoint` (may be NULL) is hit before the rename. */
enum status file_write_atomic(const char *path, const void *bytes, size_t length,
                              const char *failpoint, struct error *error) MUST_USE;
/* The same without fsync: whoever reads sees the old or the new contents, but a machine that stops
 * may leave an empty file. For exports that are made again. */
enum status file_replace(const char *path, const void *bytes, size_t length, const char *failpoint,
                         struct error *error) MUST_USE;
/* Reads all of `path` into the arena with a NUL after it; a file above `limit_bytes` is refused.
 * A missing file: STATUS_END. */
enum status file_read_all(const char *path, size_t limit_bytes, struct arena *arena, char **bytes,
                          size_t *length, struct error *error) MUST_USE;
/* The same of a file that is open, from where its descriptor stands; `path` is for messages. */
enum status file_read_open(int descriptor, const char *path, size_t limit_bytes,
                           struct arena *arena, char **bytes, size_t *length,
                           struct error *error) MUST_USE;
/* Makes the folder and its parents (0700); fine if it is there; refuses a symlink as last part. */
enum status file_make_folder(const char *path, struct error *error) MUST_USE;
enum status file_sync_folder(const char *path, struct error *error) MUST_USE;
/* Removes a folder and what is in it; never follows symlinks. Missing: STATUS_OK. */
enum status file_remove_tree(const char *path, struct error *error) MUST_USE;
/* write(2) until all is written, EINTR included. */
enum status file_write_all(int descriptor, const void *bytes, size_t length, const char *path,
                           struct error *error) MUST_USE;
int file_exists(const char *path);
/* The folder that the running program lies in; false: it is not known, or longer than `capacity`.
 */
bool file_program_folder(char *folder, size_t capacity);
/* "a/b" from "a" and "b" in the arena. */
char *file_join(struct arena *arena, const char *folder, const char *name);
/* A file name from any text: letters, digits, - _ . kept, every other byte as %XX, so that names
 * from a source can't become paths; at most 200 bytes (a hash follows when cut). */
char *file_safe_name(struct arena *arena, const char *text, size_t length);
/* Takes an exclusive lock on `path` (created 0600, holds the pid as text). STATUS_AGAIN: held by
 * another process, whose pid is put in `*holder`. The descriptor is the caller's to close. */
enum status file_lock(const char *path, int *descriptor, int64_t *holder,
                      struct error *error) MUST_USE;
/* True if another open file holds the lock of file_lock on `path`. What the file says of a pid is
 * no proof: its process may be long gone, and the number another's. */
int file_is_locked(const char *path);

/* ---------------------------------------------------------------- a folder's entries */

/* Name by name. A folder that can't be read is an error, never one that ends early. */

struct entries {
    DIR *stream;
    const char *path; /* borrowed */
    enum error_code code;
};

/* A failure, here and later, is `code`, or what error_set_errno makes of it. STATUS_END: there is
 * no such folder. Only after STATUS_OK is there anything to be closed. */
enum status entries_open(struct entries *entries, const char *path, enum error_code code,
                         struct error *error) MUST_USE;
/* The next one but "." and "..", in no order; STATUS_END: there is none. The name is good until the
 * next call. */
enum status entries_next(struct entries *entries, const char **name, struct error *error) MUST_USE;
void entries_close(struct entries *entries);

/* ---------------------------------------------------------------- a file's lines */

/* A line that can't be read is an error, never the file's end. */

struct file_lines {
    FILE *stream;
    const char *path; /* borrowed */
    enum error_code code;
    char *line; /* as it was read last, with its end; NUL behind it */
    size_t length;
    size_t capacity;
};

/* A failure, here and later, is `code`, or what error_set_errno makes of it. STATUS_END: there is
 * no such file. Only after STATUS_OK is there anything to be closed. */
enum status file_lines_open(struct file_lines *lines, const char *path, enum error_code code,
                            struct error *error) MUST_USE;
/* The next one, in `line`; the last may lack its end. STATUS_END: there is none. */
enum status file_lines_next(struct file_lines *lines, struct error *error) MUST_USE;
/* To the first line again. */
enum status file_lines_rewind(struct file_lines *lines, struct error *error) MUST_USE;
enum status file_lines_fail(const struct file_lines *lines, struct error *error) MUST_USE;
void file_lines_close(struct file_lines *lines);

#endif
