/* The types of key attributes, as columns, shapes, definitions and the first record tell them. */
#include "connectors/dynamodb/json/json.h"

#include "base/file.h"
#include <string.h>

/* ---------------------------------------------------------------- key types */

static struct dynamodb_table_keys *find_keys(struct dynamodb_database *database, const char *table)
{
    for (struct dynamodb_table_keys *keys = database->table_keys; keys != NULL; keys = keys->next) {
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
    struct dynamodb_table_keys *copy = arena_allocate_zeroed(arena, 1, sizeof(*copy));
    copy->table = arena_copy_string(arena, table);
    copy->keys = arena_allocate_zeroed(arena, (size_t)key_count + 1, sizeof(*keys));
    for (uint32_t at = 0; at < key_count; at++) {
        copy->keys[at] = keys[at];
        copy->keys[at].name = arena_copy(arena, keys[at].name, keys[at].name_length);
    }
    copy->key_count = key_count;
    return copy;
}

/* With the mutex held. An entry once given never changes; a better one is put before it. */
static const struct dynamodb_table_keys *learn_keys(struct dynamodb_database *database,
                                                    const struct target_table *table,
                                                    const struct shape *const *shapes,
                                                    uint32_t shape_count)
{
    struct dynamodb_key *found = NULL;
    uint32_t found_count = 0;
    struct arena *scratch = arena_create(0);
    dynamodb_item_keys(table, shapes, shape_count, scratch, &found, &found_count);
    struct dynamodb_table_keys *made =
        copy_keys(database->folder.arena, table->name, found, found_count);
    made->next = database->table_keys;
    database->table_keys = made;
    arena_destroy(scratch);
    return made;
}

const struct dynamodb_table_keys *dynamodb_table_keys_find(struct dynamodb_database *database,
                                                           const struct target_table *table,
                                                           const struct shape *const *shapes,
                                                           uint32_t shape_count)
{
    pthread_mutex_lock(&database->folder.mutex);
    const struct dynamodb_table_keys *keys = find_keys(database, table->name);
    if (keys == NULL || (shape_count > 0 && !all_known(keys))) {
        keys = learn_keys(database, table, shapes, shape_count);
    }
    pthread_mutex_unlock(&database->folder.mutex);
    return keys;
}

/* ---------------------------------------------------------------- definitions */

static enum status write_known(const char *path, const struct target_table *table,
                               const struct dynamodb_table_keys *keys, struct error *error)
{
    struct buffer text = {0};
    dynamodb_definition_append(table, keys, &text);
    enum status status =
        file_write_atomic(path, text.data, text.length, "files.before_definition", error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
    }
    buffer_free(&text);
    return status;
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
static void learn_record(struct dynamodb_database *database,
                         const struct dynamodb_definition *written, const struct shape *shape,
                         const struct cell *cells, const struct dynamodb_table_keys **keys)
{
    struct dynamodb_table_keys *made =
        copy_keys(database->folder.arena, (*keys)->table, (*keys)->keys, (*keys)->key_count);
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
    made->next = database->table_keys;
    database->table_keys = made;
    *keys = made;
}

/* The definition is written with unknown types left out, so what it says was learnt. */
enum status dynamodb_table_keys_of_record(struct dynamodb_database *database,
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
    char *path = folder_definition_path(arena, &database->folder, table->name, ".json");
    pthread_mutex_lock(&database->folder.mutex);
    const struct dynamodb_table_keys *newest = find_keys(database, table->name);
    *keys = newest != NULL ? newest : *keys;
    enum status status = dynamodb_definition_read(path, arena, &written, error);
    if (status != STATUS_FAILED && !all_known(*keys)) {
        learn_record(database, &written, shape, cells, keys);
        status = database->folder.is_trial ? STATUS_OK : write_known(path, table, *keys, error);
    }
    pthread_mutex_unlock(&database->folder.mutex);
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- the definition's file */

enum status dynamodb_write_definition(struct folder *folder, const struct target_table *table,
                                      const char *path, bool finish, struct arena *scratch,
                                      struct error *error)
{
    struct dynamodb_database *database = (struct dynamodb_database *)folder;
    const struct dynamodb_table_keys *keys = dynamodb_table_keys_find(database, table, NULL, 0);
    const struct cell nothing = cell_items(VALUE_MAP, NULL, 0);
    (void)scratch;
    /* types that only the records told are known by then; those that nothing told are texts */
    if (finish &&
        dynamodb_table_keys_of_record(database, table, NULL, &nothing, &keys, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!all_known(keys) && file_exists(path)) {
        return STATUS_OK; /* an earlier attempt may have known more */
    }
    return write_known(path, table, keys, error);
}
