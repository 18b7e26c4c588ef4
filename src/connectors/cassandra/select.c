#include "connectors/cassandra/select.h"

#include "connectors/cassandra/key.h"
#include <stdlib.h>
#include <string.h>

struct building {
    const struct cassandra_table *table;
    uint32_t *columns;
    uint32_t count;
    int32_t *place_of; /* a column of the table: in the row, -1: not there yet */
};

static uint32_t add_column(struct building *building, uint32_t column)
{
    if (building->place_of[column] < 0) {
        building->place_of[column] = (int32_t)building->count;
        building->columns[building->count++] = column;
    }
    return (uint32_t)building->place_of[column];
}

static struct building select_begin(const struct cassandra_table *table, struct arena *arena)
{
    size_t room = (size_t)table->column_count + 1;
    struct building building = {
        .table = table,
        .columns = arena_allocate_zeroed(arena, room, sizeof(*building.columns)),
        .place_of = arena_allocate_zeroed(arena, room, sizeof(*building.place_of))};
    for (uint32_t at = 0; at < table->column_count; at++) {
        building.place_of[at] = -1;
    }
    return building;
}

static void add_all(struct building *building)
{
    for (uint32_t at = 0; at < building->table->column_count; at++) {
        add_column(building, at);
    }
}

static const int32_t *add_asked(struct building *building, const struct read_request *request,
                                struct arena *arena)
{
    int32_t *places =
        arena_allocate_zeroed(arena, (size_t)request->column_count + 1, sizeof(*places));
    for (uint32_t at = 0; at < request->column_count; at++) {
        const char *name = request->columns[at].name;
        int32_t column = cassandra_column_find(building->table, name, strlen(name));
        places[at] = column < 0 ? -1 : (int32_t)add_column(building, (uint32_t)column);
    }
    return places;
}

const char *cassandra_time_function(const struct cassandra *self,
                                    const struct cassandra_column *column)
{
    enum { MAXWRITETIME_SINCE = 5 };
    static const char title[] = "Cassandra ";
    const char *server = self->keyed.base.server;
    enum cql_kind kind = column->type->kind;
    bool elements = !column->type->frozen && (kind == CQL_TYPE_LIST || kind == CQL_TYPE_SET ||
                                              kind == CQL_TYPE_MAP || kind == CQL_TYPE_UDT);
    bool new = strncmp(server, title, strlen(title)) == 0 &&
               strtol(server + strlen(title), NULL, 10) >= MAXWRITETIME_SINCE;
    return column->part < CASSANDRA_STATIC ? NULL
           : !elements                     ? "writetime("
           : new                           ? "maxwritetime("
                                           : NULL;
}

/* A counter's time is its own affair. */
static const char *time_function(const struct cassandra *self,
                                 const struct cassandra_column *column)
{
    return column->type->kind != CQL_TYPE_COUNTER ? cassandra_time_function(self, column) : NULL;
}

/* `self` NULL: no times are read. */
static void select_end(const struct building *building, const struct cassandra *self,
                       struct arena *arena, struct cassandra_select *select)
{
    const struct cassandra_table *table = building->table;
    uint32_t *key = arena_allocate_zeroed(arena, (size_t)table->key.count + 1, sizeof(*key));
    int32_t *times = arena_allocate_zeroed(arena, (size_t)building->count + 1, sizeof(*times));
    for (uint32_t at = 0; at < table->key.count; at++) {
        key[at] = (uint32_t)building->place_of[at];
    }
    select->columns = building->columns;
    select->column_count = building->count;
    select->field_count = building->count;
    select->key = key;
    for (uint32_t at = 0; at < building->count; at++) {
        bool timed =
            self != NULL && time_function(self, &table->columns[building->columns[at]]) != NULL;
        times[at] = timed ? (int32_t)select->field_count : -1;
        select->field_count += timed ? 2 : 0;
    }
    select->times = self != NULL ? times : NULL;
}

struct cassandra_select cassandra_select_of(const struct cassandra *self,
                                            const struct cassandra_table *table,
                                            const struct read_request *request, bool keeps_times,
                                            struct arena *arena)
{
    struct building building = select_begin(table, arena);
    struct cassandra_select select = {.table = table, .place_count = request->column_count};
    if (request->column_count == 0) {
        add_all(&building);
    } else {
        select.places = add_asked(&building, request, arena);
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        add_column(&building, at);
    }
    select_end(&building, keeps_times ? self : NULL, arena, &select);
    return select;
}

struct cassandra_select cassandra_select_all(const struct cassandra *self,
                                             const struct cassandra_table *table, bool keeps_times,
                                             struct arena *arena)
{
    struct building building = select_begin(table, arena);
    struct cassandra_select select = {.table = table};
    add_all(&building);
    select_end(&building, keeps_times ? self : NULL, arena, &select);
    return select;
}

/* ---------------------------------------------------------------- texts */

static void append_name(const struct cassandra_select *select, uint32_t place, struct buffer *text)
{
    const char *name = select->table->columns[select->columns[place]].name;
    cql_name_append((struct text){name, strlen(name)}, text);
}

void cassandra_select_append(const struct cassandra_select *select, const struct cassandra *self,
                             struct buffer *text)
{
    buffer_append_string(text, "SELECT ");
    for (uint32_t at = 0; at < select->column_count; at++) {
        buffer_append_string(text, at > 0 ? ", " : "");
        append_name(select, at, text);
    }
    for (uint32_t at = 0; select->times != NULL && at < select->column_count; at++) {
        if (select->times[at] >= 0) {
            buffer_format(text, ", %s",
                          time_function(self, &select->table->columns[select->columns[at]]));
            append_name(select, at, text);
            buffer_append_string(text, "), ttl(");
            append_name(select, at, text);
            buffer_append_byte(text, ')');
        }
    }
    buffer_append_string(text, " FROM ");
    cassandra_append_table(self, select->table->name, text);
}

const char *cassandra_select_range(const struct cassandra_select *select,
                                   const struct cassandra *self, struct arena *arena)
{
    struct buffer text = {0};
    cassandra_select_append(select, self, &text);
    buffer_append_string(&text, " WHERE ");
    cassandra_key_append_token(select->table, &text);
    buffer_append_string(&text, " > ? AND ");
    cassandra_key_append_token(select->table, &text);
    buffer_append_string(&text, " <= ?");
    const char *made = arena_copy(arena, text.data, text.length);
    buffer_free(&text);
    return made;
}

const char *cassandra_select_key(const struct cassandra_select *select,
                                 const struct cassandra *self, struct arena *arena)
{
    struct buffer text = {0};
    cassandra_select_append(select, self, &text);
    buffer_append_string(&text, " WHERE ");
    cassandra_key_append_where(select->table, &text);
    const char *made = arena_copy(arena, text.data, text.length);
    buffer_free(&text);
    return made;
}

void cassandra_select_write_range(const struct cql_range *range, struct buffer *values)
{
    uint8_t bytes[8];
    bytes_put_be(bytes, (uint64_t)range->after, 8);
    cql_write_value(values, bytes, sizeof(bytes));
    bytes_put_be(bytes, (uint64_t)range->to, 8);
    cql_write_value(values, bytes, sizeof(bytes));
}
