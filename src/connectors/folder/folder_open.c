/* Opening a folder: its options, its place, its identity. */
#include "connectors/folder/bucket/bucket.h"
#include "connectors/folder/folder_claim.h"
#include "connectors/folder/folder_record.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/common/run_lock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAILPOINTS                                                                                 \
    "files.within_record", "files.before_compact", "files.after_compact", "files.sweep_removed",   \
        "files.after_sweep", "files.before_table", "files.before_definition", "files.after_table", \
        "files.chunk_begin", "files.after_part", "files.before_sync", "files.before_rename",       \
        "s3.before_object", "files.after_rename", "files.before_empty", "files.after_empty",       \
        "files.before_duplicates", "files.after_duplicates", "files.after_keep",                   \
        "files.before_rewrite", "files.after_rewrite", "files.before_undo", "files.undo_removed",  \
        "files.undo_restored", "files.after_undo", "files.before_remove_table",                    \
        "files.change_written", "files.before_apply", "files.after_apply",                         \
        "files.before_complete", "files.after_complete", "files.before_forget",                    \
        "files.after_forget", "files.after_aside", "files.after_notes"

const char *const folder_failpoints[] = {FAILPOINTS, NULL};
const char *const folder_learning_failpoints[] = {FAILPOINTS, "files.first_reading", NULL};

static enum status read_file_bytes(struct folder *folder, const struct uri *uri,
                                   struct error *error)
{
    const struct connector *connector = folder->format->connector;
    const char *file_bytes = uri_parameter(uri, connector, "file_bytes");
    if (text_to_bytes(file_bytes, &folder->file_bytes_max) != STATUS_OK ||
        folder->file_bytes_max < 1024 || folder->file_bytes_max > (uint64_t)1 << 40) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "file_bytes is from 1KiB to 1TiB");
        return error_hint(error, "write for example %s:DIR?file_bytes=128MiB", connector->name);
    }
    return STATUS_OK;
}

static enum status read_options(struct folder *folder, const struct uri *uri, struct error *error)
{
    const struct connector *connector = folder->format->connector;
    if (read_file_bytes(folder, uri, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (folder->format->packing != NULL) {
        return STATUS_OK;
    }
    const char *compression = uri_parameter(uri, connector, "compression");
    if (strcmp(compression, "gzip") == 0) {
        folder->compression = FOLDER_GZIP;
    } else if (strcmp(compression, "zstd") == 0) {
        folder->compression = FOLDER_ZSTD;
    } else if (strcmp(compression, "none") != 0) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "compression is none, gzip or zstd");
        return error_hint(error, "write for example %s:DIR?compression=gzip", connector->name);
    }
    const char *seconds = uri_parameter(uri, connector, "change_seconds");
    if (text_to_int64(seconds, strlen(seconds), &folder->change_seconds) != STATUS_OK ||
        folder->change_seconds < 0 || folder->change_seconds > 86400) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "change_seconds is from 0 to 86400");
        return error_hint(error, "write for example %s:DIR?change_seconds=60", connector->name);
    }
    return STATUS_OK;
}

static enum status refuse_place(const struct folder *folder, int reason, const char *message,
                                struct error *error)
{
    bool source = folder->mode == OPEN_SOURCE;
    error_set_errno(error, source ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING, reason,
                    folder->path, "%s", message);
    return error_hint(error, "check the path after %s:, and who may %s there",
                      folder->format->connector->name, source ? "read" : "write");
}

/* Neither a folder nor a file that may be one table. */
static enum status refuse_kind(const struct folder *folder, mode_t mode, struct error *error)
{
    bool source = folder->mode == OPEN_SOURCE;
    bool stream = folder->format->loose_files && (S_ISFIFO(mode) || S_ISCHR(mode));
    const char *kind = S_ISREG(mode)    ? "a file"
                       : S_ISFIFO(mode) ? "a pipe"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";
    error_set(error, source ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID, folder->path,
              "it is %s, and should be a folder", kind);
    if (stream) {
        error_hint(error, "%s by standard %s: transhume … %s:- %s %s",
                   source ? "give its records" : "have its records", source ? "input" : "output",
                   folder->format->connector->name, source ? "<" : ">", folder->path);
    } else {
        error_hint(error, "name the folder that holds a subfolder for each table");
    }
    return STATUS_FAILED;
}

