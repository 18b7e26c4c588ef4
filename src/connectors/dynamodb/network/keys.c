/* The keys of tables: which attributes they are, of which type, and their bytes. */
#include "connectors/keyed/keys.h"
#include "connectors/dynamodb/network/target.h"

#include <string.h>

/* ---------------------------------------------------------------- what is known */

static struct dynamodb_known *find_known(struct dynamodb_network *network, const char *table)
{
    for (struct dynamodb_known *known = network->known; known != NULL; known = known->next) {
        if (strcmp(known->table, table) == 0) {
            return known;
        }
    }
    return NULL;
}

static bool all_known(const struct dynamodb_known *known)
{
    for (uint32_t at = 0; at < known->key_count; at++) {
        if (!known->keys[at].known) {
            return false;
        }
    }
    return true;
}

/* The caller's table need not live as long as the copy. What is known stays, but for what the table
 * itself says. */
static struct dynamodb_known *copy_known(struct arena *arena, const char *table,
                                         const struct dynamodb_key *keys, uint32_t key_count,
                                         const struct dynamodb_known *before,
                                         const struct dynamodb_description *description)
{
    struct dynamodb_known *copy = arena_allocate_zeroed(arena, 1, sizeof(*copy));
    copy->table = arena_copy_string(arena, table);
    copy->keys = arena_allocate_zeroed(arena, (size_t)key_count + 1, sizeof(*keys));
    for (uint32_t at = 0; at < key_count; at++) {
        struct dynamodb_key *key = &copy->keys[at];
        *key = keys[at];
        key->name = arena_copy(arena, keys[at].name, keys[at].name_length);
        char letter = description != NULL ? dynamodb_description_letter(description, key->name) : 0;
        const struct dynamodb_key *old = before != NULL ? &before->keys[at] : NULL;
        if (letter == 0 && old != NULL && old->known) {
            letter = old->letter;
        }
        if (letter != 0) {
            key->letter = letter;
            key->known = true;
        }
    }
    copy->key_count = key_count;
    return copy;
}

const struct dynamodb_known *dynamodb_network_keys(struct dynamodb_network *network,
                                                   const struct target_table *table,
                                                   const struct shape *const *shapes,
                                                   uint32_t shape_count,
                                                   const struct dynamodb_description *description)
{
    pthread_mutex_lock(&network->keyed.mutex);
    const struct dynamodb_known *known = find_known(network, table->name);
    if (known == NULL || description != NULL || (shape_count > 0 && !all_known(known))) {
        struct dynamodb_key *keys = NULL;
        uint32_t key_count = 0;
        struct arena *scratch = arena_create(1024);
        dynamodb_item_keys(table, shapes, shape_count, scratch, &keys, &key_count);
        struct dynamodb_known *made =
            copy_known(network->keyed.arena, table->name, keys, key_count,
                       known != NULL && known->key_count == key_count ? known : NULL, description);
        made->next = network->known;
        network->known = made;
        known = made;
        arena_destroy(scratch);
    }
    pthread_mutex_unlock(&network->keyed.mutex);
    return known;
}

/* ---------------------------------------------------------------- bytes of a key */

static enum status append_part(const char *name, const struct cell *cell, struct buffer *out,
                               struct error *error)
{
    char letter = dynamodb_item_letter((enum value_kind)cell->kind);
    size_t begin = keyed_part_begin(out);
    buffer_append_byte(out, letter);
    if (letter == 'N') {
        if (dynamodb_number_append(cell, name, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else if (cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES || cell->kind == VALUE_JSON) {
        buffer_append(out, cell->bytes, cell->length);
    } else {
        struct cell normal;
        struct arena *arena = arena_create(256);
        enum status status = dynamodb_item_normal_form(cell, arena, &normal, error);
        if (status != STATUS_OK || (normal.kind != VALUE_TEXT && normal.kind != VALUE_BYTES)) {
            arena_destroy(arena);
            return status != STATUS_OK && error->code == ERROR_MEMORY
                       ? STATUS_FAILED
                       : error_set(error, ERROR_REJECT_TYPE, name, "attribute %s can't be in a key",
                                   name);
        }
        buffer_append(out, normal.bytes, normal.length);
        arena_destroy(arena);
    }
    keyed_part_end(out, begin);
    return STATUS_OK;
}

enum status dynamodb_key_append(struct database *self, const struct target_table *table,
                                const struct cell *key, struct buffer *out, struct error *error)
{
    (void)self;
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (append_part(table->key.names[at], &key[at], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

bool dynamodb_key_read(struct database *self, const struct target_table *table,
                       const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key)
{
    struct error ignored;
    struct text part;
    (void)self;
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (!keyed_part_read(&bytes, &length, &part) || part.length < 1) {
            return false;
        }
        size_t own = part.length - 1;
        const char *value = arena_copy(arena, part.data + 1, own);
        char letter = part.data[0];
        if (letter == 'N') {
            if (dynamodb_number_read(value, own, arena, &key[at], &ignored) != STATUS_OK) {
                return false;
            }
        } else {
            key[at] = letter == 'B' ? cell_bytes(value, own) : cell_text(value, own);
        }
    }
    return length == 0;
}

bool dynamodb_key_of_item(const struct target_table *table, const struct cell *item,
                          struct cell *key)
{
    for (uint32_t at = 0; at < table->key.count; at++) {
        const struct cell *field = value_field(item, table->key.names[at]);
        key[at] = field != NULL ? *field : cell_missing();
        if (dynamodb_item_letter((enum value_kind)key[at].kind) == 0) {
            return false;
        }
    }
    return true;
}
