/* Files of changes: written hidden, cut back to the last commit, renamed when they are whole. */
#include "connectors/folder/folder_changes.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024 };

static char *open_path(struct arena *arena, const struct folder_changes *changes)
{
    return arena_format(arena, "%s/.%s.changes-%012" PRIu64 "%s.open", changes->path, changes->name,
                        changes->first, changes->folder->format->suffix);
}

static char *whole_path(struct arena *arena, const struct folder_changes *changes)
{
    return arena_format(arena, "%s/%s.changes-%012" PRIu64 "%s%s", changes->path, changes->name,
                        changes->first, changes->folder->format->suffix,
                        folder_compression_suffix(changes->folder->compression));
}

static enum status folder_changes_fail(const char *path, const char *what, struct error *error)
{
    return error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "%s", what);
}

static enum status sync_folder(const struct folder_changes *changes, struct error *error)
{
    return file_sync_folder(changes->path, error) == STATUS_OK
               ? STATUS_OK
               : error_recode(error, ERROR_TARGET_WRITE);
}

char *folder_changes_path(struct arena *arena, const struct folder *folder, const char *table)
{
    return arena_format(arena, "%s/" FOLDER_CHANGES "/%s", folder->path,
                        folder_entry_name(arena, table));
}

enum status folder_changes_remove(const struct folder *folder, const char *table,
                                  struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = file_remove_tree(folder_changes_path(arena, folder, table), error);
    if (status == STATUS_OK) { /* the last one's goes, too */
        (void)!rmdir(arena_format(arena, "%s/" FOLDER_CHANGES, folder->path));
    }
    arena_destroy(arena);
    return status == STATUS_OK ? STATUS_OK : error_recode(error, ERROR_TARGET_WRITE);
}

/* ---------------------------------------------------------------- taking up */

/* One that was made whole before the process died: only its open file may be left. */
static enum status is_whole(const struct folder_changes *changes, bool *whole, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    *whole = file_exists(whole_path(arena, changes));
    const char *path = open_path(arena, changes);
    if (*whole && unlink(path) != 0 && errno != ENOENT) {
        status = folder_changes_fail(path, "can't remove a file of changes that is whole", error);
    }
    arena_destroy(arena);
    return status;
}

static enum status damaged(const char *path, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, path,
              "the file of changes is not there, or shorter than what was committed");
    return error_hint(error, "restore it from a backup, or begin a new run in another folder");
}

static enum status reopen(struct folder_changes *changes, uint64_t bytes, const char *path,
                          struct error *error)
{
    struct stat facts;
    int descriptor = file_open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (descriptor < 0) {
        return errno == ENOENT ? damaged(path, error)
                               : folder_changes_fail(path, "can't open a file of changes", error);
    }
    changes->descriptor = descriptor;
    changes->written = changes->committed = bytes;
    changes->begun_ms = clock_monotonic_ms();
    if (fstat(descriptor, &facts) != 0 || (uint64_t)facts.st_size < bytes) {
        return damaged(path, error);
    }
    if (file_cut(descriptor, (off_t)bytes) != 0 || lseek(descriptor, (off_t)bytes, SEEK_SET) < 0) {
        return folder_changes_fail(path, "can't cut off what was not committed", error);
    }
    return STATUS_OK;
}

enum status folder_changes_restore(struct folder_changes *changes, uint64_t first, uint64_t bytes,
                                   struct error *error)
{
    bool whole = false;
    struct arena *arena = arena_create(0);
    changes->first = first;
    enum status status = is_whole(changes, &whole, error);
    if (status == STATUS_OK && !whole) {
        status = reopen(changes, bytes, open_path(arena, changes), error);
    }
    arena_destroy(arena);
    return status;
}

/* Is the file of this log? Not one of a log whose name begins as this one's, nor a reader's own. */
static bool is_of(const struct folder_changes *changes, const char *name)
{
    size_t length = strlen(changes->name);
    return strncmp(name, changes->name, length) == 0 && strncmp(name + length, ".changes-", 9) == 0;
}

