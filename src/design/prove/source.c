/* The query in SQL, for the source. */
#include "design/prove/prove_parts.h"

#include <string.h>

static enum prove_language language_of(const char *scheme)
{
    return strcmp(scheme, "mysql") == 0 ? PROVE_MYSQL : PROVE_SQL;
}

static void append_name(const char *name, const char *scheme, struct buffer *out)
{
    char quote = language_of(scheme) == PROVE_MYSQL ? '`' : '"';
    buffer_append_byte(out, quote);
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == quote) {
            buffer_append_byte(out, quote);
        }
        buffer_append_byte(out, *at);
    }
    buffer_append_byte(out, quote);
}

static void append_field(const struct places *places, uint32_t path, uint32_t field,
                         const char *scheme, struct buffer *out)
{
    buffer_format(out, "t%u.", path);
    append_name(places_entity(places, path)->fields[field].name, scheme, out);
}

static void append_place(const struct places *places, uint32_t place, const char *scheme,
                         struct buffer *out)
{
    append_field(places, places->list[place].path, places->list[place].field, scheme, out);
}

/* "sales.orders" of another schema is two names. */
static void append_table(const char *name, const char *scheme, struct buffer *out)
{
    const char *dot = strchr(name, '.');
    if (dot == NULL) {
        append_name(name, scheme, out);
        return;
    }
    char first[256];
    size_t length = (size_t)(dot - name) < sizeof(first) ? (size_t)(dot - name) : 0;
    memcpy(first, name, length);
    first[length] = '\0';
    append_name(first, scheme, out);
    buffer_append_byte(out, '.');
    append_name(dot + 1, scheme, out);
}

/* ---------------------------------------------------------------- joins */

struct joins {
    struct places *places;
    const char *scheme;
    uint32_t *joined;
    uint32_t count;
    struct buffer *out;
};

static void join_path(struct joins *joins, uint32_t path)
{
    const struct places *places = joins->places;
    if (places->paths[path].parent == GRAPH_NONE) {
        return;
    }
    for (uint32_t i = 0; i < joins->count; i++) {
        if (joins->joined[i] == path) {
            return;
        }
    }
    join_path(joins, places->paths[path].parent);
    joins->joined[joins->count++] = path;
    const struct graph_relation *relation = &places->graph->relations[places->paths[path].relation];
    buffer_append_string(joins->out, " LEFT JOIN ");
    append_table(places_entity(places, path)->name, joins->scheme, joins->out);
    buffer_format(joins->out, " t%u ON ", path);
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        buffer_append_string(joins->out, i > 0 ? " AND " : "");
        append_field(places, path, relation->referenced.at[i], joins->scheme, joins->out);
        buffer_append_string(joins->out, " = ");
        append_field(places, places->paths[path].parent, relation->fields.at[i], joins->scheme,
                     joins->out);
    }
}

/* ---------------------------------------------------------------- statements */

static void join_condition(struct joins *joins, const struct query *query)
{
    const struct places *places = joins->places;
    for (uint32_t i = 0; i < query->equal.count; i++) {
        join_path(joins, places->list[query->equal.at[i]].path);
    }
    for (uint32_t i = 0; i < query->in_count; i++) {
        join_path(joins, places->list[query->in[i].place].path);
    }
    if (query->range != GRAPH_NONE) {
        join_path(joins, places->list[query->range].path);
    }
}

/* The columns, the tables, and the condition if there is one. */
static void append_select(struct places *places, const struct query *query, const char *scheme,
                          const uint32_t *wanted, uint32_t wanted_count,
                          const struct buffer *condition, struct buffer *out)
{
    struct arena *scratch = arena_create(0);
    struct joins joins = {.places = places, .scheme = scheme, .out = out};
    joins.joined = arena_allocate_zeroed(scratch, places->path_count + 1u, sizeof(uint32_t));
    buffer_append_string(out, "SELECT ");
    for (uint32_t i = 0; i < wanted_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_place(places, wanted[i], scheme, out);
        buffer_format(out, " AS c%u", i);
    }
    buffer_append_string(out, " FROM ");
    append_table(places->graph->entities[query->root].name, scheme, out);
    buffer_format(out, " t%u", query->root);
    for (uint32_t i = 0; i < wanted_count; i++) {
        join_path(&joins, places->list[wanted[i]].path);
    }
    join_condition(&joins, query);
    if (condition != NULL && condition->length > 0) {
        buffer_append_string(out, " WHERE ");
        buffer_append_buffer(out, condition);
    }
    arena_destroy(scratch);
}

