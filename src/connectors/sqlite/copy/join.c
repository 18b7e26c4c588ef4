/*
 * Joins of a request: resolved against the catalogue, and written so that they compare as SQLite's
 * own
 * "=" does, keep the order of the root, and need no work per parent row beyond an index.
 *
 * The side left of the "=" says the collation: for a look-up it is the table looked up; going down
 * from a table it is the parent, as for SQLite's own foreign keys; from a view or a query, whose
 * collations are not known, it is the child.
 */
#include "connectors/sql/request.h"
#include "connectors/sqlite/source.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum status join_append_column(struct buffer *sql, const char *alias,
                               const struct catalog_table *table, const char *name,
                               struct error *error)
{
    int32_t position = table != NULL ? catalog_find_column(table, name) : -1;

    if (table == NULL || position >= 0) {
        sqlite_append(sql, "%s.%n", alias,
                      position >= 0 ? table->schema->columns[position].name : name);
        return STATUS_OK;
    }
    if (catalog_is_row_key(table, name)) {
        buffer_format(sql, "%s.%s", alias, table->schema->row_key);
        return STATUS_OK;
    }
    return sql_no_such_column(table->schema, name, table->schema->name, error);
}

/* ---------------------------------------------------------------- resolving */

static bool is_numeric(char affinity)
{
    return affinity == 'I' || affinity == 'R' || affinity == 'N';
}

static enum status column_affinity(const struct catalog_table *table, const char *name,
                                   int32_t *position, char *affinity, struct error *error)
{
    struct buffer ignored = {0};
    enum status status = join_append_column(&ignored, "t", table, name, error);
    buffer_free(&ignored);
    *position = catalog_find_column(table, name);
    *affinity = *position >= 0 ? table->columns[*position].read.affinity : 'I';
    if (*position >= 0 && table->schema->kind != SCHEMA_TABLE &&
        table->schema->columns[*position].type.native[0] == '\0') {
        *affinity = 'U'; /* an expression: it may have one or none */
    }
    return status;
}

