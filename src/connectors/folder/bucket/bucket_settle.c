/*
 * Settling equal keys in a bucket: a table's segments are fetched and settled like files
 * (folder_keys.c), and those that lost records are sent again in their objects' places. The list of
 * duplicates goes into the bucket first: whoever resumes after that reports the same ones.
 */
#include "connectors/folder/bucket/bucket.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/folder/folder_claim.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DUPLICATES "duplicates-"
#define SETTLED "settled-"

struct settle {
    struct folder *folder;
    const char *table;
    struct arena *arena;
    const char *entry;
    const char *place;     /* the local folder of the table */
    const char *list_path; /* as folder_keys.c calls it */
    struct folder_marked marked;
    struct bucket_list objects;
    struct s3_bucket *connection;
    struct buffer settled; /* what bucket_settled.text will be */
};

static char *note_key(const struct folder *folder, struct arena *arena, const char *kind,
                      const char *table)
{
    return bucket_run_key(folder, arena,
                          arena_format(arena, "%s%s", kind, folder_entry_name(arena, table)));
}

/* ---------------------------------------------------------------- what is known of it */

enum status bucket_read_settled(struct folder *folder, const char *table, struct arena *arena,
                                struct bucket_settled *settled, struct error *error)
{
    struct bucket_list list = {0};
    struct s3_content content = {0};
    const char *key = note_key(folder, arena, SETTLED, table);
    *settled = (struct bucket_settled){.text = ""};
    enum status status =
        bucket_list(folder, note_key(folder, arena, DUPLICATES, table), arena, &list, error);
    if (status != STATUS_OK || list.count == 0) {
        return status;
    }
    settled->begun = true;
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    status = s3_get(connection, key, arena, &content, error);
    bucket_give_back(folder->bucket);
    if (status == STATUS_OK) {
        settled->text = content.text;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

bool bucket_is_settled(const struct bucket_settled *settled, const char *file, const char *etag)
{
    size_t file_length = strlen(file);
    size_t etag_length = strlen(etag);
    for (const char *line = settled->text; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        if (end != NULL && (size_t)(end - line) == file_length + 1 + etag_length &&
            memcmp(line, file, file_length) == 0 &&
            memcmp(end - etag_length, etag, etag_length) == 0) {
            return true;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return false;
}

/* ---------------------------------------------------------------- fetching and sending */

static const struct s3_object *object_of(const struct settle *settle, const char *file)
{
    return bucket_find(&settle->objects,
                       bucket_table_key(settle->folder, settle->arena, settle->table, file));
}

static enum status fetch_segments(struct settle *settle, struct error *error)
{
    enum status status = file_remove_tree(settle->place, error);
    status = status == STATUS_OK ? file_make_folder(settle->place, error) : status;
    for (size_t at = 0; at < settle->marked.count && status == STATUS_OK; at++) {
        const char *file = settle->marked.segments[at].file;
        const struct s3_object *object = object_of(settle, file);
        status = object == NULL
                     ? error_set(error, ERROR_TARGET_INVALID, file,
                                 "the ledger counts this segment as done, and it is not there")
                     : bucket_fetch(settle->folder, object,
                                    file_join(settle->arena, settle->place, file), error);
    }
    return status;
}

/* A former attempt's, which segments may have been replaced by. */
static enum status fetch_list(struct settle *settle, struct error *error)
{
    struct bucket_list list = {0};
    const char *key = note_key(settle->folder, settle->arena, DUPLICATES, settle->table);
    const char *folder = file_join(settle->arena, settle->folder->run.folder, "settle");
    enum status status = file_make_folder(folder, error);
    unlink(settle->list_path);
    status = status == STATUS_OK ? bucket_list(settle->folder, key, settle->arena, &list, error)
                                 : status;
    const struct s3_object *object = bucket_find(&list, key);
    return status == STATUS_OK && object != NULL
               ? bucket_fetch(settle->folder, object, settle->list_path, error)
               : status;
}

static enum status bucket_settle_send(struct settle *settle, const char *key, const char *path,
                                      const char *replaces, char etag[S3_ETAG_BYTES],
                                      struct error *error)
{
    struct folder_print print;
    char note[S3_NOTE_BYTES];
    if (folder_print_file(path, &print, error) != STATUS_OK) {
        return error_set(error, ERROR_STATE_WRITE, path, "the file is gone");
    }
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                               "can't read what is to be sent");
    }
    snprintf(note, sizeof note, "%" PRIu64 "-%016" PRIx64, print.bytes, print.checksum);
    const struct s3_file file = {.key = key,
                                 .descriptor = descriptor,
                                 .path = path,
                                 .bytes = print.bytes,
                                 .note = note,
                                 .replaces = replaces,
                                 .blocks = settle->folder->bucket->blocks};
    enum status status = s3_send_file(settle->connection, &file, etag, error);
    close(descriptor);
    return status == STATUS_AGAIN
               ? error_set(error, ERROR_TARGET_WRITE, key, "somebody wrote to it meanwhile")
               : status;
}

/* Nothing is replaced before whoever resumes could know why. */
static enum status keep_list(struct settle *settle, struct error *error)
{
    struct stat facts;
    struct bucket_list list = {0};
    char etag[S3_ETAG_BYTES];
    const char *key = note_key(settle->folder, settle->arena, DUPLICATES, settle->table);
    enum status status = bucket_list(settle->folder, key, settle->arena, &list, error);
    if (status != STATUS_OK || bucket_find(&list, key) != NULL ||
        stat(settle->list_path, &facts) != 0 || facts.st_size == 0) {
        return status;
    }
    return bucket_settle_send(settle, key, settle->list_path, NULL, etag, error);
}

/* One that is not as its mark says was replaced by an attempt before this one. */
static enum status replace_segment(struct settle *settle, const struct folder_segment *segment,
                                   struct error *error)
{
    const struct s3_object *object = object_of(settle, segment->file);
    char *path = file_join(settle->arena, settle->place, segment->file);
    struct folder_print print;
    char etag[S3_ETAG_BYTES];
    snprintf(etag, sizeof etag, "%s", object->etag);
    if (folder_print_file(path, &print, error) != STATUS_OK) {
        return error_set(error, ERROR_STATE_WRITE, path, "the file is gone");
    }
    if (print.bytes == segment->bytes && print.checksum == segment->checksum) {
        return STATUS_OK;
    }
    if (segment->etag[0] == '\0' || strcmp(segment->etag, object->etag) == 0) {
        if (bucket_settle_send(settle, object->key, path, object->etag, etag, error) != STATUS_OK ||
            failpoint_hit("files.after_rewrite", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_format(&settle->settled, "%s\t%s\n", segment->file, etag);
    return STATUS_OK;
}

static enum status replace_segments(struct settle *settle, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < settle->marked.count && status == STATUS_OK; at++) {
        status = replace_segment(settle, &settle->marked.segments[at], error);
    }
    if (status == STATUS_OK && settle->settled.length > 0) {
        const struct s3_write write = {
            .key = note_key(settle->folder, settle->arena, SETTLED, settle->table),
            .bytes = settle->settled.data,
            .length = settle->settled.length,
            .leased = true};
        status = s3_put(settle->connection, &write, error);
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- the whole */

static enum status settle_fetched(struct settle *settle, const struct target_table *table,
                                  folder_found_function *found, void *context, struct error *error)
{
    enum status status = bucket_list(
        settle->folder, bucket_table_key(settle->folder, settle->arena, settle->table, ""),
        settle->arena, &settle->objects, error);
    if (status == STATUS_OK) {
        status = bucket_need_definition(settle->folder, settle->table, error);
    }
    status = status == STATUS_OK ? fetch_segments(settle, error) : status;
    status = status == STATUS_OK ? fetch_list(settle, error) : status;
    if (status == STATUS_OK) {
        status = folder_settle(&settle->folder->base, table, found, context, error);
    }
    status = status == STATUS_OK ? folder_check_claim(settle->folder, error) : status;
    status = status == STATUS_OK ? keep_list(settle, error) : status;
    return status == STATUS_OK ? replace_segments(settle, error) : status;
}

enum status bucket_settle(struct database *self, const struct target_table *table,
                          folder_found_function *found, void *context, struct error *error)
{
    struct error ignored;
    struct settle settle = {
        .folder = (struct folder *)self, .table = table->name, .arena = arena_create(0)};
    settle.entry = folder_entry_name(settle.arena, table->name);
    settle.place = folder_table_path(settle.arena, settle.folder, table->name);
    settle.list_path = arena_format(settle.arena, "%s/settle/%s.duplicates",
                                    settle.folder->run.folder, settle.entry);
    folder_marked_load(settle.folder, table->name, settle.arena, &settle.marked);
    enum status status = bucket_connect(settle.folder->bucket, &settle.connection, error);
    if (status == STATUS_OK) {
        status = settle_fetched(&settle, table, found, context, error);
    }
    (void)!file_remove_tree(settle.place, &ignored); /* else the database's end does it */
    s3_bucket_close(settle.connection);
    buffer_free(&settle.settled);
    arena_destroy(settle.arena);
    return status;
}
