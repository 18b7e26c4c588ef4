/*
 * Secondary indexes of hashes: sets and sorted sets of the keys of records, which the same script
 * keeps that writes the record.
 *
 *   idx:TABLE:INDEX:VALUE[:VALUE…]   a set: the records with these values
 *   idx:TABLE:INDEX[:VALUE…]         where the last column is a number, a date or a timestamp: a
 *                                    sorted set by it (dates in seconds since 1970)
 *
 * In all values but the last one % and : are %25 and %3A, as in keys. A record that lacks one of
 * the columns is not in the index. What is an index the table's note says (notes.c), as long as it
 * stands: "indexes":{"ByCity":{"columns":["City"],"sorted":false}}.
 */
#include "connectors/redis/redis.h"

#include "base/text.h"
#include "model/json_writer.h"
#include <jansson.h>

static const char *base_of(struct arena *arena, const char *table, const char *index)
{
    return arena_format(arena, REDIS_INDEX_PREFIX "%s:%s", table, index);
}

/* ---------------------------------------------------------------- of a plan */

static bool is_sortable(const struct target_table *table, const char *name)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (strcmp(table->columns[at].name, name) == 0) {
            enum value_kind kind = table->columns[at].type.kind;
            return value_kind_is_number(kind) || kind == VALUE_DATE || kind == VALUE_TIMESTAMP;
        }
    }
    return false;
}

void redis_indexes_of_plan(const struct target_table *table, struct arena *arena,
                           struct redis_indexes *indexes)
{
    indexes->count = table->index_count;
    indexes->items =
        arena_allocate_zeroed(arena, (size_t)indexes->count + 1, sizeof(*indexes->items));
    for (uint32_t at = 0; at < indexes->count; at++) {
        const struct target_index *from = &table->indexes[at];
        const struct column_list columns = from->columns;
        indexes->items[at] = (struct redis_index){
            .name = from->name,
            .base = base_of(arena, table->name, from->name),
            .columns = columns,
            .sorted = columns.count > 0 && is_sortable(table, columns.names[columns.count - 1])};
    }
}

/* ---------------------------------------------------------------- in a note */

void redis_indexes_append(const struct redis_indexes *indexes, struct buffer *json)
{
    buffer_append_byte(json, '{');
    for (uint32_t at = 0; at < indexes->count; at++) {
        const struct redis_index *index = &indexes->items[at];
        buffer_append_string(json, at > 0 ? "," : "");
        json_append_string(json, index->name, strlen(index->name));
        buffer_append_string(json, ":{\"columns\":[");
        for (uint32_t column = 0; column < index->columns.count; column++) {
            const char *name = index->columns.names[column];
            buffer_append_string(json, column > 0 ? "," : "");
            json_append_string(json, name, strlen(name));
        }
        buffer_format(json, "],\"sorted\":%s}", index->sorted ? "true" : "false");
    }
    buffer_append_byte(json, '}');
}

bool redis_indexes_read(const json_t *tree, const char *table, struct arena *arena,
                        struct redis_indexes *indexes)
{
    const char *name = NULL;
    json_t *is = NULL;
    *indexes =
        (struct redis_indexes){.items = arena_allocate_zeroed(arena, json_object_size(tree) + 1,
                                                              sizeof(struct redis_index))};
    json_object_foreach((json_t *)(uintptr_t)tree, name, is)
    {
        struct redis_index *index = &indexes->items[indexes->count++];
        const json_t *columns = json_object_get(is, "columns");
        size_t count = json_array_size(columns);
        const char **names = arena_allocate_zeroed(arena, count + 1, sizeof(*names));
        for (size_t at = 0; at < count; at++) {
            const char *column = json_string_value(json_array_get(columns, at));
            names[at] = column != NULL ? arena_copy_string(arena, column) : NULL;
            if (column == NULL) {
                return false;
            }
        }
        *index = (struct redis_index){.name = arena_copy_string(arena, name),
                                      .base = base_of(arena, table, name),
                                      .columns = {names, (uint32_t)count},
                                      .sorted = json_is_true(json_object_get(is, "sorted"))};
        if (count == 0) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- checking */

static const struct redis_index *find_index(const struct redis_indexes *indexes, const char *name)
{
    const struct redis_index *found = NULL;
    for (uint32_t at = 0; at < indexes->count; at++) {
        found = strcmp(indexes->items[at].name, name) == 0 ? &indexes->items[at] : found;
    }
    return found;
}

static void begin_line(const char *name, struct buffer *out)
{
    char shown[128];
    text_printable(name, strlen(name), shown, sizeof(shown));
    buffer_format(out, "the index \"%s\": ", shown);
}

static const char *find_fault(const struct redis_database *self, const struct target_table *table,
                              const struct target_index *index)
{
    if (index->unique && !index->promised) {
        return "only keys are unique in Redis; leave out `unique`";
    }
    if (self->form == REDIS_JSON) {
        return "indexes are kept of hashes alone (form=hash)";
    }
    if (redis_server_is_cluster(self->server)) {
        return "it is kept in one step with its records, which are in other slots of the cluster; "
               "make an entity of its own with that key";
    }
    if (table->ttl != NULL) {
        return "records that expire would stay in it; leave out `ttl` or the index";
    }
    return strchr(index->name, ':') != NULL ? "its name has a colon, which ends a part of a key"
                                            : NULL;
}

void redis_indexes_check(const struct redis_database *self, const struct target_table *table,
                         const struct redis_indexes *noted, struct buffer *out)
{
    struct redis_indexes wanted;
    struct arena *arena = arena_create(0);
    redis_indexes_of_plan(table, arena, &wanted);
    for (uint32_t at = 0; at < table->index_count; at++) {
        const char *fault = find_fault(self, table, &table->indexes[at]);
        const struct redis_index *there =
            noted != NULL ? find_index(noted, wanted.items[at].name) : NULL;
        if (fault == NULL && noted != NULL && there == NULL) {
            fault = "the table is there without it, and its records would not be in it";
        } else if (fault == NULL && there != NULL &&
                   (there->sorted != wanted.items[at].sorted ||
                    !column_list_is_equal(there->columns, wanted.items[at].columns))) {
            fault = "it is there with other columns or of other kinds";
        }
        if (fault != NULL) {
            begin_line(wanted.items[at].name, out);
            buffer_format(out, "%s\n", fault);
        }
    }
    arena_destroy(arena);
}
