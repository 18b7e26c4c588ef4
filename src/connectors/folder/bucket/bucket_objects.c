/* Objects of a bucket as a target of files sees them: lists, notes, what is in them. */
#include "connectors/folder/bucket/bucket.h"

#include "base/file.h"
#include "base/text.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- lists */

enum status bucket_list(struct folder *folder, const char *prefix, struct arena *arena,
                        struct bucket_list *list, struct error *error)
{
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = s3_list(connection, prefix, arena, &list->objects, &list->count, error);
    bucket_give_back(folder->bucket);
    return status;
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp(((const struct s3_object *)left)->key, ((const struct s3_object *)right)->key);
}

const struct s3_object *bucket_find(const struct bucket_list *list, const char *key)
{
    const struct s3_object wanted = {.key = key};
    return list->count == 0
               ? NULL
               : bsearch(&wanted, list->objects, list->count, sizeof wanted, compare_keys);
}

bool bucket_is_own_segment(const struct folder *folder, const struct s3_object *object)
{
    uint64_t chunk = 0;
    uint32_t entity = 0;
    uint32_t part = 0;
    const char *slash = strrchr(object->key, '/');
    return slash != NULL &&
           folder_segment_parse(folder->format, slash + 1, folder->run.tag, &chunk, &entity, &part);
}

bool bucket_is_as_marked(const struct folder_segment *segment, const struct s3_object *object)
{
    return segment->bytes == object->bytes &&
           (segment->etag[0] == '\0' || strcmp(segment->etag, object->etag) == 0);
}

enum status bucket_remove(struct folder *folder, const char *key, struct error *error)
{
    const struct s3_write write = {.key = key, .leased = true};
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = s3_remove(connection, &write, error);
    bucket_give_back(folder->bucket);
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- notes */

static void append_note(const struct folder *folder, const char *kind, struct buffer *out)
{
    const char *run_id = folder->run.id != NULL ? folder->run.id : "";
    buffer_format(out, "{\"format\":1,\"kind\":\"%s\",\"run\":", kind);
    json_append_string(out, run_id, strlen(run_id));
    buffer_append_string(out, "}\n");
}

enum status bucket_note(struct folder *folder, const char *key, const char *kind,
                        struct error *error)
{
    struct buffer text = {0};
    append_note(folder, kind, &text);
    const struct s3_write write = {
        .key = key, .bytes = text.data, .length = text.length, .leased = true};
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = s3_put(connection, &write, error);
    bucket_give_back(folder->bucket);
    buffer_free(&text);
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

enum status bucket_is_noted(struct folder *folder, const char *key, const char *kind, bool *is,
                            struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct buffer text = {0};
    struct s3_content content = {0};
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = s3_get(connection, key, arena, &content, error);
    bucket_give_back(folder->bucket);
    append_note(folder, kind, &text);
    *is = status == STATUS_OK && content.length == text.length &&
          memcmp(content.text, text.data, text.length) == 0;
    buffer_free(&text);
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- contents */

enum status bucket_fetch(struct folder *folder, const struct s3_object *object, const char *path,
                         struct error *error)
{
    int descriptor = file_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't keep the object %s",
                               object->key);
    }
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = s3_fetch(connection, object, descriptor, path, error);
    bucket_give_back(folder->bucket);
    close(descriptor);
    return status;
}

/* By the name that the object has, which says how it is packed. */
enum status bucket_count_records(struct folder *folder, const char *table,
                                 const struct s3_object *object, uint64_t *records,
                                 struct error *error)
{
    struct arena *arena = arena_create(0);
    const char *slash = strrchr(object->key, '/');
    const char *name = slash != NULL ? slash + 1 : object->key;
    char *place = file_join(arena, folder->path, "looked-at");
    char *path = file_join(arena, place, folder_entry_name(arena, name));
    *records = 0;
    enum status status = bucket_need_definition(folder, table, error);
    status = status == STATUS_OK ? file_make_folder(place, error) : status;
    status = status == STATUS_OK ? bucket_fetch(folder, object, path, error) : status;
    if (status == STATUS_OK) {
        status = folder_count_records(folder, table, path, records, error);
    }
    unlink(path);
    arena_destroy(arena);
    return status;
}
