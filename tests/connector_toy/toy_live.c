/* The records as they stand at a point of the log. */
#include "base/memory.h"
#include "toy_internal.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct toy_live {
    UT_hash_handle hh;
    uint8_t *value;
    uint32_t value_length;
    uint32_t table_length;
    uint8_t name[]; /* table, NUL, key */
};

static struct buffer name_of(const struct toy_entry *entry)
{
    struct buffer name = {0};
    buffer_append(&name, entry->table, entry->table_length);
    buffer_append_byte(&name, '\0');
    buffer_append(&name, entry->key, entry->key_length);
    return name;
}

static struct toy_live *find(const struct toy_live *live, const struct buffer *name)
{
    struct toy_live *found = NULL;
    HASH_FIND(hh, live, name->data, (unsigned)name->length, found);
    return found;
}

const uint8_t *toy_live_find(const struct toy_live *live, const struct toy_entry *entry,
                             uint32_t *length)
{
    struct buffer name = name_of(entry);
    const struct toy_live *found = find(live, &name);
    buffer_free(&name);
    *length = found ? found->value_length : 0;
    return found ? found->value : NULL;
}

static void remove_one(struct toy_live **live, struct toy_live *one)
{
    HASH_DEL(*live, one);
    free(one->value);
    free(one);
}

static void put(struct toy_live **live, const struct buffer *name, const struct toy_entry *entry)
{
    struct toy_live *one = find(*live, name);
    if (!one) {
        one = memory_allocate(sizeof *one + name->length);
        *one = (struct toy_live){.table_length = entry->table_length};
        memcpy(one->name, name->data, name->length);
        HASH_ADD_KEYPTR(hh, *live, one->name, (unsigned)name->length, one);
    }
    free(one->value);
    one->value = (uint8_t *)memory_copy_bytes(entry->value, entry->value_length);
    one->value_length = entry->value_length;
}

void toy_live_take(struct toy_live **live, const struct toy_entry *entry)
{
    struct buffer name = name_of(entry);
    struct toy_live *one;
    struct toy_live *next;
    if (entry->kind == TOY_PUT) {
        put(live, &name, entry);
    } else if (entry->kind == TOY_DELETE && (one = find(*live, &name))) {
        remove_one(live, one);
    } else if (entry->kind == TOY_EMPTY) {
        HASH_ITER (hh, *live, one, next) {
            if (one->table_length == entry->table_length &&
                memcmp(one->name, entry->table, entry->table_length) == 0) {
                remove_one(live, one);
            }
        }
    }
    buffer_free(&name);
}

void toy_live_free(struct toy_live **live)
{
    struct toy_live *one;
    struct toy_live *next;
    HASH_ITER (hh, *live, one, next) {
        remove_one(live, one);
    }
}
