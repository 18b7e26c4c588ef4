/* Tables of a bucket as a target: their definitions, their owners, what they hold. */
#include "connectors/folder/bucket/bucket.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { DEFINITION_BYTES_MAX = 64 << 20 };

/* A definition as the bucket has it. */
struct bucket_definition {
    struct bucket_definition *next;
    char *table;
    uint64_t hash; /* of its text; 0: it has none */
};

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

char *bucket_note_key(const struct folder *folder, struct arena *arena, const char *table,
                      const char *end)
{
    return bucket_key(
        folder->bucket, arena,
        arena_format(arena, BUCKET_OWN "tables/%s%s", folder_entry_name(arena, table), end));
}

/* ---------------------------------------------------------------- definitions */

void bucket_forget_definitions(struct folder_bucket *bucket)
{
    while (bucket->definitions != NULL) {
        struct bucket_definition *next = bucket->definitions->next;
        free(bucket->definitions->table);
        free(bucket->definitions);
        bucket->definitions = next;
    }
}

/* With the mutex held. */
static struct bucket_definition *find_definition(struct folder_bucket *bucket, const char *table)
{
    struct bucket_definition *known = bucket->definitions;
    while (known != NULL && strcmp(known->table, table) != 0) {
        known = known->next;
    }
    if (known == NULL) {
        known = memory_allocate_zeroed(1, sizeof *known);
        known->table = memory_copy_string(table);
        known->next = bucket->definitions;
        bucket->definitions = known;
    }
    return known;
}

