/* The statements that records are written and read by, as texts. */
#include "connectors/cassandra/target.h"

#include "connectors/cassandra/key.h"
#include <string.h>

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void append_names(const struct cassandra_statement *made, const char *between,
                         const char *after, struct buffer *out)
{
    for (uint32_t at = 0; at < made->count; at++) {
        buffer_append_string(out, at > 0 ? between : "");
        cql_name_append(text_of(made->layout->table->columns[made->places[at]].name), out);
        buffer_append_string(out, after);
    }
}

static void append_insert(const struct cassandra *self, const struct cassandra_statement *made,
                          struct buffer *out)
{
    buffer_append_string(out, "INSERT INTO ");
    cassandra_append_table(self, made->layout->table->name, out);
    buffer_append_string(out, " (");
    append_names(made, ", ", "", out);
    buffer_append_string(out, ") VALUES (");
    for (uint32_t at = 0; at < made->count; at++) {
        buffer_append_string(out, at > 0 ? ", ?" : "?");
    }
    buffer_append_string(out, made->kind == KEYED_INSERT ? ") IF NOT EXISTS" : ")");
    if ((made->form & CASSANDRA_TIMED) != 0) {
        buffer_append_string(out, " USING TIMESTAMP ? AND TTL ?");
    } else if (made->expires) {
        buffer_append_string(out, " USING TTL ?");
    }
}

/* The counters' values first, then the key's. */
static void append_add(const struct cassandra *self, const struct cassandra_statement *made,
                       struct buffer *out)
{
    const struct cassandra_table *table = made->layout->table;
    buffer_append_string(out, "UPDATE ");
    cassandra_append_table(self, table->name, out);
    for (uint32_t at = table->key.count; at < made->count; at++) {
        struct text name = text_of(table->columns[made->places[at]].name);
        buffer_append_string(out, at > table->key.count ? ", " : " SET ");
        cql_name_append(name, out);
        buffer_append_string(out, " = ");
        cql_name_append(name, out);
        buffer_append_string(out, " + ?");
    }
    buffer_append_string(out, " WHERE ");
    cassandra_key_append_where(table, out);
}

/* A partition's static columns, where it has none yet: their values first, then the key's. */
static void append_found(const struct cassandra *self, const struct cassandra_statement *made,
                         struct buffer *out)
{
    static const char *const before[] = {" SET ", " WHERE ", " IF "};
    static const char *const between[] = {", ", " AND ", " AND "};
    static const char *const after[] = {" = ?", " = ?", " = null"};
    buffer_append_string(out, "UPDATE ");
    cassandra_append_table(self, made->layout->table->name, out);
    for (uint32_t part = 0; part < 3; part++) {
        uint32_t begin = part == 1 ? 0 : made->key_count;
        uint32_t end = part == 1 ? made->key_count : made->count;
        for (uint32_t at = begin; at < end; at++) {
            buffer_append_string(out, at == begin ? before[part] : between[part]);
            cql_name_append(text_of(made->layout->table->columns[made->places[at]].name), out);
            buffer_append_string(out, after[part]);
        }
    }
}

/* The times first, then what is set, and the key's values last. */
static void append_update(const struct cassandra *self, const struct cassandra_statement *made,
                          struct buffer *out)
{
    const struct cassandra_table *table = made->layout->table;
    buffer_append_string(out, "UPDATE ");
    cassandra_append_table(self, table->name, out);
    buffer_append_string(out, " USING TIMESTAMP ? AND TTL ?");
    for (uint32_t at = made->key_count; at < made->count; at++) {
        buffer_append_string(out, at > made->key_count ? ", " : " SET ");
        cql_name_append(text_of(table->columns[made->places[at]].name), out);
        buffer_append_string(out, " = ?");
    }
    buffer_append_string(out, " WHERE ");
    cassandra_key_append_where(table, out);
}

static void append_delete(const struct cassandra *self, const struct cassandra_statement *made,
                          struct buffer *out)
{
    buffer_append_string(out, "DELETE FROM ");
    cassandra_append_table(self, made->layout->table->name, out);
    buffer_append_string(out, " WHERE ");
    cassandra_key_append_where(made->layout->table, out);
}

/* The columns that are compared with the record are selected; only the key is bound. */
static void append_select(const struct cassandra *self, const struct cassandra_statement *made,
                          struct buffer *out)
{
    buffer_append_string(out, "SELECT ");
    append_names(made, ", ", "", out);
    buffer_append_string(out, " FROM ");
    cassandra_append_table(self, made->layout->table->name, out);
    for (uint32_t at = 0; at < made->key_count; at++) {
        buffer_append_string(out, at > 0 ? " AND " : " WHERE ");
        cql_name_append(text_of(made->layout->table->columns[made->places[at]].name), out);
        buffer_append_string(out, " = ?");
    }
    buffer_append_string(out, (made->form & CASSANDRA_ALONE) != 0 ? " LIMIT 1" : "");
}

