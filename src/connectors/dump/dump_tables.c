/* The tables of a dump: what its DDL makes of them, and which rows are whose. */
#include "connectors/dump/dump.h"
#include "sql/ddl.h"
#include <string.h>
#include <strings.h>

enum { PARTITIONS_DEEP = 32 };

/* ---------------------------------------------------------------- the schema */

static uint32_t script_line(const struct dump_ddl *ddl, uint32_t line)
{
    const struct dump_ddl_line *lines = (const struct dump_ddl_line *)(const void *)ddl->lines.data;
    size_t low = 0;
    size_t high = ddl->lines.length / sizeof *lines;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lines[middle].line <= line) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? lines[low - 1].script_line + (line - lines[low - 1].line) : line;
}

static enum status read_schema(struct dump_database *self, struct dump_ddl *ddl,
                               struct error *error)
{
    struct dump_inventory *inventory = &self->inventory;
    struct sql_ddl_report report;
    sql_ddl_read(inventory->language, buffer_string(&ddl->text), ddl->text.length, inventory->arena,
                 &inventory->schema, &report);
    if (report.findings.count == 0) {
        return STATUS_OK;
    }
    const struct finding *first = &report.findings.first[0];
    error_set(error, ERROR_SOURCE_INVALID, dump_place(self, script_line(ddl, first->line)).text,
              "%s%s", first->what, report.findings.count > 1 ? " (and more behind it)" : "");
    return error_hint(error,
                      "the statement is not understood: take it out of the dump if the table "
                      "can do without it");
}

/* ---------------------------------------------------------------- shadows of virtual tables */

static bool is_shadow_of(const char *name, const char *virtual_name)
{
    static const char *const ends[] = {"_data",   "_idx",      "_content", "_docsize",
                                       "_config", "_segments", "_segdir",  "_stat",
                                       "_node",   "_rowid",    "_parent"};
    size_t length = strlen(virtual_name);
    if (strncasecmp(name, virtual_name, length) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(name + length, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_shadow(const struct dump_ddl *ddl, const char *name)
{
    const struct schema_object *left = (const struct schema_object *)(const void *)ddl->left.data;
    for (size_t i = 0; i < ddl->left.length / sizeof *left; i++) {
        if (strcmp(schema_object_word(&left[i]), "virtual table") == 0 &&
            is_shadow_of(name, left[i].name)) {
            return true;
        }
    }
    return false;
}

static void drop_shadows(struct dump_inventory *inventory, const struct dump_ddl *ddl)
{
    struct schema_table *tables = (struct schema_table *)inventory->schema.tables;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < inventory->schema.table_count; i++) {
        if (!is_shadow(ddl, tables[i].name)) {
            tables[kept++] = tables[i];
        }
    }
    inventory->schema.table_count = kept;
}

/* ---------------------------------------------------------------- generated columns */

static bool holds_any(struct column_list list, struct column_list of)
{
    for (uint32_t i = 0; i < list.count; i++) {
        if (column_list_holds(of, list.names[i])) {
            return true;
        }
    }
    return false;
}

static struct column_list names_of(struct arena *arena, const struct schema_table *table,
                                   bool generated, bool others)
{
    const char **names =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *names);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool is = table->columns[i].generated != GENERATED_NO;
        if (is ? generated : others) {
            names[count++] = table->columns[i].name;
        }
    }
    return (struct column_list){names, count};
}

static void drop_parts(struct schema_table *table, struct column_list gone)
{
    struct schema_index *indexes = (struct schema_index *)table->indexes;
    struct schema_foreign_key *keys = (struct schema_foreign_key *)table->foreign_keys;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!holds_any(indexes[i].columns, gone)) {
            indexes[kept++] = indexes[i];
        }
    }
    table->index_count = kept;
    kept = 0;
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        if (!holds_any(keys[i].columns, gone)) {
            keys[kept++] = keys[i];
        }
    }
    table->foreign_key_count = kept;
    if (holds_any(table->primary_key, gone)) {
        table->primary_key = (struct column_list){0};
    }
}

/* Their values are in no dump, and the expressions are in the database's own SQL. */
static void drop_generated(struct dump_database *self, struct dump_ddl *ddl,
                           struct schema_table *table, struct dump_stream *stream)
{
    struct arena *arena = self->inventory.arena;
    struct schema_column *columns = (struct schema_column *)table->columns;
    struct column_list gone = names_of(arena, table, true, false);
    uint32_t kept = 0;
    stream->columns = names_of(arena, table, true, true);
    stream->stored = names_of(arena, table, false, true);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (columns[i].generated == GENERATED_NO) {
            columns[kept++] = columns[i];
            continue;
        }
        dump_ddl_leave(self, ddl, SCHEMA_OBJECT_OTHER, "generated column",
                       arena_format(arena, "%s.%s", table->name, columns[i].name),
                       "a dump does not hold its values");
    }
    table->column_count = kept;
    if (gone.count > 0) {
        drop_parts(table, gone);
    }
}