static enum status check_file(struct folder *folder, const struct stat *facts, struct error *error)
{
    bool source = folder->mode == OPEN_SOURCE;
    const char *slash = strrchr(folder->path, '/');
    const char *name = slash != NULL ? slash + 1 : folder->path;
    if (source && folder->format->loose_files && S_ISREG(facts->st_mode)) {
        if (!folder_is_read(folder->format, name)) {
            error_set(error, ERROR_SOURCE_INVALID, folder->path,
                      "the file's name does not end in %s",
                      folder_suffixes_text(folder->format, folder->arena));
            return error_hint(error, "rename it, or give it by standard input: %s:-",
                              folder->format->connector->name);
        }
        folder->root = folder_parent(folder->arena, folder->path);
        return access(folder->path, R_OK) == 0
                   ? STATUS_OK
                   : refuse_place(folder, errno, "can't read the file", error);
    }
    return refuse_kind(folder, facts->st_mode, error);
}

/* A source must be there. A target is made with its ledger, not before: here its parent must do. */
static enum status check_folder(struct folder *folder, bool read_only, struct error *error)
{
    struct stat facts;
    bool source = folder->mode == OPEN_SOURCE;
    if (folder->path[0] == '\0') {
        error_set(error, ERROR_BAD_VALUE, NULL, "the URI names no folder");
        return error_hint(error, "write %s", folder->format->connector->uri_help);
    }
    if (stat(folder->path, &facts) == 0) {
        if (!S_ISDIR(facts.st_mode)) {
            return check_file(folder, &facts, error);
        }
        if (access(folder->path, source || read_only ? R_OK | X_OK : R_OK | W_OK | X_OK) == 0) {
            return STATUS_OK;
        }
        if (errno != ENOENT) { /* else another process has just removed it */
            return refuse_place(folder, errno, "can't use the folder", error);
        }
    }
    if (errno != ENOENT || source || read_only) {
        return refuse_place(folder, errno, "can't open the folder", error);
    }
    char *parent = folder_parent(folder->arena, folder->path);
    if (stat(parent, &facts) != 0 || access(parent, R_OK | W_OK | X_OK) != 0) {
        return refuse_place(folder, errno, "the folder can't be made", error);
    }
    return STATUS_OK;
}

static bool is_read(const void *context, const char *name)
{
    return folder_is_read(context, name);
}

