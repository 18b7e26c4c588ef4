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

uint32_t prove_given_places(const struct places *places, const struct query *query,
                            struct arena *arena, const uint32_t **list)
{
    uint32_t *found =
        arena_allocate_zeroed(arena, query->equal.count + query->in_count + 2u, sizeof(*found));
    uint32_t count = 0;
    (void)places;
    for (uint32_t i = 0; i < query->equal.count; i++) {
        found[count++] = query->equal.at[i];
    }
    for (uint32_t i = 0; i < query->in_count; i++) {
        found[count++] = query->in[i].place;
    }
    if (query->range != GRAPH_NONE) {
        found[count++] = query->range;
    }
    *list = found;
    return count;
}

void prove_append_sql(struct places *places, const struct query *query, const char *scheme,
                      const uint32_t *wanted, uint32_t wanted_count, const struct buffer *condition,
                      struct buffer *out)
{
    struct arena *scratch = arena_create(0);
    struct joins joins = {.places = places, .scheme = scheme, .out = out};
    const uint32_t *given = NULL;
    uint32_t given_count = prove_given_places(places, query, scratch, &given);
    joins.joined = arena_allocate_zeroed(scratch, places->path_count + 1u, sizeof(uint32_t));
    buffer_append_string(out, condition == NULL ? "SELECT DISTINCT " : "SELECT ");
    for (uint32_t i = 0; i < wanted_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_place(places, wanted[i], scheme, out);
        buffer_format(out, " AS c%u", i);
    }
    buffer_append_string(out, " FROM ");
    append_table(places->graph->entities[query->root].name, scheme, out);
    buffer_format(out, " t%u", query->root);
    for (uint32_t i = 0; i < wanted_count + given_count; i++) {
        uint32_t place = i < wanted_count ? wanted[i] : given[i - wanted_count];
        join_path(&joins, places->list[place].path);
    }
    if (condition != NULL && condition->length > 0) {
        buffer_append_string(out, " WHERE ");
        buffer_append_buffer(out, condition);
    }
    for (uint32_t i = 0; condition == NULL && i < wanted_count; i++) {
        buffer_append_string(out, i == 0 ? " WHERE " : " AND ");
        append_place(places, wanted[i], scheme, out);
        buffer_append_string(out, " IS NOT NULL");
    }
    arena_destroy(scratch);
}

static enum status append_comparison(const struct places *places, uint32_t place,
                                     const char *scheme, const char *test, const struct cell *value,
                                     struct buffer *out, struct error *error)
{
    buffer_append_string(out, out->length > 0 ? " AND " : "");
    append_place(places, place, scheme, out);
    buffer_append_string(out, test);
    return prove_append_literal(value, language_of(scheme), out, error);
}

enum status prove_append_condition(struct places *places, const struct query *query,
                                   const char *scheme, const struct prove_given *given,
                                   struct buffer *out, struct error *error)
{
    for (uint32_t i = 0; i < given->count; i++) {
        if (append_comparison(places, given->places[i], scheme, " = ", &given->values[i], out,
                              error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (given->low == NULL) {
        return STATUS_OK;
    }
    if (append_comparison(places, query->range, scheme, " >= ", given->low, out, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return append_comparison(places, query->range, scheme, " <= ", given->high, out, error);
}
