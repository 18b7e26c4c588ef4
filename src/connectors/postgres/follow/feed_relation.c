/* Tables as the stream tells of them: the shape of their records, and the types of their values. */
#include "base/text.h"
#include "connectors/postgres/follow/feed.h"
#include "postgres_sql.h"
#include <stdio.h>
#include <string.h>

struct feed_relation *postgres_feed_find(const struct feed *feed, uint32_t oid)
{
    struct feed_relation *found = NULL;
    HASH_FIND(hh, feed->relations, &oid, sizeof oid, found);
    return found;
}

/* ---------------------------------------------------------------- types */

/* "(oid, modifier), …" of the columns. */
static void append_columns(struct buffer *sql, const struct pgoutput_message *message)
{
    struct pgoutput_column column;
    size_t at = 0;
    for (uint16_t i = 0; i < message->column_count; i++) {
        pgoutput_next_column(message, &at, &column);
        buffer_format(sql, "%s(%u, %u::oid, %d)", i > 0 ? ", " : "", i, column.type,
                      column.modifier);
    }
}

static uint32_t unsigned_at(const PGresult *result, int row, int column)
{
    uint64_t value = 0;
    const char *text = PQgetvalue(result, row, column);
    return text_to_uint64(text, strlen(text), &value) == STATUS_OK ? (uint32_t)value : 0;
}

static int32_t signed_at(const PGresult *result, int row, int column)
{
    int64_t value = -1;
    const char *text = PQgetvalue(result, row, column);
    return text_to_int64(text, strlen(text), &value) == STATUS_OK ? (int32_t)value : -1;
}

/* A type that was dropped since leaves its values' texts. */
static enum status find_types(struct feed *feed, const struct pgoutput_message *message,
                              struct postgres_type *types, struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    for (uint16_t i = 0; i < message->column_count; i++) {
        types[i] = postgres_type_of(0, 'b', -1, NULL);
    }
    if (message->column_count == 0) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "WITH told(place, type, modifier) AS (VALUES ");
    append_columns(&sql, message);
    buffer_format(&sql, ") %s", sql_feed_types);
    enum status status = postgres_catalog_query_buffer(
        feed->self, feed->asking, &sql, NULL, 0, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        uint32_t place = unsigned_at(result, row, 0);
        const char *words = arena_copy_string(feed->arena, PQgetvalue(result, row, 4));
        if (place < message->column_count) {
            types[place] =
                postgres_type_of(unsigned_at(result, row, 1), PQgetvalue(result, row, 2)[0],
                                 signed_at(result, row, 3), words);
        }
    }
    PQclear(result);
    return status;
}

/* ---------------------------------------------------------------- the key */

/* The columns in the order that the key has them, where the catalogue still knows such a key of
 * columns that the stream has. */