static enum status query_affinity(sqlite3 *connection, const struct read_request *request,
                                  const char *name, struct arena *arena, char *affinity,
                                  struct error *error)
{
    struct schema_table described;
    if (query_describe_on(connection, request->query, arena, &described, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int position = schema_find_column(&described, name);
    if (position < 0) {
        return error_set(error, ERROR_PLAN_INVALID, request->name, "the query has no column %s",
                         name);
    }
    const char *native = described.columns[position].type.native;
    *affinity = native[0] != '\0' ? sqlite_column_type_of(native, false).affinity : 'U';
    return STATUS_OK;
}

/* True if the comparison may convert the joined table's value first, so that its indexes say
 * nothing. */
static bool converts_table_side(const struct join_part *part)
{
    return (is_numeric(part->from_affinity) || part->from_affinity == 'U') &&
           !is_numeric(part->affinity);
}

static bool is_unique(const struct read_join *join, const struct join_facts *facts)
{
    const struct catalog_table *table = facts->table;

    for (uint32_t i = 0; i < facts->part_count; i++) {
        if (converts_table_side(&facts->parts[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < facts->part_count; i++) {
        if (facts->parts[i].column < 0 || facts->parts[i].column == table->rowid_column) {
            return table->schema->kind == SCHEMA_TABLE;
        }
    }
    for (uint32_t n = 0; n < table->index_count; n++) {
        const struct catalog_index *index = &table->indexes[n];
        uint32_t met = 0;
        for (uint32_t c = 0; c < index->count && index->unique && !index->partial; c++) {
            for (uint32_t i = 0; i < join->columns.count; i++) {
                if (index->columns[c] != NULL &&
                    sqlite3_stricmp(index->columns[c], join->columns.names[i]) == 0 &&
                    sqlite3_stricmp(index->collations[c], facts->parts[i].collation) == 0) {
                    met++;
                    break;
                }
            }
        }
        if (index->count > 0 && met == index->count) {
            return true;
        }
    }
    return false;
}

/* The affinity of a stored key with which comparing it is comparing the column: a number on either
 * side makes numbers of the other (datatype3.html, 4.2); two columns without numbers are compared
 * as is. */
static char key_affinity(const struct join_part *part)
{
    return is_numeric(part->from_affinity) || is_numeric(part->affinity) ? 'N' : part->affinity;
}

static enum status resolve_parts(const struct read_request *request, const struct read_join *join,
                                 sqlite3 *connection, struct arena *arena, struct join_facts *facts,
                                 struct error *error)
{
    struct buffer signature = {0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < join->columns.count && status == STATUS_OK; i++) {
        struct join_part *part = &facts->parts[i];
        const char *from_name = join->from_columns.names[i];
        part->from_column = -1;
        status = facts->from != NULL ? column_affinity(facts->from, from_name, &part->from_column,
                                                       &part->from_affinity, error)
                                     : query_affinity(connection, request, from_name, arena,
                                                      &part->from_affinity, error);
        if (status == STATUS_OK) {
            status = column_affinity(facts->table, join->columns.names[i], &part->column,
                                     &part->affinity, error);
        }
        bool from_is_table = facts->from != NULL && facts->from->schema->kind == SCHEMA_TABLE;
        part->from_first = join->many && from_is_table;
        const struct catalog_table *left = part->from_first ? facts->from : facts->table;
        int32_t column = part->from_first ? part->from_column : part->column;
        part->collation = column >= 0 ? left->columns[column].collation : "BINARY";
        buffer_format(&signature, "%c:%s;", key_affinity(part), part->collation);
    }
    facts->signature = sql_text(arena, &signature);
    return status;
}

enum status join_resolve(struct sqlite_database *self, const struct read_request *request,
                         sqlite3 *connection, struct arena *arena, struct join_facts **joins,
                         struct error *error)
{
    const struct catalog *catalog = NULL;
    const struct catalog_table *root = NULL;

    *joins = arena_allocate_zeroed(arena, request->join_count + 1, sizeof **joins);
    if (catalog_get(self, &catalog, error) != STATUS_OK ||
        request_root(self, request, &root, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        const struct read_join *join = &request->joins[i];
        struct join_facts *facts = &(*joins)[i];
        if (join->from >= (int32_t)i || join->columns.count == 0 ||
            join->columns.count != join->from_columns.count) {
            return error_set(error, ERROR_INTERNAL, request->name, "join %u is malformed", i);
        }
        facts->table = catalog_find(catalog, join->table);
        if (facts->table == NULL) {
            return error_set(error, ERROR_PLAN_INVALID, join->table, "there is no such table");
        }
        facts->from = join->from < 0 ? root : (*joins)[join->from].table;
        facts->part_count = join->columns.count;
        facts->parts = arena_allocate_zeroed(arena, facts->part_count, sizeof *facts->parts);
        if (resolve_parts(request, join, connection, arena, facts, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        facts->unique = is_unique(join, facts);
        facts->spill =
            spill_find(self->source, facts->table->schema->name, join->columns, facts->signature);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- row keys */

uint32_t join_row_key_count(const struct catalog_table *table)
{
    return table->schema->row_key != NULL ? 1 : table->key_count;
}

bool join_append_row_key(struct buffer *sql, const struct catalog_table *table, const char *alias,
                         const char *separator)
{
    if (table->schema->row_key != NULL) {
        buffer_format(sql, "%s%s.%s", separator, alias, table->schema->row_key);
        return true;
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        buffer_append_string(sql, i == 0 ? separator : ", ");
        catalog_append_key_part(sql, table, i, alias);
    }
    return table->key_count > 0;
}

const char *join_key_direction(const struct catalog_table *table, uint32_t part)
{
    return table->schema->row_key == NULL && table->key[part].descending ? " DESC" : "";
}

void join_append_order(struct buffer *sql, const struct catalog_table *table, const char *alias,
                       bool of_list, const char *separator)
{
    for (uint32_t i = 0; i < join_row_key_count(table); i++) {
        buffer_append_string(sql, i == 0 ? separator : ", ");
        if (of_list) {
            buffer_format(sql, "%s.r%u", alias, i);
        } else if (table->schema->row_key != NULL) {
            buffer_format(sql, "%s.%s", alias, table->schema->row_key);
        } else {
            catalog_append_key_part(sql, table, i, alias);
        }
        buffer_append_string(sql, join_key_direction(table, i));
    }
}

/* ---------------------------------------------------------------- writing */

struct join_writer {
    struct buffer *sql;
    const struct read_join *join;
    const struct join_facts *facts;
    const char *schema;
    char from[16]; /* aliases */
    char table[16];
    char list[16]; /* of the spill, or of the table inside a subquery */
    struct error *error;
};

static void append_table(struct join_writer *writer, const char *alias)
{
    sqlite_append(writer->sql, "%s.%n AS %s", writer->schema, writer->facts->table->schema->name,
                  alias);
}

static void append_spill(struct join_writer *writer)
{
    buffer_format(writer->sql, "spill.s%u AS %s", writer->facts->spill->number, writer->list);
}

/* "from = alias.column AND …"; `in_spill`: the columns of the sorted list. */
static enum status append_equals(struct join_writer *writer, const char *alias, bool in_spill)
{
    for (uint32_t i = 0; i < writer->facts->part_count; i++) {
        const struct join_part *part = &writer->facts->parts[i];
        buffer_append_string(writer->sql, i > 0 ? " AND " : "");
        for (int side = 0; side < 2; side++) {
            enum status status = STATUS_OK;
            buffer_append_string(writer->sql, side > 0 ? " = " : "");
            if ((side == 0) == part->from_first) {
                status = join_append_column(writer->sql, writer->from, writer->facts->from,
                                            writer->join->from_columns.names[i], writer->error);
            } else if (in_spill) {
                buffer_format(writer->sql, "%s.k%u", alias, i);
            } else {
                status = join_append_column(writer->sql, alias, writer->facts->table,
                                            writer->join->columns.names[i], writer->error);
            }
            if (status != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

static void append_spill_key(struct join_writer *writer, const char *separator)
{
    for (uint32_t i = 0; i < writer->facts->spill->row_key_count; i++) {
        buffer_format(writer->sql, "%s%s.r%u", i == 0 ? separator : ", ", writer->list, i);
    }
}

/* The row of the table that an entry of the sorted list names. */
static void append_by_spill(struct join_writer *writer)
{
    const struct catalog_table *table = writer->facts->table;
    for (uint32_t i = 0; i < writer->facts->spill->row_key_count; i++) {
        buffer_append_string(writer->sql, i > 0 ? " AND " : "");
        if (table->schema->row_key != NULL) {
            buffer_format(writer->sql, "%s.%s", writer->table, table->schema->row_key);
        } else {
            catalog_append_key_part(writer->sql, table, i, writer->table);
        }
        buffer_format(writer->sql, " = %s.r%u", writer->list, i);
    }
}

static enum status append_down(struct join_writer *writer)
{
    buffer_append_string(writer->sql, " CROSS JOIN ");
    if (writer->facts->spill == NULL) {
        append_table(writer, writer->table);
        buffer_append_string(writer->sql, " ON ");
        return append_equals(writer, writer->table, false);
    }
    append_spill(writer);
    buffer_append_string(writer->sql, " ON ");
    if (append_equals(writer, writer->list, true) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(writer->sql, " CROSS JOIN ");
    append_table(writer, writer->table);
    buffer_append_string(writer->sql, " ON ");
    append_by_spill(writer);
    return STATUS_OK;
}

/* The first partner by row key: "(key) = (SELECT key … LIMIT 1)". */
static enum status append_first_by_key(struct join_writer *writer)
{
    const struct catalog_table *table = writer->facts->table;
    bool spilled = writer->facts->spill != NULL;

    buffer_append_string(writer->sql, " LEFT JOIN ");
    append_table(writer, writer->table);
    buffer_append_string(writer->sql, " ON ");
    join_append_row_key(writer->sql, table, writer->table, "(");
    buffer_append_string(writer->sql, ") = (SELECT");
    if (spilled) {
        append_spill_key(writer, " ");
    } else {
        join_append_row_key(writer->sql, table, writer->list, " ");
    }
    buffer_append_string(writer->sql, " FROM ");
    if (spilled) {
        append_spill(writer);
    } else {
        append_table(writer, writer->list);
    }
    buffer_append_string(writer->sql, " WHERE ");
    enum status status = append_equals(writer, writer->list, spilled);
    join_append_order(writer->sql, table, writer->list, spilled, " ORDER BY ");
    buffer_append_string(writer->sql, " LIMIT 1)");
    return status;
}

/* The partners in a view or another thing without a row key: numbered once, the first of each kept.
 */
static enum status append_first_by_window(struct join_writer *writer)
{
    const struct catalog_table *table = writer->facts->table;

    buffer_append_string(writer->sql, " LEFT JOIN (SELECT *, row_number() OVER (PARTITION BY ");
    for (uint32_t i = 0; i < writer->join->columns.count; i++) {
        buffer_append_string(writer->sql, i > 0 ? ", " : "");
        if (join_append_column(writer->sql, writer->list, table, writer->join->columns.names[i],
                               writer->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        sqlite_append(writer->sql, "%s%s.%n", i > 0 ? ", " : " ORDER BY ", writer->list,
                      table->schema->columns[i].name);
    }
    buffer_append_string(writer->sql, ") AS _transhume_number FROM ");
    append_table(writer, writer->list);
    buffer_format(writer->sql, ") AS %s ON %s._transhume_number = 1 AND ", writer->table,
                  writer->table);
    return append_equals(writer, writer->table, false);
}

enum status join_append(struct buffer *sql, const struct read_request *request, uint32_t index,
                        const struct join_facts *joins, const char *schema, struct error *error)
{
    struct join_writer writer = {
        .sql = sql,
        .join = &request->joins[index],
        .facts = &joins[index],
        .schema = schema,
        .error = error,
    };

    snprintf(writer.from, sizeof writer.from, "_t%d", writer.join->from + 1);
    snprintf(writer.table, sizeof writer.table, "_t%u", index + 1);
    snprintf(writer.list, sizeof writer.list, "_x%u", index + 1);
    if (writer.join->many) {
        return append_down(&writer);
    }
    if (writer.facts->unique) {
        buffer_append_string(sql, " LEFT JOIN ");
        append_table(&writer, writer.table);
        buffer_append_string(sql, " ON ");
        return append_equals(&writer, writer.table, false);
    }
    return join_row_key_count(writer.facts->table) > 0 ? append_first_by_key(&writer)
                                                       : append_first_by_window(&writer);
}

const struct spill *spill_find(const struct sqlite_source *source, const char *table,
                               struct column_list columns, const char *signature)
{
    for (const struct spill *spill = source->spills; spill != NULL; spill = spill->next) {
        bool same = strcmp(spill->table, table) == 0 && spill->columns.count == columns.count &&
                    strcmp(spill->signature, signature) == 0;
        for (uint32_t i = 0; same && i < columns.count; i++) {
            same = sqlite3_stricmp(spill->columns.names[i], columns.names[i]) == 0;
        }
        if (same) {
            return spill;
        }
    }
    return NULL;
}