/* Into the local folder, where formats look for it. */
static enum status fetch_definition(struct folder *folder, const char *table, bool *exists,
                                    struct error *error)
{
    struct arena *arena = arena_create(0);
    struct s3_content content = {0};
    const char *path = folder_definition_path(arena, folder, table, ".json");
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    struct bucket_definition *known = find_definition(folder->bucket, table);
    enum status status =
        s3_get(connection, bucket_note_key(folder, arena, table, ".json"), arena, &content, error);
    if (status != STATUS_FAILED) {
        known->hash = status == STATUS_OK ? XXH3_64bits(content.text, content.length) : 0;
    }
    bucket_give_back(folder->bucket);
    *exists = status == STATUS_OK;
    if (status == STATUS_OK) {
        status = file_write_atomic(path, content.text, content.length, NULL, error);
    } else if (status == STATUS_END) {
        unlink(path);
        status = STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

enum status bucket_need_definition(struct folder *folder, const char *table, struct error *error)
{
    struct arena *arena = arena_create(1024);
    bool exists = false;
    bool here = file_exists(folder_definition_path(arena, folder, table, ".json"));
    enum status status = file_make_folder(folder_path(arena, folder, "tables"), error);
    if (status == STATUS_OK && !here) {
        status = fetch_definition(folder, table, &exists, error);
    }
    arena_destroy(arena);
    return status;
}

/* With the mutex held. */
static enum status send_if_changed(struct folder *folder, const char *table,
                                   struct s3_bucket *connection, struct arena *arena,
                                   struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    struct bucket_definition *known = find_definition(folder->bucket, table);
    const char *path = folder_definition_path(arena, folder, table, ".json");
    enum status status = file_read_all(path, DEFINITION_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    uint64_t hash = XXH3_64bits(text, length);
    if (hash == known->hash) {
        return STATUS_OK;
    }
    const struct s3_write write = {.key = bucket_note_key(folder, arena, table, ".json"),
                                   .bytes = text,
                                   .length = length,
                                   .leased = true};
    status = s3_put(connection, &write, error);
    if (status == STATUS_OK) {
        known->hash = hash;
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

enum status bucket_send_definition(struct folder *folder, const char *table, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = send_if_changed(folder, table, connection, arena, error);
    bucket_give_back(folder->bucket);
    arena_destroy(arena);
    return status;
}

static enum status write_definition(struct folder *folder, const struct target_table *table,
                                    bool finish, struct error *error)
{
    struct arena *arena = arena_create(0);
    char *path = folder_definition_path(arena, folder, table->name, ".json");
    enum status status =
        folder->format->write_definition(folder, table, path, finish, arena, error);
    status = status == STATUS_OK ? bucket_send_definition(folder, table->name, error) : status;
    arena_destroy(arena);
    return status == STATUS_OK ? STATUS_OK : error_recode(error, ERROR_TARGET_SCHEMA);
}

/* ---------------------------------------------------------------- inspect and count */

/* A file that is packed or has a head counts as records; a table with files of others is theirs. */
static enum status inspect_one(struct folder *folder, const char *table, bool *exists,
                               bool *has_records, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    const char *prefix = bucket_table_key(folder, arena, table, "");
    enum status status = bucket_list(folder, prefix, arena, &list, error);
    *has_records = false;
    *exists = list.count > 0;
    if (status == STATUS_OK && !*exists) {
        struct bucket_list defined = {0};
        const char *key = bucket_note_key(folder, arena, table, ".json");
        status = bucket_list(folder, key, arena, &defined, error);
        *exists = bucket_find(&defined, key) != NULL;
    }
    for (uint32_t at = 0; at < list.count; at++) {
        const char *name = list.objects[at].key + strlen(prefix);
        *has_records = *has_records || (list.objects[at].bytes > 0 && strchr(name, '/') == NULL &&
                                        folder_is_data(folder->format, name));
    }
    arena_destroy(arena);
    return status;
}

enum status bucket_inspect(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error)
{
    for (uint32_t at = 0; at < table_count; at++) {
        table_exists[at] = false;
        record_exists[at] = false;
        if (folder_table_is_possible(of(self), tables[at].name) &&
            inspect_one(of(self), tables[at].name, &table_exists[at], &record_exists[at], error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* A segment as its mark says holds what its mark says; any other object is read. */
static enum status count_object(struct folder *folder, const char *table,
                                const struct s3_object *object, const char *name,
                                const struct folder_marked *marked, uint64_t *count,
                                struct error *error)
{
    const struct folder_segment *segment = folder_marked_find(marked, name);
    uint64_t records = 0;
    if (segment != NULL && bucket_is_as_marked(segment, object)) {
        records = segment->records;
    } else if (bucket_count_records(folder, table, object, &records, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *count += records;
    return STATUS_OK;
}

enum status bucket_count(struct database *self, const struct target_table *table, uint64_t *count,
                         struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    struct folder_marked marked;
    const char *prefix = bucket_table_key(folder, arena, table->name, "");
    *count = 0;
    folder_marked_load(folder, table->name, arena, &marked);
    enum status status = bucket_list(folder, prefix, arena, &list, error);
    for (uint32_t at = 0; at < list.count && status == STATUS_OK; at++) {
        const char *name = list.objects[at].key + strlen(prefix);
        if (strchr(name, '/') == NULL && folder_is_data(folder->format, name)) {
            status =
                count_object(folder, table->name, &list.objects[at], name, &marked, count, error);
        }
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- prepare and after_load */

/* The owner's note is the intent: a table is there with its first object. */
static enum status prepare_one(struct folder *folder, struct target_table *table,
                               struct error *error)
{
    struct arena *arena = arena_create(0);
    const char *owner = bucket_note_key(folder, arena, table->name, ".owner");
    bool exists = false;
    bool has_records = false;
    bool defined = false;
    enum status status = inspect_one(folder, table->name, &exists, &has_records, error);
    status = status == STATUS_OK ? fetch_definition(folder, table->name, &defined, error) : status;
    table->created = status == STATUS_OK && !exists;
    if (table->created) {
        status = bucket_note(folder, owner, "owner", error);
        status = status == STATUS_OK ? failpoint_hit("files.before_table", error) : status;
    } else if (status == STATUS_OK) {
        status = bucket_is_noted(folder, owner, "owner", &table->created, error);
        if (status == STATUS_OK && !table->created) {
            /* So that a rollback takes the definition away, too. */
            status =
                folder->run.id == NULL || defined
                    ? STATUS_OK
                    : bucket_note(folder, bucket_note_key(folder, arena, table->name, ".defined"),
                                  "defined", error);
        }
    }
    status = status == STATUS_OK ? write_definition(folder, table, false, error) : status;
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("files.after_table", error) : status;
}

enum status bucket_prepare(struct database *self, const struct prepare_request *request,
                           struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(1024);
    enum status status = file_make_folder(folder_path(arena, folder, "tables"), error);
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        status = !folder_table_is_possible(folder, request->tables[at].name)
                     ? error_set(error, ERROR_TARGET_SCHEMA, NULL,
                                 "%s allow no table of such a name", folder->base.connector->title)
                     : prepare_one(folder, &request->tables[at], error);
    }
    arena_destroy(arena);
    return status;
}

enum status bucket_after_load(struct database *self, struct after_load_request *request,
                              struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        status = write_definition(of(self), &request->tables[at], true, error);
    }
    return status;
}
