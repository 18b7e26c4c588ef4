/* Files written again, and put back. */
#include "connectors/folder/folder_rewrite.h"
#include "connectors/folder/folder_claim.h"
#include "connectors/folder/folder_sink.h"

#include "base/failpoint.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024 };

/* ---------------------------------------------------------------- the records that stay */

static enum status copy_records(struct folder_rewriting *rewriting, struct folder_decoder *decoder,
                                struct folder_sink *output, struct buffer *text,
                                struct error *error)
{
    const struct folder_format *format = rewriting->folder->format;
    uint64_t number = 0;
    enum status status =
        format->raw_head != NULL ? format->raw_head(decoder, text, error) : STATUS_OK;
    while (status == STATUS_OK) {
        const char *bytes = NULL;
        size_t length = 0;
        bool leave = false;
        status = format->raw_next(decoder, &bytes, &length, error);
        if (status == STATUS_OK) {
            status = rewriting->leaves(rewriting->context, decoder, number++, bytes, length, &leave,
                                       error);
        }
        if (status != STATUS_OK) {
            break;
        }
        if (leave) {
            rewriting->left_out++;
        } else if (buffer_try_reserve(text, length)) {
            buffer_append(text, bytes, length);
        } else {
            status = error_set(error, ERROR_MEMORY, NULL, "no memory to write a file again");
        }
        if (status == STATUS_OK && text->length >= WRITE_BYTES) {
            status = folder_sink_write(output, text->data, text->length, error);
            buffer_clear(text);
        }
    }
    return status == STATUS_END ? folder_sink_write(output, text->data, text->length, error)
                                : status;
}

static enum status write_new(struct folder_rewriting *rewriting, const char *from,
                             const char *writing, struct folder_print *print, struct error *error)
{
    struct folder *folder = rewriting->folder;
    struct folder_decoder *decoder = NULL;
    struct folder_sink *output = NULL;
    struct buffer text = {0};
    unlink(writing); /* an attempt's that was killed */
    enum status status = folder_segment_open(folder, rewriting->table, from, &decoder, error);
    if (status == STATUS_OK) {
        status = folder_sink_open(folder, writing, folder_compression_of(rewriting->file), NULL,
                                  decoder, &output, error);
    }
    if (status == STATUS_OK) {
        status = copy_records(rewriting, decoder, output, &text, error);
    }
    if (status == STATUS_OK) {
        status = folder_sink_finish(output, print, error);
    } else {
        folder_sink_abandon(output);
    }
    folder->format->decoder_close(decoder);
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- the old file */

static char *replaced_folder(struct arena *arena, const struct folder *folder, const char *table)
{
    return arena_format(arena, "%s/replaced/%s", folder->run.folder,
                        folder_entry_name(arena, table));
}

static enum status cant_keep(const char *path, struct error *error)
{
    return error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                           "can't keep the file as it was before");
}