/* Without a row a partition has the columns of its own key and the static ones. */
static bool is_chosen(const struct cassandra_statement *made, enum cassandra_part part)
{
    return (made->form & CASSANDRA_ALONE) != 0
               ? part == CASSANDRA_PARTITION || part == CASSANDRA_STATIC
               : (made->form & CASSANDRA_ROW) == 0 || part != CASSANDRA_STATIC;
}

/* The columns that the records fill; where a whole record is put over another one, and where each
 * has fields of its own, all of them: but a static column is not the record's alone. The key's are
 * always among them. */
static void choose_places(struct cassandra_statement *made, const struct target_table *table,
                          struct arena *arena)
{
    const struct cassandra_table *there = made->layout->table;
    bool whole = made->shape == NULL || (made->kind == KEYED_PUT && !table->created);
    made->places = arena_allocate_zeroed(arena, there->column_count + 1u, sizeof(*made->places));
    made->fields = arena_allocate_zeroed(arena, there->column_count + 1u, sizeof(*made->fields));
    made->key_count =
        (made->form & CASSANDRA_ALONE) != 0 ? there->partition_count : there->key.count;
    for (uint32_t at = 0; at < there->column_count; at++) {
        int32_t field =
            made->shape != NULL ? shape_field_find(made->shape, there->columns[at].name) : -1;
        bool taken = whole && (made->shape == NULL || there->columns[at].part != CASSANDRA_STATIC);
        if ((field >= 0 || taken || at < there->key.count) &&
            is_chosen(made, there->columns[at].part)) {
            made->places[made->count] = at;
            made->fields[made->count] = field;
            made->count++;
        }
    }
}

/* The first field that the table has no column for. */
static struct text unknown_field(const struct cassandra_table *table, const struct shape *shape)
{
    for (uint32_t at = 0; at < shape->field_count; at++) {
        const struct shape_field *field = &shape->fields[at];
        if (cassandra_column_find(table, field->name, field->name_length) < 0) {
            return (struct text){field->name, field->name_length};
        }
    }
    return (struct text){0};
}

static struct cassandra_statement *make_statement(struct keyed_connection *connection,
                                                  enum keyed_kind kind, uint32_t table,
                                                  const struct shape *shape, unsigned form)
{
    struct cassandra_statement *made = arena_allocate_zeroed(connection->arena, 1, sizeof(*made));
    struct buffer text = {0};
    made->connection = connection;
    made->kind = kind;
    made->table = table;
    made->layout = connection->layouts[table];
    made->shape = shape;
    made->form = form;
    /* static values are of the partition, which no record's time to live ends */
    made->expires = connection->tables[table].ttl != NULL && kind != KEYED_LOOK &&
                    kind != KEYED_DELETE && (form & (CASSANDRA_TIMED | CASSANDRA_ALONE)) == 0;
    made->ttl_field = connection->tables[table].ttl != NULL && shape != NULL
                          ? shape_field_find(shape, connection->tables[table].ttl)
                          : -1;
    made->unknown = shape != NULL ? unknown_field(made->layout->table, shape) : (struct text){0};
    choose_places(made, &connection->tables[table], connection->arena);
    if (kind == KEYED_LOOK) {
        append_select(connection->cassandra, made, &text);
    } else if (kind == KEYED_DELETE) {
        append_delete(connection->cassandra, made, &text);
    } else if (made->layout->table->counter) {
        append_add(connection->cassandra, made, &text);
    } else if (kind == KEYED_INSERT && (form & CASSANDRA_ALONE) != 0) {
        append_found(connection->cassandra, made, &text);
    } else if ((form & CASSANDRA_CELLS) != 0) {
        append_update(connection->cassandra, made, &text);
    } else {
        append_insert(connection->cassandra, made, &text);
    }
    made->text = arena_copy_string(connection->arena, buffer_string(&text));
    buffer_free(&text);
    made->number = connection->statement_count++;
    made->next = connection->statements;
    connection->statements = made;
    return made;
}

struct cassandra_statement *cassandra_statement_of(struct keyed_connection *connection,
                                                   enum keyed_kind kind, uint32_t table,
                                                   const struct shape *shape, unsigned form)
{
    struct cassandra_statement *known = connection->statements;
    while (known != NULL && (known->kind != kind || known->shape != shape ||
                             known->table != table || known->form != form)) {
        known = known->next;
    }
    return known != NULL ? known : make_statement(connection, kind, table, shape, form);
}

struct cassandra_statement *cassandra_statement_at(const struct keyed_connection *connection,
                                                   uint32_t number)
{
    struct cassandra_statement *known = connection->statements;
    while (known != NULL && known->number != number) {
        known = known->next;
    }
    return known;
}