/* A source's objects become files, a target's files objects. */
static enum status open_stage(struct folder *folder, const struct open_options *open,
                              struct error *error)
{
    const struct folder_format *format = folder->format;
    if (folder->mode == OPEN_TARGET) {
        return bucket_open(folder, open, error);
    }
    if (folder_stage_make(open, format->connector, is_read, format, &folder->stage, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    free(folder->path);
    folder->path = memory_copy_string(folder_stage_path(folder->stage));
    folder->root = folder->path;
    return STATUS_OK;
}

static void close_opened(struct folder *folder)
{
    folder_stage_destroy(folder->stage);
    folder_released(&folder->base);
    bucket_close(folder->bucket);
    run_lock_give_back(&folder->lock_descriptor);
    folder_log_free(&folder->log);
    folder_pipe_close(folder->pipe);
    if (folder->snapshot != NULL) {
        arena_destroy(folder->snapshot->arena);
    }
    pthread_mutex_destroy(&folder->mutex);
    arena_destroy(folder->arena);
    free(folder->spill_folder);
    free(folder->path);
}

void folder_close(struct database *database)
{
    struct folder *folder = (struct folder *)database;
    if (folder != NULL && folder->format != NULL) {
        close_opened(folder);
    }
    free(folder);
}

static enum status open_folder(struct folder *folder, const struct folder_format *format,
                               const struct open_options *open, struct error *error)
{
    folder->format = format;
    folder->base.connector = format->connector;
    folder->base.capabilities =
        open->mode == OPEN_SOURCE ? format->source_capabilities : format->target_capabilities;
    folder->base.limits = format->limits;
    folder->mode = open->mode;
    folder->lock_descriptor = -1;
    pthread_mutex_init(&folder->mutex, NULL);
    folder->arena = arena_create(0);
    folder->path = memory_copy_string(open->uri->path != NULL ? open->uri->path : "");
    folder->spill_folder =
        open->spill_folder != NULL ? memory_copy_string(open->spill_folder) : NULL;
    for (size_t length = strlen(folder->path); length > 1 && folder->path[length - 1] == '/';
         length--) {
        folder->path[length - 1] = '\0';
    }
    folder->root = folder->path;
    if (read_options(folder, open->uri, error) != STATUS_OK ||
        (folder_stage_is(folder->path) && open_stage(folder, open, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    enum status status = uri_is_stream(open->uri, format->connector)
                             ? folder_pipe_open(folder, open->uri, error)
                             : check_folder(folder, open->read_only, error);
    folder_log_init(&folder->log, folder_path(folder->arena, folder, ""));
    return status;
}

enum status folder_open(const struct folder_format *format, const struct open_options *open,
                        struct database **database, struct error *error)
{
    struct folder *made = memory_allocate_zeroed(1, format->database_bytes);
    *database = NULL;
    if (open_folder(made, format, open, error) != STATUS_OK ||
        (format->read_options != NULL &&
         format->read_options(made, open->uri, error) != STATUS_OK)) {
        folder_close(&made->base);
        return STATUS_FAILED;
    }
    *database = &made->base;
    return STATUS_OK;
}

/* The same before and after the folder is made: its real path. */
enum status folder_identity(struct database *self, struct arena *arena, const char **identity,
                            struct error *error)
{
    struct folder *folder = (struct folder *)self;
    const char *name = NULL;
    if (folder->pipe != NULL) {
        *identity = folder->mode == OPEN_SOURCE ? "standard input" : "standard output";
        return STATUS_OK;
    }
    if (folder->bucket != NULL) {
        *identity = folder->bucket->identity;
        return STATUS_OK;
    }
    if (folder->stage != NULL) {
        *identity = folder_stage_identity(folder->stage);
        return STATUS_OK;
    }
    char *real = realpath(folder->path, NULL);
    if (real == NULL && errno == ENOENT) {
        char *parent = folder_parent(arena, folder->path);
        const char *slash = strrchr(folder->path, '/');
        name = slash != NULL ? slash + 1 : folder->path;
        real = realpath(parent, NULL);
    }
    if (real == NULL) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, folder->path,
                               "can't look at the folder");
    }
    *identity = name == NULL
                    ? arena_format(arena, "folder %s", real)
                    : arena_format(arena, "folder %s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    free(real);
    return STATUS_OK;
}

enum status folder_normal_form(struct database *self, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error)
{
    struct folder *folder = (struct folder *)self;
    return folder->format->normal_form(folder, cell, arena, normal, error);
}

const struct target_functions folder_target = {
    .claimed = folder_claimed,
    .released = folder_released,
    .forget_run = folder_forget_run,
    .tidy = folder_tidy,
    .empty = folder_empty,
    .inspect = folder_inspect,
    .check_table = folder_check_table,
    .prepare = folder_prepare,
    .writer_open = folder_writer_open,
    .writer_close = folder_writer_close,
    .chunk_begin = folder_chunk_begin,
    .submit = folder_submit,
    .poll = folder_poll,
    .commit = folder_commit,
    .chunk_abandon = folder_chunk_abandon,
    .after_load = folder_after_load,
    .count = folder_count,
    .settle_duplicates = folder_settle,
    .delete_records = folder_delete_records,
    .normal_form = folder_normal_form,
};

const struct target_functions folder_pipe_target = {
    .claimed = folder_claimed,
    .released = folder_released,
    .inspect = folder_inspect,
    .check_table = folder_check_table,
    .prepare = folder_prepare,
    .writer_open = folder_writer_open,
    .writer_close = folder_writer_close,
    .chunk_begin = folder_chunk_begin,
    .submit = folder_submit,
    .poll = folder_poll,
    .commit = folder_commit,
    .chunk_abandon = folder_chunk_abandon,
    .after_load = folder_after_load,
    .count = folder_count,
    .normal_form = folder_normal_form,
};
