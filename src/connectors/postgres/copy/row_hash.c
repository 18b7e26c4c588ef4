/*
 * Hashes of rows, made by the server: those of the values, each with the number of its column as
 * seed, by exclusive or. They come from the server's own hash functions where these tell any two
 * values of the type apart, else from texts that do: a float's two zeros, a numeric's digits and
 * texts by some collations hash alike.
 */
#include "connectors/postgres/source.h"
#include "connectors/sql/request.h"
#include <string.h>

enum { HASHES_SINCE = 110000, OID_BPCHAR = 1042, OID_USER_FIRST = 16384, VERSION_MAJOR = 10000 };

/* The value stands between the two, the seed behind. */
struct words {
    const char *before; /* NULL: none are known */
    const char *behind;
};

static const char by_text[] = "::pg_catalog.text COLLATE \"C\"";

static struct words words_of_text(const struct postgres_column *column)
{
    return column->type_oid == OID_BPCHAR
               ? (struct words){"hashtextextended(pg_catalog.encode(pg_catalog.bpcharsend(",
                                "), 'hex') COLLATE \"C\""}
               : (struct words){"hashtextextended(", by_text};
}

static struct words words_of(const struct postgres_column *column)
{
    switch (column->type.format) {
    case POSTGRES_AS_BOOL:
        return (struct words){"hashint4extended(", "::pg_catalog.int4"};
    case POSTGRES_AS_INT2:
        return (struct words){"hashint2extended(", ""};
    case POSTGRES_AS_INT4:
        return (struct words){"hashint4extended(", ""};
    case POSTGRES_AS_INT8:
        return (struct words){"hashint8extended(", ""};
    case POSTGRES_AS_OID:
        return (struct words){"hashoidextended(", ""};
    case POSTGRES_AS_FLOAT4:
    case POSTGRES_AS_FLOAT8: /* one of the zeros is -0 */
        return (struct words){"hashfloat8extended(", "::pg_catalog.float8"};
    case POSTGRES_AS_NUMERIC: /* of one scale, unless each value has its own */
        return column->type.type.precision > 0 ? (struct words){"hash_numeric_extended(", ""}
                                               : (struct words){"hashtextextended(", by_text};
    case POSTGRES_AS_BYTEA:
        return (struct words){"hashtextextended(pg_catalog.encode(", ", 'hex') COLLATE \"C\""};
    case POSTGRES_AS_TIME:
        return (struct words){"time_hash_extended(", ""};
    case POSTGRES_AS_TIMESTAMP:
        return (struct words){"timestamp_hash_extended(", ""};
    case POSTGRES_AS_TIMESTAMPTZ:
        return (struct words){"timestamp_hash_extended(", " AT TIME ZONE 'UTC'"};
    case POSTGRES_AS_UUID:
        return (struct words){"uuid_hash_extended(", ""};
    case POSTGRES_AS_TEXT:
        return words_of_text(column);
    case POSTGRES_AS_DATE:
    case POSTGRES_AS_JSON:
    case POSTGRES_AS_JSONB:
        return (struct words){"hashtextextended(", by_text};
    default:
        return (struct words){NULL, NULL};
    }
}

static bool is_float(const struct postgres_column *column)
{
    return column->type.format == POSTGRES_AS_FLOAT4 || column->type.format == POSTGRES_AS_FLOAT8;
}

/* COALESCE(hash(value, seed), seed) */
static void append_value(struct buffer *sql, const struct postgres_column *column, uint32_t seed)
{
    struct words words = words_of(column);
    buffer_append_string(sql, "COALESCE(");
    if (is_float(column)) {
        postgres_append(sql,
                        "CASE WHEN _t0.%n OPERATOR(pg_catalog.=) 0 THEN "
                        "pg_catalog.hashtextextended(_t0.%n::pg_catalog.text COLLATE \"C\", %u) "
                        "ELSE ",
                        column->name, column->name, seed);
    }
    const struct postgres_words text = postgres_cast_to_text(column);
    bool own = words.behind == by_text && column->text_before != NULL;
    postgres_append(sql, "pg_catalog.%s%s_t0.%n%s%s, %u)%s, %u)", words.before,
                    own ? text.before : "", column->name, own ? text.behind : words.behind,
                    own ? " COLLATE \"C\"" : "", seed, is_float(column) ? " END" : "", seed);
}

static const struct postgres_column *row_hash_find(const struct sql_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        if (strcmp(table->schema->columns[i].name, name) == 0) {
            return &postgres_facts_of(table)->columns[i];
        }
    }
    return NULL;
}

/* Their names were looked up by postgres_hashes. */
void postgres_append_row_hash(struct sql_request *request)
{
    const struct column_list *hashed = &request->asked->hashed;
    const struct sql_table *root = sql_request_table(request, -1);
    struct buffer *sql = &request->out->sql;
    for (uint32_t i = 0; i < hashed->count; i++) {
        const struct postgres_column *column = row_hash_find(root, hashed->names[i]);
        if (column != NULL && words_of(column).before != NULL) {
            buffer_append_string(sql, i > 0 ? " OPERATOR(pg_catalog.#) " : "");
            append_value(sql, column, i + 1);
        }
    }
}

/* The hashes that this very server makes of some values. */
static enum status row_hash_probe(struct postgres_database *self, struct buffer *out,
                                  struct error *error)
{
    static const char ask[] =
        "SELECT pg_catalog.concat_ws(' ', pg_catalog.hashint8extended(5000000000, 1), "
        "pg_catalog.hashint4extended(70000, 2), pg_catalog.hashtextextended('some text' COLLATE "
        "\"C\", 3), pg_catalog.hashfloat8extended(1.5, 4), pg_catalog.hash_numeric_extended(12.50, "
        "5), pg_catalog.timestamp_hash_extended('2024-02-29 12:34:56.5', 6), "
        "pg_catalog.uuid_hash_extended('123e4567-e89b-12d3-a456-426614174000', 7))";
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(self, self->control, ask, NULL, 0, SQL_SHORT,
                                                ERROR_SOURCE_READ, &result, error);
    if (status == STATUS_OK) {
        buffer_append_string(out, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

enum status postgres_hashes(struct database *database, const struct read_request *request,
                            const struct column_list *columns, struct buffer *out,
                            struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const char *encoding =
        self->control != NULL ? PQparameterStatus(self->control, "server_encoding") : NULL;
    struct sql_table table;
    if (request->table == NULL || encoding == NULL ||
        PQserverVersion(self->control) < HASHES_SINCE) {
        return STATUS_END;
    }
    if (sql_request_root(&self->sql, request, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(out, "hashes of %d, %s:", PQserverVersion(self->control) / VERSION_MAJOR,
                  encoding);
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct postgres_column *column = row_hash_find(&table, columns->names[i]);
        if (column == NULL || column->type_oid >= OID_USER_FIRST ||
            words_of(column).before == NULL) {
            return STATUS_END;
        }
        buffer_format(out, " %u(%d)", column->type_oid, column->modifier);
    }
    buffer_append_string(out, " ");
    return row_hash_probe(self, out, error);
}
