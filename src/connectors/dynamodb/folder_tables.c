/* Tables of a folder as a target: their definitions for DynamoDB, their folders, what they hold. */
#include "connectors/dynamodb/folder.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/dynamodb/limits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct dynamodb_folder *of(struct database *self)
{
    return (struct dynamodb_folder *)self;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a table");
}

/* ---------------------------------------------------------------- key types */

static struct dynamodb_table_keys *find_keys(struct dynamodb_folder *folder, const char *table)
{
    for (struct dynamodb_table_keys *keys = folder->table_keys; keys != NULL; keys = keys->next) {
        if (strcmp(keys->table, table) == 0) {
            return keys;
        }
    }
    return NULL;
}

static bool all_known(const struct dynamodb_table_keys *keys)
{
    for (uint32_t at = 0; at < keys->key_count; at++) {
        if (!keys->keys[at].known) {
            return false;
        }
    }
    return true;
}

/* An entry of its own memory: the caller's table need not live as long. */
static struct dynamodb_table_keys *copy_keys(struct arena *arena, const char *table,
                                             const struct dynamodb_key *keys, uint32_t key_count)
{
    struct dynamodb_table_keys *copy =
        (struct dynamodb_table_keys *)arena_allocate_zeroed(arena, 1, sizeof(*copy));
    if (copy == NULL || (copy->table = arena_copy_string(arena, table)) == NULL ||
        (copy->keys = (struct dynamodb_key *)arena_allocate_zeroed(arena, (size_t)key_count + 1,
                                                                   sizeof(*keys))) == NULL) {
        return NULL;
    }
    for (uint32_t at = 0; at < key_count; at++) {
        copy->keys[at] = keys[at];
        copy->keys[at].name = arena_copy(arena, keys[at].name, keys[at].name_length);
        if (copy->keys[at].name == NULL) {
            return NULL;
        }
    }
    copy->key_count = key_count;
    return copy;
}

/* With the mutex held. An entry once given never changes; a better one is put before it. */
static enum status learn_keys(struct dynamodb_folder *folder, const struct target_table *table,
                              const struct shape *const *shapes, uint32_t shape_count,
                              const struct dynamodb_table_keys **keys, struct error *error)
{
    struct dynamodb_key *found = NULL;
    uint32_t found_count = 0;
    struct arena *scratch = arena_create(0);
    struct dynamodb_table_keys *made = NULL;
    if (scratch == NULL) {
        return no_memory(error);
    }
    enum status status =
        dynamodb_item_keys(table, shapes, shape_count, scratch, &found, &found_count, error);
    if (status == STATUS_OK) {
        made = copy_keys(folder->arena, table->name, found, found_count);
        status = made != NULL ? STATUS_OK : no_memory(error);
    }
    if (status == STATUS_OK && made != NULL) {
        made->next = folder->table_keys;
        folder->table_keys = made;
        *keys = made;
    }
    arena_destroy(scratch);
    return status;
}

enum status dynamodb_folder_keys(struct dynamodb_folder *folder, const struct target_table *table,
                                 const struct shape *const *shapes, uint32_t shape_count,
                                 const struct dynamodb_table_keys **keys, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&folder->mutex);
    *keys = find_keys(folder, table->name);
    if (*keys == NULL || (shape_count > 0 && !all_known(*keys))) {
        status = learn_keys(folder, table, shapes, shape_count, keys, error);
    }
    pthread_mutex_unlock(&folder->mutex);
    return status;
}

/* ---------------------------------------------------------------- definitions */

static char *definition_path(const struct dynamodb_folder *folder, const char *table,
                             struct arena *arena)
{
    char *below = arena_format(arena, "tables/%s.json", table);
    return below != NULL ? dynamodb_folder_path(arena, folder, below) : NULL;
}

static enum status write_known(const char *path, const struct target_table *table,
                               const struct dynamodb_table_keys *keys, struct error *error)
{
    struct buffer text = {0};
    dynamodb_definition_append(table, keys, &text);
    enum status status = text.failed ? no_memory(error)
                                     : file_write_atomic(path, text.data, text.length,
                                                         "files.before_definition", error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
    }
    buffer_free(&text);
    return status;
}