enum status folder_changes_sweep(const struct folder_changes *changes, bool *whole,
                                 struct error *error)
{
    struct entries entries;
    const char *name = NULL;
    struct arena *arena = arena_create(0);
    const char *own = changes->descriptor >= 0 ? open_path(arena, changes) : "";
    *whole = false;
    enum status status = entries_open(&entries, changes->path, ERROR_TARGET_WRITE, error);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while ((status = entries_next(&entries, &name, error)) == STATUS_OK) {
        const char *path = file_join(arena, changes->path, name);
        *whole = *whole || is_of(changes, name);
        if (name[0] == '.' && is_of(changes, name + 1) && strcmp(path, own) != 0 &&
            unlink(path) != 0) {
            status =
                folder_changes_fail(path, "can't remove changes that were not committed", error);
            break;
        }
    }
    entries_close(&entries);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- writing */

static enum status make_folder(const struct folder_changes *changes, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    if (!file_exists(changes->path)) {
        const char *above = folder_parent(arena, changes->path);
        status = file_make_folder(changes->path, error);
        status = status == STATUS_OK ? file_sync_folder(above, error) : status;
        status =
            status == STATUS_OK ? file_sync_folder(folder_parent(arena, above), error) : status;
    }
    arena_destroy(arena);
    return status == STATUS_OK ? STATUS_OK : error_recode(error, ERROR_TARGET_WRITE);
}

enum status folder_changes_begin(struct folder_changes *changes, uint64_t number, bool *made,
                                 struct error *error)
{
    *made = changes->descriptor < 0;
    if (!*made) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    changes->first = number;
    changes->written = changes->committed = 0;
    changes->begun_ms = clock_monotonic_ms();
    const char *path = open_path(arena, changes);
    enum status status = make_folder(changes, error);
    if (status == STATUS_OK) {
        changes->descriptor =
            file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        status = changes->descriptor >= 0
                     ? sync_folder(changes, error)
                     : folder_changes_fail(path, "can't make a file of changes", error);
    }
    arena_destroy(arena);
    return status;
}

enum status folder_changes_write(struct folder_changes *changes, bool all, struct error *error)
{
    struct buffer *buffer = &changes->buffer;
    if (buffer->length == 0 || (!all && buffer->length < WRITE_BYTES)) {
        return STATUS_OK;
    }
    if (file_write_all(changes->descriptor, buffer->data, buffer->length, changes->path, error) !=
        STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    changes->written += buffer->length;
    buffer_clear(buffer);
    return failpoint_hit("files.change_written", error);
}

enum status folder_changes_sync(struct folder_changes *changes, struct error *error)
{
    enum status status = folder_changes_write(changes, true, error);
    if (status == STATUS_OK && changes->descriptor >= 0 && changes->written != changes->committed &&
        file_sync_data(changes->descriptor) != 0) {
        status = folder_changes_fail(changes->path, "can't make changes durable", error);
    }
    return status;
}

static enum status close_file(struct folder_changes *changes, const char *path, struct error *error)
{
    int descriptor = changes->descriptor;
    changes->descriptor = -1;
    changes->written = changes->committed = 0;
    return file_close(descriptor) == 0
               ? STATUS_OK
               : folder_changes_fail(path, "can't close a file of changes", error);
}

enum status folder_changes_roll_back(struct folder_changes *changes, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    buffer_clear(&changes->buffer);
    if (changes->descriptor >= 0 && changes->committed == 0) {
        const char *path = open_path(arena, changes);
        status = close_file(changes, path, error);
        if (unlink(path) != 0 && errno != ENOENT) {
            status =
                folder_changes_fail(path, "can't remove changes that were not committed", error);
        }
    } else if (changes->written != changes->committed) {
        off_t end = (off_t)changes->committed;
        status =
            file_cut(changes->descriptor, end) == 0 &&
                    lseek(changes->descriptor, end, SEEK_SET) >= 0
                ? STATUS_OK
                : folder_changes_fail(changes->path, "can't cut off what was not committed", error);
        changes->written = changes->committed;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- making whole */

static enum status copy_all(struct folder_input *input, struct folder_output *output,
                            struct error *error)
{
    char bytes[16 * 1024];
    size_t length = 0;
    enum status status;
    while ((status = folder_input_read(input, bytes, sizeof(bytes), &length, error)) == STATUS_OK) {
        if (folder_output_write(output, bytes, length, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

/* Beside the open file, which the packed one then takes the place of. */
static enum status pack(const struct folder_changes *changes, const char *from, const char *to,
                        struct error *error)
{
    struct folder_input *input = NULL;
    struct folder_output *output = NULL;
    unlink(to); /* a killed attempt's */
    enum status status =
        folder_input_open_packed(from, FOLDER_PLAIN, ERROR_TARGET_WRITE, &input, error);
    status = status == STATUS_OK
                 ? folder_output_open(to, changes->folder->compression, &output, error)
                 : status;
    status = status == STATUS_OK ? copy_all(input, output, error) : status;
    if (status == STATUS_OK) {
        status = folder_output_finish(output, NULL, error);
    } else {
        folder_output_abandon(output);
    }
    folder_input_close(input);
    return status;
}

static enum status folder_changes_publish(const struct folder_changes *changes, struct arena *arena,
                                          struct error *error)
{
    const char *from = open_path(arena, changes);
    const char *to = whole_path(arena, changes);
    const char *packed = arena_format(arena, "%s.packed", from);
    bool packs = changes->folder->compression != FOLDER_PLAIN;
    enum status status = failpoint_hit("files.before_complete", error);
    status = status == STATUS_OK && packs ? pack(changes, from, packed, error) : status;
    if (status == STATUS_OK && rename(packs ? packed : from, to) != 0) {
        status = folder_changes_fail(to, "can't give a file of changes its name", error);
    }
    status = status == STATUS_OK ? sync_folder(changes, error) : status;
    status = status == STATUS_OK ? failpoint_hit("files.after_complete", error) : status;
    if (status == STATUS_OK && packs && unlink(from) != 0) {
        status = folder_changes_fail(from, "can't remove a file of changes that is whole", error);
    }
    return status;
}

enum status folder_changes_complete(struct folder_changes *changes, struct error *error)
{
    if (changes->written == 0) { /* all of its changes were refused */
        return folder_changes_roll_back(changes, error);
    }
    struct arena *arena = arena_create(0);
    enum status status = close_file(changes, changes->path, error);
    status = status == STATUS_OK ? folder_changes_publish(changes, arena, error) : status;
    arena_destroy(arena);
    return status;
}

void folder_changes_free(struct folder_changes *changes)
{
    if (changes->descriptor >= 0) {
        file_close(changes->descriptor);
    }
    buffer_free(&changes->buffer);
}