/* Texts by their bytes, whatever the collation of the column is. */
static void append_ordered(const struct places *places, uint32_t place, const char *scheme,
                           struct buffer *out)
{
    bool is_text = places_field(places, place)->column->type.kind == VALUE_TEXT;
    bool is_mysql = language_of(scheme) == PROVE_MYSQL;
    buffer_append_string(out, is_text ? "CAST(" : "");
    append_place(places, place, scheme, out);
    if (is_text) {
        buffer_append_string(out, is_mysql                          ? " AS BINARY)"
                                  : strcmp(scheme, "postgres") == 0 ? " AS text) COLLATE \"C\""
                                                                    : " AS text) COLLATE BINARY");
    }
}

void prove_append_sql(struct places *places, const struct query *query, const char *scheme,
                      struct place_set wanted, const struct buffer *condition, uint32_t rows_max,
                      struct buffer *out)
{
    append_select(places, query, scheme, wanted.at, wanted.count, condition, out);
    for (uint32_t i = 0; i < query->order_count; i++) {
        buffer_append_string(out, i == 0 ? " ORDER BY " : ", ");
        append_ordered(places, query->order[i].place, scheme, out);
        buffer_append_string(out, query->order[i].descending ? " DESC" : "");
    }
    buffer_format(out, " LIMIT %u", rows_max);
}

static void append_numbers(uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "%s%u", i > 0 ? ", " : "", i + 1);
    }
}

void prove_append_drawing(struct places *places, const struct query *query, const char *scheme,
                          const struct prove_drawing *drawing, struct buffer *out)
{
    const struct buffer *condition = drawing->condition;
    append_select(places, query, scheme, drawing->wanted, drawing->wanted_count, condition, out);
    for (uint32_t i = 0; i < drawing->wanted_count; i++) {
        bool first = i == 0 && (condition == NULL || condition->length == 0);
        buffer_append_string(out, first ? " WHERE " : " AND ");
        append_place(places, drawing->wanted[i], scheme, out);
        buffer_append_string(out, " IS NOT NULL");
    }
    buffer_append_string(out, " GROUP BY ");
    append_numbers(drawing->wanted_count, out);
    if (drawing->rows_max > 0) {
        buffer_format(out, " HAVING count(*) <= %u ORDER BY count(*) DESC", drawing->rows_max);
    } else if (drawing->ordered) {
        buffer_append_string(out, " ORDER BY 1");
    }
    buffer_format(out, " LIMIT %u", drawing->values_max);
}

static enum status append_comparison(const struct places *places, uint32_t place,
                                     const char *scheme, const char *test,
                                     const struct prove_list *values, struct buffer *out,
                                     struct error *error)
{
    enum status status = STATUS_OK;
    bool several = values->count > 1;
    buffer_append_string(out, out->length > 0 ? " AND " : "");
    append_place(places, place, scheme, out);
    buffer_format(out, " %s ", several ? "IN (" : test);
    for (uint32_t i = 0; i < values->count && status == STATUS_OK; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        status = prove_append_literal(&values->cells[i], language_of(scheme), out, error);
    }
    buffer_append_string(out, several ? ")" : "");
    return status;
}

enum status prove_append_condition(struct places *places, const struct query *query,
                                   const char *scheme, const struct prove_given *given,
                                   struct buffer *out, struct error *error)
{
    for (uint32_t i = 0; i < given->count; i++) {
        if (append_comparison(places, given->places[i], scheme, "=", &given->values[i], out,
                              error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (given->low == NULL) {
        return STATUS_OK;
    }
    const struct prove_list low = {given->low, 1};
    const struct prove_list high = {given->high, 1};
    const char *low_test = query_low_test(query);
    const char *high_test = query_high_test(query);
    if (low_test != NULL &&
        append_comparison(places, query->range, scheme, low_test, &low, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return high_test == NULL
               ? STATUS_OK
               : append_comparison(places, query->range, scheme, high_test, &high, out, error);
}