static enum status find_key(struct feed *feed, const struct pgoutput_message *message,
                            const struct feed_relation *relation, struct shape *shape,
                            struct error *error)
{
    char oid[16];
    PGresult *result = NULL;
    const struct postgres_parameter parameters[] = {{.text = oid}};
    uint32_t *fields =
        arena_allocate_zeroed(feed->arena, (size_t)shape->field_count + 1, sizeof *fields);
    snprintf(oid, sizeof oid, "%u", relation->oid);
    enum status status = postgres_catalog_query(feed->self, feed->asking, sql_feed_key, parameters,
                                                1, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    int rows = status == STATUS_OK ? PQntuples(result) : 0;
    uint32_t count = 0;
    for (int row = 0; row < rows && count < shape->field_count; row++) {
        int32_t field = shape_field_find(shape, PQgetvalue(result, row, 0));
        if (field < 0 || !relation->key[field]) {
            count = 0;
            break;
        }
        fields[count++] = (uint32_t)field;
    }
    PQclear(result);
    bool unknown = count == 0 && message->identity != 'f';
    for (uint32_t i = 0; unknown && i < shape->field_count; i++) {
        if (relation->key[i]) {
            fields[count++] = i;
        }
    }
    shape->key_fields = fields;
    shape->key_field_count = count;
    return status;
}

/* ---------------------------------------------------------------- relations */

/* Which of the followed tables has this number, or this name; -1: none. */
static int32_t find_followed(const struct feed *feed, const char *mark, const char *name)
{
    const struct database *base = &feed->self->sql.base;
    for (uint32_t i = 0; i < base->followed.count; i++) {
        const char *known = base->followed_marks != NULL ? base->followed_marks[i] : NULL;
        if (mark != NULL ? known != NULL && strcmp(known, mark) == 0
                         : strcmp(base->followed.names[i], name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* Is it the table that is followed under its name? One that was renamed tells of a table that is
 * gone; one that got the name of another is not the one that is followed. */
static void place_among_followed(const struct feed *feed, struct feed_relation *relation)
{
    const struct database *base = &feed->self->sql.base;
    char oid[16];
    snprintf(oid, sizeof oid, "%u", relation->oid);
    int32_t by_name = find_followed(feed, NULL, relation->name);
    int32_t by_mark = find_followed(feed, oid, NULL);
    bool known =
        by_name >= 0 && base->followed_marks != NULL && base->followed_marks[by_name] != NULL;
    relation->ours = strncmp(relation->name, "_transhume_", 11) == 0;
    relation->lost = by_mark >= 0 ? by_mark != by_name : known;
    relation->ignored = base->followed.count > 0 && by_mark < 0 && by_name < 0;
    if (by_mark >= 0) {
        relation->name = base->followed.names[by_mark];
    }
}

static enum status feed_relation_fill(struct feed *feed, const struct pgoutput_message *message,
                                      struct feed_relation *relation, struct error *error)
{
    struct arena *arena = feed->arena;
    size_t count = (size_t)message->column_count + 1;
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    struct shape_field *fields = arena_allocate_zeroed(arena, count, sizeof *fields);
    struct postgres_type *types = arena_allocate_zeroed(arena, count, sizeof *types);
    bool *key = arena_allocate_zeroed(arena, count, sizeof *key);
    struct pgoutput_column column;
    size_t at = 0;
    if (find_types(feed, message, types, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint16_t i = 0; i < message->column_count; i++) {
        pgoutput_next_column(message, &at, &column);
        fields[i].name = arena_copy_string(arena, column.name);
        fields[i].name_length = (uint32_t)strlen(column.name);
        fields[i].type = types[i].type;
        key[i] = column.key;
    }
    relation->name = sql_name_in(&feed->self->sql, message->schema,
                                 arena_copy_string(arena, message->name), arena);
    place_among_followed(feed, relation);
    relation->ours = relation->ours || strncmp(message->name, "_transhume_", 11) == 0;
    *shape = (struct shape){
        .name = relation->name, .fields = fields, .field_count = message->column_count};
    relation->types = types;
    relation->key = key;
    relation->shape = shape;
    return find_key(feed, message, relation, shape, error);
}

/* The shapes of sets that were handed out stay as they are. */
enum status postgres_feed_relation(struct feed *feed, const struct pgoutput_message *message,
                                   const uint8_t *bytes, size_t length, struct error *error)
{
    struct feed_relation *relation = postgres_feed_find(feed, message->relation);
    size_t head = message->xid != 0 ? 5 : 1; /* the xid of a stream is no part of it */
    bytes += head;
    length -= head;
    if (relation != NULL && relation->told_length == length &&
        memcmp(relation->told, bytes, length) == 0) {
        return STATUS_OK;
    }
    bool is_new = relation == NULL;
    if (is_new) {
        relation = arena_allocate_zeroed(feed->arena, 1, sizeof *relation);
        relation->oid = message->relation;
    }
    relation->told_length = 0;
    if (feed_relation_fill(feed, message, relation, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    relation->told = (const uint8_t *)arena_copy(feed->arena, bytes, length);
    relation->told_length = length;
    if (is_new) {
        HASH_ADD(hh, feed->relations, oid, sizeof relation->oid, relation);
    }
    return STATUS_OK;
}