static enum status write_definition(struct dynamodb_folder *folder,
                                    const struct target_table *table, struct arena *arena,
                                    struct error *error)
{
    const struct dynamodb_table_keys *keys = NULL;
    char *path = definition_path(folder, table->name, arena);
    if (path == NULL) {
        return no_memory(error);
    }
    enum status status = dynamodb_folder_keys(folder, table, NULL, 0, &keys, error);
    if (status == STATUS_OK && !all_known(keys) && file_exists(path)) {
        return STATUS_OK; /* an earlier attempt may have known more */
    }
    return status == STATUS_OK ? write_known(path, table, keys, error) : status;
}

/* ---------------------------------------------------------------- key types from records */

static const struct cell *find_value(const struct dynamodb_key *key, const struct shape *shape,
                                     const struct cell *cells)
{
    bool is_map = shape == NULL && cells->kind == VALUE_MAP;
    uint32_t count = shape != NULL ? shape->field_count : is_map ? cells->length : 0;
    for (size_t at = 0; at < count; at++) {
        const struct cell *name = is_map ? &cells->items[2 * at] : NULL;
        const char *text = name != NULL ? name->text : shape->fields[at].name;
        uint32_t length = name != NULL ? name->length : shape->fields[at].name_length;
        if (length == key->name_length && memcmp(text, key->name, length) == 0) {
            return name != NULL ? &cells->items[2 * at + 1] : &cells[at];
        }
    }
    return NULL;
}

/* With the mutex held: a copy of `from` in which unknown types are the definition's or the
 * record's. */
static enum status learn_record(struct dynamodb_folder *folder,
                                const struct dynamodb_definition *written,
                                const struct shape *shape, const struct cell *cells,
                                const struct dynamodb_table_keys **keys, struct error *error)
{
    struct dynamodb_table_keys *made =
        copy_keys(folder->arena, (*keys)->table, (*keys)->keys, (*keys)->key_count);
    if (made == NULL) {
        return no_memory(error);
    }
    for (uint32_t at = 0; at < made->key_count; at++) {
        struct dynamodb_key *key = &made->keys[at];
        const struct cell *value = find_value(key, shape, cells);
        char letter = value != NULL ? dynamodb_item_letter((enum value_kind)value->kind) : 0;
        for (uint32_t type = 0; type < written->type_count && !key->known; type++) {
            if (strcmp(written->types[type].name, key->name) == 0) {
                key->letter = written->types[type].letter;
                key->known = true;
            }
        }
        if (!key->known) {
            key->letter = letter != 0 ? letter : 'S';
            key->known = true;
        }
    }
    made->next = folder->table_keys;
    folder->table_keys = made;
    *keys = made;
    return STATUS_OK;
}

/* The definition is written with unknown types left out, so what it says was learnt. */
enum status dynamodb_folder_keys_of_record(struct dynamodb_folder *folder,
                                           const struct target_table *table,
                                           const struct shape *shape, const struct cell *cells,
                                           const struct dynamodb_table_keys **keys,
                                           struct error *error)
{
    struct dynamodb_definition written = {0};
    if (all_known(*keys)) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    char *path = arena != NULL ? definition_path(folder, table->name, arena) : NULL;
    if (path == NULL) {
        arena_destroy(arena);
        return no_memory(error);
    }
    pthread_mutex_lock(&folder->mutex);
    const struct dynamodb_table_keys *newest = find_keys(folder, table->name);
    *keys = newest != NULL ? newest : *keys;
    enum status status = dynamodb_definition_read(path, arena, &written, error);
    if (status != STATUS_FAILED && !all_known(*keys)) {
        status = learn_record(folder, &written, shape, cells, keys, error);
        if (status == STATUS_OK) {
            status = write_known(path, table, *keys, error);
        }
    }
    pthread_mutex_unlock(&folder->mutex);
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- check */

static bool is_reserved(const char *name)
{
    return strcmp(name, "_transhume") == 0 || name[0] == '.';
}

enum status dynamodb_folder_check_table(struct database *self, const struct target_table *table,
                                        const struct shape *const *shapes, uint32_t shape_count,
                                        struct buffer *out, struct error *error)
{
    const struct dynamodb_table_keys *keys = NULL;
    uint64_t read = 0;
    uint64_t write = 0;
    dynamodb_limits_check_table(table, shapes, shape_count, out);
    if (is_reserved(table->name)) {
        buffer_append_string(out, "the table's name is one that this folder keeps for itself\n");
    }
    if (!dynamodb_definition_billing(table->billing, &read, &write)) {
        buffer_append_string(out, "billing is on_demand, or { read: UNITS, write: UNITS }\n");
    }
    if (table->existing != EXISTING_REFUSE) {
        buffer_append_string(out, "existing: a folder of files finds no record by its key; only "
                                  "`existing: refuse` works here\n");
    }
    if (out->failed) {
        return no_memory(error);
    }
    return dynamodb_folder_keys(of(self), table, shapes, shape_count, &keys, error);
}

/* ---------------------------------------------------------------- inspect and count */

/* A link would lead out of the folder, and what a crash left behind it would not be found again. */
static enum status check_place(const char *path, struct error *error)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || S_ISDIR(facts.st_mode)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, path,
              S_ISLNK(facts.st_mode) ? "this is a symbolic link, not the table's folder"
                                     : "this is a file, not the table's folder");
    error_hint(error, "move it away, or give another folder as the target");
    return STATUS_FAILED;
}