/* ---------------------------------------------------------------- columns that rows say */

int32_t dump_find_name(struct column_list columns, const char *name)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (strcmp(columns.names[i], name) == 0) {
            return (int32_t)i;
        }
    }
    for (uint32_t i = 0; i < columns.count; i++) {
        if (strcasecmp(columns.names[i], name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* Every column of the header is one of the table, and none is there twice. */
static enum status check_header(const struct dump_database *self, const struct dump_header *header,
                                uint32_t owner, struct error *error)
{
    const struct dump_stream *stream = &self->inventory.streams[owner];
    for (uint32_t i = 0; i < header->columns.count; i++) {
        const char *name = header->columns.names[i];
        if (dump_find_name(stream->columns, name) < 0 ||
            dump_find_name(header->columns, name) < (int32_t)i) {
            error_set(error, ERROR_SOURCE_INVALID, dump_place(self, header->line).text,
                      "the table %s has no column %s, or the rows say it twice",
                      self->inventory.schema.tables[owner].name, name);
            return error_hint(error, "the dump is damaged, or its schema is not that of its rows");
        }
    }
    return STATUS_OK;
}

static enum status check_headers(const struct dump_database *self, const int32_t *owners,
                                 struct error *error)
{
    const struct dump_inventory *inventory = &self->inventory;
    for (uint32_t i = 0; i < inventory->headers.length / sizeof(struct dump_header); i++) {
        const struct dump_header *header = dump_header_at(inventory, i);
        int32_t owner = owners[header->table];
        if (owner >= 0 && check_header(self, header, (uint32_t)owner, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- whose rows they are */

static const char *parent_of(const struct dump_ddl *ddl, const char *name)
{
    const struct dump_partition *partitions =
        (const struct dump_partition *)(const void *)ddl->partitions.data;
    for (size_t i = 0; i < ddl->partitions.length / sizeof *partitions; i++) {
        if (strcmp(partitions[i].child, name) == 0) {
            return partitions[i].parent;
        }
    }
    return NULL;
}

static int32_t find_plain(const struct dump_inventory *inventory, const char *name)
{
    const struct schema *schema = &inventory->schema;
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (strcmp(schema->tables[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    for (uint32_t i = 0; inventory->language != SQL_POSTGRES && i < schema->table_count; i++) {
        if (strcasecmp(schema->tables[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* The table of the schema; -1: there is none. */
static int32_t find_owner(const struct dump_inventory *inventory, const struct dump_ddl *ddl,
                          const struct dump_table *table)
{
    const char *full = table->space != NULL
                           ? arena_format(inventory->arena, "%s.%s", table->space, table->name)
                           : table->name;
    for (uint32_t step = 0; step < PARTITIONS_DEEP; step++) {
        const char *parent = parent_of(ddl, full);
        if (parent == NULL) {
            break;
        }
        full = parent;
    }
    int32_t found = find_plain(inventory, full);
    const char *dot = strchr(full, '.');
    return found < 0 && dot != NULL ? find_plain(inventory, dot + 1) : found;
}

static bool is_own(const struct dump_inventory *inventory, const struct dump_ddl *ddl,
                   const char *name)
{
    return inventory->language == SQL_SQLITE &&
           (strncasecmp(name, "sqlite_", 7) == 0 || is_shadow(ddl, name));
}

static enum status find_owners(struct dump_database *self, const struct dump_ddl *ddl,
                               int32_t *owners, uint32_t *counts, struct error *error)
{
    const struct dump_table *tables =
        (const struct dump_table *)(const void *)self->inventory.tables.data;
    for (size_t i = 0; i < self->inventory.tables.length / sizeof *tables; i++) {
        owners[i] = find_owner(&self->inventory, ddl, &tables[i]);
        if (owners[i] >= 0) {
            counts[owners[i]] +=
                (uint32_t)(tables[i].segments.length / sizeof(struct dump_segment));
        } else if (!is_own(&self->inventory, ddl, tables[i].name) &&
                   tables[i].segments.length > 0) {
            error_set(error, ERROR_SOURCE_INVALID, dump_place(self, tables[i].line).text,
                      "rows of %s, a table that the dump does not make", tables[i].name);
            return error_hint(error,
                              "dump the schema along with the rows, without --data-only, -t or "
                              "--no-create-info");
        }
    }
    return STATUS_OK;
}

static void add_segments(struct dump_stream *stream, struct dump_segment *to,
                         const struct dump_table *table)
{
    const struct dump_segment *segments =
        (const struct dump_segment *)(const void *)table->segments.data;
    for (size_t i = 0; i < table->segments.length / sizeof *segments; i++) {
        to[stream->segment_count++] = segments[i];
        stream->rows += segments[i].rows;
        stream->bytes += segments[i].end - segments[i].begin;
    }
    stream->segments = to;
}

static enum status share_rows(struct dump_database *self, const struct dump_ddl *ddl,
                              struct error *error)
{
    struct dump_inventory *inventory = &self->inventory;
    const struct dump_table *tables =
        (const struct dump_table *)(const void *)inventory->tables.data;
    size_t table_count = inventory->tables.length / sizeof *tables;
    uint32_t stream_count = inventory->schema.table_count;
    int32_t *owners = arena_allocate_zeroed(inventory->arena, table_count + 1, sizeof *owners);
    uint32_t *counts =
        arena_allocate_zeroed(inventory->arena, (size_t)stream_count + 1, sizeof *counts);
    struct dump_segment **lists =
        arena_allocate_zeroed(inventory->arena, (size_t)stream_count + 1, sizeof *lists);
    if (find_owners(self, ddl, owners, counts, error) != STATUS_OK ||
        check_headers(self, owners, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < stream_count; i++) {
        lists[i] = arena_allocate_zeroed(inventory->arena, (size_t)counts[i] + 1, sizeof *lists[i]);
    }
    for (size_t i = 0; i < table_count; i++) {
        if (owners[i] >= 0) {
            add_segments(&inventory->streams[owners[i]], lists[owners[i]], &tables[i]);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- time zones */

/* mysqldump --skip-tz-utc writes moments as the clocks of a zone showed them that it does not say.
 */
static enum status check_zone(const struct dump_database *self, const struct schema_table *table,
                              const struct dump_stream *stream, struct error *error)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &table->columns[i];
        if (self->inventory.language != SQL_MYSQL || column->type.kind != VALUE_TIMESTAMP ||
            !column->type.zoned || stream->segment_count == 0) {
            continue;
        }
        const struct dump_header *header =
            dump_header_at(&self->inventory, stream->segments[0].header);
        if (!header->session.zone_known) {
            error_set(error, ERROR_SOURCE_INVALID, dump_place(self, header->line).text,
                      "the dump does not say of which time zone the timestamps in %s.%s are",
                      table->name, column->name);
            return error_hint(error, "dump without --skip-tz-utc, or say it: "
                                     "dump:FILE?time_zone=Europe/Paris");
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

enum status dump_tables_make(struct dump_database *self, struct dump_ddl *ddl, struct error *error)
{
    struct dump_inventory *inventory = &self->inventory;
    if (read_schema(self, ddl, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    drop_shadows(inventory, ddl);
    struct schema_table *tables = (struct schema_table *)inventory->schema.tables;
    uint32_t count = inventory->schema.table_count;
    inventory->streams =
        arena_allocate_zeroed(inventory->arena, (size_t)count + 1, sizeof *inventory->streams);
    for (uint32_t i = 0; i < count; i++) {
        drop_generated(self, ddl, &tables[i], &inventory->streams[i]);
    }
    enum status status = share_rows(self, ddl, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        tables[i].row_count = (int64_t)inventory->streams[i].rows;
        tables[i].size_bytes = (int64_t)inventory->streams[i].bytes;
        status = check_zone(self, &tables[i], &inventory->streams[i], error);
    }
    inventory->schema.objects = (const struct schema_object *)(const void *)arena_copy(
        inventory->arena, ddl->left.length > 0 ? ddl->left.data : "", ddl->left.length);
    inventory->schema.object_count = (uint32_t)(ddl->left.length / sizeof(struct schema_object));
    return status;
}

const struct schema_table *dump_tables_find(const struct dump_database *self, const char *name,
                                            const struct dump_stream **stream, struct error *error)
{
    const struct schema *schema = &self->inventory.schema;
    const struct schema_table *table = schema_find_table(schema, name);
    *stream = NULL;
    if (table == NULL) {
        error_set(error, ERROR_SOURCE_MISSING, name, "the dump makes no table of that name");
        error_hint(error, "`transhume init` lists its tables; names are case-sensitive");
        return NULL;
    }
    *stream = &self->inventory.streams[table - schema->tables];
    return table;
}