/* Where the file system has no links. */
static enum status copy_file(const char *from, const char *to, struct arena *arena,
                             struct error *error)
{
    struct folder_input *input = NULL;
    struct folder_output *output = NULL;
    char *writing = arena_format(arena, "%s.tmp", to);
    uint8_t *bytes = arena_allocate(arena, WRITE_BYTES);
    unlink(writing);
    if (folder_input_open_packed(from, FOLDER_PLAIN, ERROR_TARGET_INVALID, &input, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = folder_output_open(writing, FOLDER_PLAIN, &output, error);
    while (status == STATUS_OK) {
        size_t length = 0;
        status = folder_input_read(input, bytes, WRITE_BYTES, &length, error);
        status = status == STATUS_OK ? folder_output_write(output, bytes, length, error) : status;
    }
    folder_input_close(input);
    if (status != STATUS_END) {
        folder_output_abandon(output);
        return STATUS_FAILED;
    }
    if (folder_output_finish(output, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return rename(writing, to) == 0 ? STATUS_OK : cant_keep(to, error);
}

/* The first one that this run replaced stays; one that was kept by an attempt that was killed
 * before it replaced it makes room for what is there now. */
static enum status keep_old(const struct folder_rewriting *rewriting, const char *path,
                            const struct folder_version *versions, uint32_t version_count,
                            struct error *error)
{
    const struct folder *folder = rewriting->folder;
    char *place = replaced_folder(rewriting->arena, folder, rewriting->table);
    char *kept = file_join(rewriting->arena, place, rewriting->file);
    for (uint32_t at = 0; at < version_count; at++) {
        if (strcmp(versions[at].tag, folder->run.tag) == 0 && file_exists(kept)) {
            return STATUS_OK;
        }
    }
    if (file_make_folder(place, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    if (unlink(kept) != 0 && errno != ENOENT) {
        return cant_keep(kept, error);
    }
    if (linkat(AT_FDCWD, path, AT_FDCWD, kept, 0) != 0) {
        bool none = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK;
        enum status status =
            none ? copy_file(path, kept, rewriting->arena, error) : cant_keep(kept, error);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (file_sync_folder(place, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    return failpoint_hit("files.after_keep", error);
}

static bool is_same(const struct stat *before, const char *path)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_ino == before->st_ino && now.st_dev == before->st_dev &&
           now.st_size == before->st_size && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

/* ---------------------------------------------------------------- the whole */

static enum status put_in_place(const struct folder_rewriting *rewriting, const char *writing,
                                const char *path, const struct folder_print *print,
                                const struct stat *before, struct error *error)
{
    struct folder *folder = rewriting->folder;
    struct folder_version version = {.print = *print};
    struct folder_version *versions = NULL;
    uint32_t count = 0;
    memcpy(version.tag, folder->run.tag, sizeof(version.tag));
    if (folder_check_claim(folder, error) != STATUS_OK ||
        folder_versions(folder, rewriting->table, rewriting->file, rewriting->arena, &versions,
                        &count, error) != STATUS_OK ||
        (rewriting->keeps && keep_old(rewriting, path, versions, count, error) != STATUS_OK) ||
        folder_version_add(folder, rewriting->table, rewriting->file, &version, rewriting->arena,
                           error) != STATUS_OK ||
        failpoint_hit("files.before_rewrite", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_same(before, path)) {
        error_set(error, ERROR_TARGET_WRITE, path,
                  "somebody wrote to it while it was written again");
        return error_hint(
            error, "nothing of that was lost; stop who writes there, then `transhume resume`");
    }
    if (rename(writing, path) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                               "can't put the file without these records in its place");
    }
    if (file_sync_folder(rewriting->table_path, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    return failpoint_hit("files.after_rewrite", error);
}

enum status folder_rewrite(struct folder_rewriting *rewriting, struct error *error)
{
    const struct folder *folder = rewriting->folder;
    struct folder_print print;
    struct stat before;
    char *path = file_join(rewriting->arena, rewriting->table_path, rewriting->file);
    char *writing =
        arena_format(rewriting->arena, "%s/tmp/again-%s", folder->run.folder, rewriting->file);
    rewriting->left_out = 0;
    if (lstat(path, &before) != 0 || !S_ISREG(before.st_mode)) {
        return error_set(error, ERROR_TARGET_INVALID, path,
                         "the file is gone, or is none any more");
    }
    if (write_new(rewriting, path, writing, &print, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* whoever may read the old one may read the new one */
    if (chmod(writing, before.st_mode & 0777) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, writing,
                               "can't give it the old file's permissions");
    }
    return put_in_place(rewriting, writing, path, &print, &before, error);
}

/* ---------------------------------------------------------------- putting back */

struct restoring {
    struct folder *folder;
    const char *table;
    struct arena *arena;
    char *place;
    char *table_path;
    bool dry_run;
    uint64_t restored;
    uint64_t changed;
};

static enum status count_difference(struct restoring *restoring, const char *kept, const char *path,
                                    struct error *error)
{
    uint64_t before = 0;
    uint64_t now = 0;
    if (folder_count_records(restoring->folder, restoring->table, kept, &before, error) !=
            STATUS_OK ||
        folder_count_records(restoring->folder, restoring->table, path, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    restoring->restored += before - now;
    return STATUS_OK;
}

static enum status restore_one(struct restoring *restoring, const char *file, struct error *error)
{
    const struct folder *folder = restoring->folder;
    struct folder_print now;
    struct folder_print before;
    struct folder_version *versions;
    uint32_t count;
    char *kept = file_join(restoring->arena, restoring->place, file);
    char *path = file_join(restoring->arena, restoring->table_path, file);
    enum status there = folder_print_file(path, &now, error);
    if (there == STATUS_FAILED || folder_print_file(kept, &before, error) != STATUS_OK ||
        folder_versions(folder, restoring->table, file, restoring->arena, &versions, &count,
                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool replaced =
        there == STATUS_OK && folder_version_is_known(versions, count, &now, folder->run.tag);
    bool same = there == STATUS_OK && before.bytes == now.bytes && before.checksum == now.checksum;
    if (!same && !replaced) {
        restoring->changed++;
        return STATUS_OK;
    }
    if (replaced && count_difference(restoring, kept, path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (restoring->dry_run) {
        return STATUS_OK;
    }
    if (same ? unlink(kept) != 0 : rename(kept, path) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't put the file back");
    }
    return failpoint_hit("files.undo_restored", error);
}

static enum status restore_all(struct restoring *restoring, struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, restoring->place, ERROR_TARGET_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        /* A file that was kept without links is "NAME.tmp" until it is whole. */
        if (folder_is_data(restoring->folder->format, name)) {
            status = restore_one(restoring, name, error);
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status folder_restore(struct folder *folder, const char *table, bool dry_run,
                           uint64_t *restored, uint64_t *changed, struct error *error)
{
    struct restoring restoring = {
        .folder = folder, .table = table, .arena = arena_create(0), .dry_run = dry_run};
    restoring.place = replaced_folder(restoring.arena, folder, table);
    restoring.table_path = folder_table_path(restoring.arena, folder, table);
    enum status status = restore_all(&restoring, error);
    if (status == STATUS_OK && !dry_run && file_exists(restoring.table_path)) {
        status = file_sync_folder(restoring.table_path, error);
    }
    *restored = restoring.restored;
    *changed = restoring.changed;
    arena_destroy(restoring.arena);
    return status;
}