static enum status inspect_one(struct dynamodb_folder *folder, const char *table, bool *exists,
                               bool *has_records, struct error *error)
{
    struct arena *arena = arena_create(0);
    char *path = arena != NULL ? file_join(arena, folder->path, table) : NULL;
    struct dynamodb_file *files = NULL;
    uint32_t count = 0;
    *exists = false;
    *has_records = false;
    if (path == NULL) {
        arena_destroy(arena);
        return no_memory(error);
    }
    enum status status = check_place(path, error);
    status = status == STATUS_OK ? dynamodb_folder_list(path, arena, &files, &count, error)
                                 : STATUS_FAILED;
    *exists = status == STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK && !*has_records; at++) {
        char *file = file_join(arena, path, files[at].name);
        status =
            file != NULL ? dynamodb_folder_has_content(file, has_records, error) : no_memory(error);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status dynamodb_folder_inspect(struct database *self, const struct target_table *tables,
                                    uint32_t table_count, bool *table_exists, bool *record_exists,
                                    struct error *error)
{
    for (uint32_t at = 0; at < table_count; at++) {
        table_exists[at] = false;
        record_exists[at] = false;
        if (dynamodb_limits_name_valid(tables[at].name) && !is_reserved(tables[at].name) &&
            inspect_one(of(self), tables[at].name, &table_exists[at], &record_exists[at], error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static int compare_segments(const void *left, const void *right)
{
    return strcmp((*(const struct dynamodb_segment *const *)left)->file,
                  (*(const struct dynamodb_segment *const *)right)->file);
}

/* The segments of one table that the claimed run's marks name, by file name. */
static enum status marked_segments(struct dynamodb_folder *folder, const char *table,
                                   struct arena *arena, struct dynamodb_segment ***segments,
                                   size_t *count, struct error *error)
{
    struct dynamodb_done_list list = {0};
    size_t room = 0;
    *count = 0;
    if (folder->run.id != NULL &&
        dynamodb_done_load(folder->run.folder, folder->run.id, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t at = 0; at < list.count; at++) {
        room += list.items[at].segment_count;
    }
    *segments = arena_allocate_zeroed(arena, room + 1, sizeof(struct dynamodb_segment *));
    if (*segments == NULL) {
        return no_memory(error);
    }
    for (uint64_t at = 0; at < list.count; at++) {
        for (uint32_t segment = 0; segment < list.items[at].segment_count; segment++) {
            if (strcmp(list.items[at].segments[segment].table, table) == 0) {
                (*segments)[(*count)++] = &list.items[at].segments[segment];
            }
        }
    }
    qsort(*segments, *count, sizeof(struct dynamodb_segment *), compare_segments);
    return STATUS_OK;
}

/* A segment as long as its mark says holds what its mark says; any other file is read. */
static enum status count_file(const struct dynamodb_file *file, const char *path,
                              struct dynamodb_segment *const *segments, size_t segment_count,
                              uint64_t *count, struct error *error)
{
    const struct dynamodb_segment wanted = {.file = file->name};
    const struct dynamodb_segment *key = &wanted;
    struct dynamodb_segment *const *found = NULL;
    uint64_t records = 0;
    if (segment_count > 0) {
        found = bsearch(&key, segments, segment_count, sizeof(struct dynamodb_segment *),
                        compare_segments);
    }
    if (found != NULL && (*found)->bytes == file->bytes) {
        records = (*found)->records;
    } else if (dynamodb_folder_count_lines(path, &records, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *count += records;
    return STATUS_OK;
}

enum status dynamodb_folder_count(struct database *self, const struct target_table *table,
                                  uint64_t *count, struct error *error)
{
    struct dynamodb_folder *folder = of(self);
    struct arena *arena = arena_create(0);
    struct dynamodb_segment **segments = NULL;
    size_t segment_count = 0;
    struct dynamodb_file *files = NULL;
    uint32_t file_count = 0;
    char *path = arena != NULL ? file_join(arena, folder->path, table->name) : NULL;
    enum status status = path != NULL ? STATUS_OK : no_memory(error);
    *count = 0;
    if (status == STATUS_OK) {
        status = marked_segments(folder, table->name, arena, &segments, &segment_count, error);
    }
    if (status == STATUS_OK) {
        status = dynamodb_folder_list(path, arena, &files, &file_count, error);
    }
    for (uint32_t at = 0; at < file_count && status == STATUS_OK; at++) {
        char *file = file_join(arena, path, files[at].name);
        status = file != NULL ? count_file(&files[at], file, segments, segment_count, count, error)
                              : no_memory(error);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- prepare and after_load */

/* The owner's file is the intent: written before the folder is made, by the run that makes it. */
static enum status prepare_one(struct dynamodb_folder *folder, struct target_table *table,
                               struct arena *arena, struct error *error)
{
    const char *run_id = folder->run.id != NULL ? folder->run.id : "";
    char *below = arena_format(arena, "tables/%s.owner", table->name);
    char *owner = below != NULL ? dynamodb_folder_path(arena, folder, below) : NULL;
    char *path = file_join(arena, folder->path, table->name);
    char *text = NULL;
    size_t length = 0;
    if (owner == NULL || path == NULL) {
        return no_memory(error);
    }
    table->created = false;
    if (check_place(path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!file_exists(path)) {
        table->created = true;
        if (dynamodb_sealed_write(owner, "owner", run_id, "created\n", 8, NULL, error) !=
                STATUS_OK ||
            failpoint_hit("files.before_table", error) != STATUS_OK ||
            file_make_folder(path, error) != STATUS_OK) {
            error_recode(error, ERROR_TARGET_SCHEMA);
            return STATUS_FAILED;
        }
    } else {
        struct error ignored;
        table->created = dynamodb_sealed_read(owner, "owner", run_id, arena, &text, &length,
                                              &ignored) == STATUS_OK;
    }
    if (write_definition(folder, table, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("files.after_table", error);
}

enum status dynamodb_folder_prepare(struct database *self, struct target_table *tables,
                                    uint32_t table_count, const struct schema *same_engine_objects,
                                    struct error *error)
{
    struct dynamodb_folder *folder = of(self);
    struct arena *arena = arena_create(0);
    char *definitions = arena != NULL ? dynamodb_folder_path(arena, folder, "tables") : NULL;
    enum status status = definitions != NULL ? STATUS_OK : no_memory(error);
    (void)same_engine_objects;
    if (status == STATUS_OK && file_make_folder(definitions, error) != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
        status = STATUS_FAILED;
    }
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        if (!dynamodb_limits_name_valid(tables[at].name) || is_reserved(tables[at].name)) {
            status = error_set(error, ERROR_TARGET_SCHEMA, NULL,
                               "DynamoDB allows no table of such a name");
        } else {
            status = prepare_one(folder, &tables[at], arena, error);
        }
    }
    /* also of those that a killed attempt made */
    if (status == STATUS_OK && file_sync_folder(folder->path, error) != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
        status = STATUS_FAILED;
    }
    arena_destroy(arena);
    return status;
}

/* Key types that only the records told are known now; those that nothing told are texts. */
static enum status finish_definition(struct dynamodb_folder *folder,
                                     const struct target_table *table, struct arena *arena,
                                     struct error *error)
{
    const struct dynamodb_table_keys *keys = NULL;
    const struct cell nothing = cell_items(VALUE_MAP, NULL, 0);
    if (dynamodb_folder_keys(folder, table, NULL, 0, &keys, error) != STATUS_OK ||
        dynamodb_folder_keys_of_record(folder, table, NULL, &nothing, &keys, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return write_definition(folder, table, arena, error);
}

enum status dynamodb_folder_after_load(struct database *self, const struct target_table *tables,
                                       uint32_t table_count, const struct schema *objects,
                                       void (*progress)(const char *what), struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = arena != NULL ? STATUS_OK : no_memory(error);
    (void)objects;
    (void)progress;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = finish_definition(of(self), &tables[at], arena, error);
    }
    arena_destroy(arena);
    return status;
}
