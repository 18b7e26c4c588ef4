/* Tables of the log, and what the catalogue says of them. */
#include "base/log.h"
#include "connectors/mysql/follow/feed.h"
#include <string.h>

struct feed_table *mysql_feed_find(const struct feed *feed, uint64_t number)
{
    struct feed_table *found = NULL;
    HASH_FIND(hh, feed->tables, &number, sizeof number, found);
    return found;
}

/* A set's shapes live as long as the feed. */
static void keep_arena(struct feed *feed, struct arena *arena)
{
    if (feed->kept_count == feed->kept_capacity) {
        uint32_t capacity = feed->kept_capacity == 0 ? 16 : 2 * feed->kept_capacity;
        struct arena **grown = arena_allocate_zeroed(feed->arena, capacity, sizeof *grown);
        if (feed->kept_count > 0) {
            memcpy(grown, feed->kept, feed->kept_count * sizeof *grown);
        }
        feed->kept = grown;
        feed->kept_capacity = capacity;
    }
    feed->kept[feed->kept_count++] = arena;
}

void mysql_feed_free_tables(struct feed *feed)
{
    struct feed_table *table;
    struct feed_table *next;
    HASH_ITER (hh, feed->tables, table, next) {
        HASH_DEL(feed->tables, table);
        arena_destroy(table->arena);
    }
    for (uint32_t i = 0; i < feed->kept_count; i++) {
        arena_destroy(feed->kept[i]);
    }
    feed->kept_count = 0;
}

/* ---------------------------------------------------------------- columns */

static int32_t find_column(const struct mysql_table *facts, struct text name)
{
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const char *known = facts->columns[i].name;
        if (strlen(known) == name.length && memcmp(known, name.data, name.length) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* Without names in the log, columns that came or went since leave nobody knows which. */
static void map_columns(struct feed_table *table)
{
    const struct mysql_table *facts = table->facts;
    uint32_t count = table->log.column_count;
    table->columns = arena_allocate_zeroed(table->arena, count + 1u, sizeof(const void *));
    table->fields = arena_allocate_zeroed(table->arena, count + 1u, sizeof *table->fields);
    if (!table->log.named && count != facts->schema->column_count) {
        table->lost = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t found =
            table->log.named ? find_column(facts, table->log.columns[i].name) : (int32_t)i;
        table->columns[i] = found >= 0 ? &facts->columns[found] : NULL;
    }
}

/* The shape has the columns that are in the log, in its order. */
static void make_shape(struct feed_table *table)
{
    const struct column_list *key = &table->facts->key;
    uint32_t count = table->log.column_count;
    struct shape_field *fields = arena_allocate_zeroed(table->arena, count + 1u, sizeof *fields);
    uint32_t *key_fields = arena_allocate_zeroed(table->arena, key->count + 1u, sizeof *key_fields);
    struct shape *shape = arena_allocate_zeroed(table->arena, 1, sizeof *shape);
    *shape = (struct shape){.name = table->name, .fields = fields, .key_fields = key_fields};
    for (uint32_t i = 0; i < count; i++) {
        const struct mysql_column *column = table->columns[i];
        if (column != NULL) {
            table->fields[i] = shape->field_count;
            fields[shape->field_count++] =
                (struct shape_field){.name = column->name,
                                     .name_length = (uint32_t)strlen(column->name),
                                     .type = column->type.type};
        }
    }
    for (uint32_t part = 0; part < key->count; part++) {
        int32_t field = shape_field_find(shape, key->names[part]);
        if (field < 0) {
            shape->key_field_count = 0;
            break;
        }
        key_fields[part] = (uint32_t)field;
        shape->key_field_count = part + 1;
    }
    table->shape = shape;
}

/* ---------------------------------------------------------------- tables */

static bool is_followed(const struct feed *feed, const struct binlog_table *log)
{
    return strcmp(log->database, feed->self->sql.schema) == 0 &&
           mysql_feed_followed(feed, log->name) != NULL;
}

/* It was dropped or renamed since it was written. */
static void pass_over(const struct feed *feed, struct feed_table *table)
{
    table->lost = feed->self->sql.base.followed.count > 0;
    table->ignored = !table->lost;
    if (table->ignored) {
        log_write(LOG_WARNING, "%s: table %s is not there any more; its changes are passed over",
                  feed->self->sql.shown, table->name);
    }
}

/* Its rows are told by one word that they can't be read. */
static void make_empty_shape(struct feed_table *table)
{
    struct shape *shape = arena_allocate_zeroed(table->arena, 1, sizeof *shape);
    shape->name = table->name;
    table->shape = shape;
}

static enum status feed_table_describe(struct feed *feed, struct feed_table *table,
                                       struct error *error)
{
    struct mysql_catalog catalog = {0};
    if (!is_followed(feed, &table->log)) {
        table->ignored = true;
        return STATUS_OK;
    }
    enum status status = mysql_catalog_read(feed->self, feed->asking, table->log.name, table->arena,
                                            &catalog, error);
    if (status != STATUS_OK) {
        return status;
    }
    table->name = arena_copy_string(table->arena, table->log.name);
    for (uint32_t i = 0; i < catalog.table_count; i++) {
        if (strcmp(catalog.tables[i].schema->name, table->name) == 0) {
            table->facts = &catalog.tables[i];
        }
    }
    if (table->facts == NULL || table->facts->schema->kind != SCHEMA_TABLE) {
        pass_over(feed, table);
    } else {
        map_columns(table);
    }
    if (table->lost || table->ignored) {
        make_empty_shape(table);
        return STATUS_OK;
    }
    status = mysql_feed_now(feed->self, feed->asking, table->arena, &table->described, error);
    status = status == STATUS_OK ? mysql_feed_ask_charsets(feed, table, error) : status;
    if (status == STATUS_OK) {
        make_shape(table);
    }
    return status;
}

static enum status add_table(struct feed *feed, const struct binlog_event *event,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    struct feed_table *table = arena_allocate_zeroed(arena, 1, sizeof *table);
    table->arena = arena;
    table->told_length = event->body.left;
    table->told =
        (const uint8_t *)arena_copy(arena, (const char *)event->body.at, event->body.left);
    const struct binlog_bytes body = {.at = table->told, .left = table->told_length};
    enum status status = binlog_read_table(body, feed->self->mariadb, arena, &table->log)
                             ? feed_table_describe(feed, table, error)
                             : mysql_feed_malformed(feed, error);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    table->number = table->log.number;
    HASH_ADD(hh, feed->tables, number, sizeof table->number, table);
    return STATUS_OK;
}

enum status mysql_feed_take_table(struct feed *feed, const struct binlog_event *event,
                                  struct error *error)
{
    struct binlog_bytes body = event->body;
    uint64_t number = binlog_take_number(&body, 6);
    struct feed_table *known = mysql_feed_find(feed, number);
    if (known != NULL && !known->stale && known->told_length == event->body.left &&
        memcmp(known->told, event->body.at, event->body.left) == 0) {
        return STATUS_OK;
    }
    if (known != NULL) {
        HASH_DEL(feed->tables, known);
        keep_arena(feed, known->arena);
    }
    return add_table(feed, event, error);
}
