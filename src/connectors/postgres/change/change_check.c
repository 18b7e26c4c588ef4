/* Anything that a change can't carry is refused, or said, before anything is made. */
#include "connectors/postgres/change/change.h"
#include "postgres_sql.h"
#include <string.h>

enum status change_check_domain(struct compiler *compiler, const struct altered_table *table,
                                const struct change_value *at, const char *type,
                                struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {type};
    (void)at;
    if (table->oid == NULL) {
        return STATUS_OK;
    }
    if (change_query(
            compiler,
            "WITH RECURSIVE d(oid, base) AS (SELECT t.oid, t.typbasetype FROM "
            "pg_catalog.pg_type t WHERE t.oid = pg_catalog.to_regtype($1) AND t.typtype = "
            "'d' UNION ALL SELECT t.oid, t.typbasetype FROM d JOIN pg_catalog.pg_type t ON "
            "t.oid = d.base AND t.typtype = 'd') SELECT k.conname FROM d JOIN "
            "pg_catalog.pg_constraint k ON k.contypid = d.oid UNION ALL SELECT 'NOT NULL' "
            "FROM d JOIN pg_catalog.pg_type t ON t.oid = d.oid WHERE t.typnotnull LIMIT 1",
            values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool checked = PQntuples(result) > 0;
    if (checked) {
        change_refused(compiler, error,
                       "the domain %s has the constraint %s: to add a column of it PostgreSQL "
                       "rewrites %s, and shuts everybody out meanwhile",
                       type, PQgetvalue(result, 0, 0), table->name);
        (void)!error_hint(error, "Give the column the domain's base type and a check of its own.");
    }
    PQclear(result);
    return checked ? STATUS_FAILED : STATUS_OK;
}

enum status change_check_attached(struct compiler *compiler, const struct altered_table *table,
                                  const struct altered_column *column, struct error *error)
{
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    const char *number = arena_format(compiler->arena, "%d", column->number);
    const char *const values[] = {table->oid, number, compiler->old_views};
    if (column->number == 0) {
        return change_invalid(compiler, NULL, error, "%s is added by the same change",
                              column->name);
    }
    if (change_query(compiler, sql_change_attached, values, 3, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result) && status == STATUS_OK; row++) {
        const char *kind = PQgetvalue(result, row, 0);
        if (strcmp(kind, "other") == 0) {
            status = change_refused(compiler, error, "%s stands on %s.%s: drop it first",
                                    PQgetvalue(result, row, 1), table->name, column->name);
        } else if (strcmp(kind, "referred") == 0) {
            status = change_refused(
                compiler, error, "the foreign key %s of %s refers to %s.%s: drop it first",
                PQgetvalue(result, row, 1), PQgetvalue(result, row, 2), table->name, column->name);
        }
    }
    PQclear(result);
    return status;
}

enum status change_check_keys(struct compiler *compiler, const struct change_value *map,
                              const struct change_value *list, struct error *error)
{
    for (uint32_t i = 0; map != NULL && map->kind == CHANGE_MAP && i < map->count; i++) {
        bool known = false;
        for (uint32_t j = 0; list != NULL && j < list->count; j++) {
            known = known ||
                    (list->items[j].text != NULL && strcmp(list->items[j].text, map->keys[i]) == 0);
        }
        if (!known) {
            return change_invalid(compiler, &map->items[i], error, "%s is not one of its columns",
                                  map->keys[i]);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- columns that go elsewhere */

/* Constraints and indexes that touch some of the columns $2: kind, name, definition, do all of its
 * columns lie among these, its number of columns. */
static const char *const attached_to_columns =
    "WITH chosen AS (SELECT pg_catalog.array_agg(a.attnum) AS numbers FROM pg_catalog.pg_attribute "
    "a WHERE a.attrelid = $1::pg_catalog.oid AND a.attname = ANY ($2::text[])) SELECT k.contype, "
    "k.conname, pg_catalog.pg_get_constraintdef(k.oid), k.conkey <@ c.numbers, "
    "pg_catalog.cardinality(k.conkey) FROM chosen c JOIN pg_catalog.pg_constraint k ON k.conrelid "
    "= $1::pg_catalog.oid AND k.conkey && c.numbers AND k.contype IN ('c', 'f', 'p', 'u', 'x') "
    "UNION ALL SELECT 'i', i.name, i.definition, i.numbers <@ c.numbers, "
    "pg_catalog.cardinality(i.numbers) FROM chosen c JOIN (SELECT r.relname AS name, "
    "pg_catalog.pg_get_indexdef(x.indexrelid) AS definition, (SELECT "
    "pg_catalog.array_agg(d.refobjsubid::int2) FROM pg_catalog.pg_depend d WHERE d.classid = "
    "'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = x.indexrelid AND d.refobjid = "
    "x.indrelid AND d.refobjsubid > 0) AS numbers FROM pg_catalog.pg_index x JOIN "
    "pg_catalog.pg_class r ON r.oid = x.indexrelid WHERE x.indrelid = $1::pg_catalog.oid AND NOT "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid AND "
    "k.contype IN ('u', 'p', 'x'))) i ON i.numbers && c.numbers ORDER BY 2";

static const char *name_list(struct compiler *compiler, const char *const *columns, uint32_t count)
{
    struct buffer sql = {0};
    buffer_append_byte(&sql, '{');
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(&sql, i > 0 ? ",\"" : "\"");
        for (const char *text = columns[i]; *text != '\0'; text++) {
            if (*text == '"' || *text == '\\') {
                buffer_append_byte(&sql, '\\');
            }
            buffer_append_byte(&sql, *text);
        }
        buffer_append_byte(&sql, '"');
    }
    buffer_append_byte(&sql, '}');
    return change_text_of(compiler, &sql);
}

static void carry(PGresult *result, int row, const char *part, struct buffer *sql)
{
    const char *definition = PQgetvalue(result, row, 2);
    if (PQgetvalue(result, row, 0)[0] != 'i') {
        buffer_format(sql, "ALTER TABLE %s ADD %s;\n", part, definition);
        return;
    }
    bool unique = strncmp(definition, "CREATE UNIQUE ", strlen("CREATE UNIQUE ")) == 0;
    const char *using = strstr(definition, " USING ");
    buffer_format(sql, "CREATE %sINDEX ON %s%s;\n", unique ? "UNIQUE " : "", part,
                  using != NULL ? using : "");
}

enum status change_carry_attached(struct compiler *compiler, const struct altered_table *table,
                                  const char *const *columns, uint32_t count, const char *part,
                                  const char *ignored, struct buffer *sql, struct error *error)
{
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    const char *const values[] = {table->oid, name_list(compiler, columns, count)};
    if (change_query(compiler, attached_to_columns, values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result) && status == STATUS_OK; row++) {
        const char *kind = PQgetvalue(result, row, 0);
        const char *name = PQgetvalue(result, row, 1);
        bool single = strcmp(PQgetvalue(result, row, 4), "1") == 0;
        bool alone = PQgetvalue(result, row, 3)[0] == 't';
        if (change_is_gone(compiler, name) || (single && strchr(ignored, kind[0]) != NULL)) {
            continue;
        }
        if (part != NULL && alone && strchr("cfiu", kind[0]) != NULL) {
            carry(result, row, part, sql);
            continue;
        }
        status = change_refused(compiler, error,
                                "%s %s of %s would be gone with the columns that leave the table",
                                kind[0] == 'i' ? "the index" : "the constraint", name, table->name);
        (void)!error_hint(error, "Drop it by an operation in front of this one, and make what the "
                                 "new version needs behind it.");
    }
    PQclear(result);
    return status;
}

/* ---------------------------------------------------------------- a second table */

enum status change_check_copy(struct compiler *compiler, const struct altered_table *table,
                              bool drop, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid, drop ? "t" : "f"};
    if (change_query(
            compiler,
            "SELECT 'row security' FROM pg_catalog.pg_class c WHERE c.oid = $1::pg_catalog.oid AND "
            "(c.relrowsecurity OR EXISTS (SELECT 1 FROM pg_catalog.pg_policy p WHERE p.polrelid = "
            "c.oid)) UNION ALL SELECT 'the trigger ' || t.tgname FROM pg_catalog.pg_trigger t WHERE "
            "t.tgrelid = $1::pg_catalog.oid AND NOT t.tgisinternal UNION ALL SELECT 'the rule ' || "
            "r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = $1::pg_catalog.oid UNION "
            "ALL SELECT 'the foreign key ' || k.conname || ' to itself' FROM "
            "pg_catalog.pg_constraint k WHERE k.conrelid = $1::pg_catalog.oid AND k.confrelid = "
            "k.conrelid UNION ALL SELECT 'a place in the publication ' || p.pubname FROM "
            "pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid "
            "WHERE r.prrelid = $1::pg_catalog.oid AND $2::boolean UNION ALL SELECT 'the identity ' || "
            "a.attname || ', whose numbers two tables would give twice, and' FROM "
            "pg_catalog.pg_attribute a WHERE a.attrelid = $1::pg_catalog.oid AND a.attidentity <> "
            "'' LIMIT 1",
            values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool lacks = PQntuples(result) > 0;
    if (lacks) {
        change_refused(compiler, error, "%s has %s, which a second table would not have",
                       table->name, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return lacks ? error_hint(error, "Drop it first, and make it for the second table; or change "
                                     "columns in place by alter_column.")
                 : STATUS_OK;
}

/* ---------------------------------------------------------------- for people */

enum status change_warn_of(struct compiler *compiler, const struct altered_table *table,
                           struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid};
    if (change_query(
            compiler,
            "SELECT (SELECT pg_catalog.string_agg(t.tgname, ', ' ORDER BY t.tgname) FROM "
            "pg_catalog.pg_trigger t WHERE t.tgrelid = $1::pg_catalog.oid AND NOT t.tgisinternal "
            "AND (t.tgtype & 16) <> 0 AND t.tgenabled <> 'D'), (SELECT "
            "pg_catalog.string_agg(p.pubname, ', ' ORDER BY p.pubname) FROM "
            "pg_catalog.pg_publication p WHERE p.puballtables OR EXISTS (SELECT 1 FROM "
            "pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = "
            "$1::pg_catalog.oid))",
            values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *triggers = change_cell(compiler, result, 0, 0);
    const char *publications = change_cell(compiler, result, 0, 1);
    PQclear(result);
    if (triggers != NULL) {
        change_way_add(
            compiler, arena_format(compiler->arena, "rows of %s are filled by UPDATE", table->name),
            arena_format(compiler->arena, "its triggers fire for each of them: %s", triggers));
    }
    if (publications != NULL) {
        change_way_add(
            compiler,
            arena_format(compiler->arena, "%s is in the publication %s", table->name, publications),
            "its subscribers stop until they have the new columns, too");
    }
    return STATUS_OK;
}
