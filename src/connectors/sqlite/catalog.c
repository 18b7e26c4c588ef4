/* The catalogue of a SQLite file: tables, columns, keys, indexes, foreign keys, and what cannot be
 * carried. */
#include "connectors/sql/default_text.h"
#include "connectors/sqlite/source.h"
#include <string.h>

/* ---------------------------------------------------------------- the queries, runnable by hand */

static const char tables_sql[] =
    "SELECT l.name, l.type, l.wr, l.strict, s.sql"
    " FROM pragma_table_list AS l"
    " LEFT JOIN main.sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view')"
    " WHERE l.schema = 'main' AND lower(l.name) NOT GLOB 'sqlite_*'"
    " AND lower(l.name) NOT GLOB '_transhume_*'"
    " ORDER BY l.type <> 'virtual', l.name COLLATE BINARY";

static const char columns_sql[] =
    "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')"
    " ORDER BY cid";

static const char indexes_sql[] =
    "SELECT l.name, l.\"unique\", l.origin, l.partial, s.sql FROM pragma_index_list(?1, 'main') AS l"
    " LEFT JOIN main.sqlite_schema AS s ON s.name = l.name AND s.type = 'index'"
    " ORDER BY l.seq DESC";

static const char index_columns_sql[] =
    "SELECT cid, name, \"desc\", coll FROM pragma_index_xinfo(?1, 'main') WHERE key = 1 ORDER BY seqno";

static const char foreign_keys_sql[] =
    "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete"
    " FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq";

static const char objects_sql[] =
    "SELECT type, name, tbl_name, sql FROM main.sqlite_schema"
    " WHERE type IN ('view', 'trigger') AND lower(name) NOT GLOB '_transhume_*'"
    " AND lower(tbl_name) NOT GLOB '_transhume_*' ORDER BY rowid";

static const char sequence_sql[] = "SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1";

enum {
    SQL_TABLES,
    SQL_COLUMNS,
    SQL_INDEXES,
    SQL_INDEX_COLUMNS,
    SQL_FOREIGN_KEYS,
    SQL_OBJECTS,
    SQL_COUNT
};

static const char *const queries[SQL_COUNT] = {
    [SQL_TABLES] = tables_sql,
    [SQL_COLUMNS] = columns_sql,
    [SQL_INDEXES] = indexes_sql,
    [SQL_INDEX_COLUMNS] = index_columns_sql,
    [SQL_FOREIGN_KEYS] = foreign_keys_sql,
    [SQL_OBJECTS] = objects_sql,
};

/* ---------------------------------------------------------------- the builder */

struct catalog_builder {
    struct sqlite_database *self;
    sqlite3 *connection;
    struct arena *arena;
    sqlite3_stmt *statements[SQL_COUNT];
    struct buffer tables;  /* struct schema_table */
    struct buffer facts;   /* struct catalog_table */
    struct buffer objects; /* struct schema_object */
    bool utf8;
    bool out_of_memory;
    struct error *error;
};

static enum status builder_fail(struct catalog_builder *builder, const char *name)
{
    struct sqlite_database *self = builder->self;
    sqlite_error(builder->connection, sqlite3_errcode(builder->connection), self->mode,
                 self->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID, self->shown,
                 "its catalogue can't be read", builder->error);
    if (name != NULL) {
        error_context(builder->error, "%s", name);
    }
    return STATUS_FAILED;
}

static const char *text_of(struct catalog_builder *builder, sqlite3_stmt *row, int column)
{
    const char *text = NULL;
    builder->out_of_memory |= !sqlite_text_of(row, column, &text);
    return text;
}

static const char *copy_text(struct catalog_builder *builder, sqlite3_stmt *row, int column)
{
    const char *text = text_of(builder, row, column);
    if (text == NULL) {
        return NULL;
    }
    const char *copy = arena_copy_string(builder->arena, text);
    builder->out_of_memory |= copy == NULL;
    return copy;
}

static void *copy_list(struct catalog_builder *builder, struct buffer *list)
{
    void *copy = arena_copy(builder->arena, list->data != NULL ? list->data : "", list->length);
    builder->out_of_memory |= copy == NULL || list->failed;
    buffer_free(list);
    return copy;
}

static sqlite3_stmt *ask(struct catalog_builder *builder, int query, const char *name)
{
    sqlite3_stmt *statement = builder->statements[query];
    sqlite3_reset(statement);
    builder->out_of_memory |= sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) != SQLITE_OK;
    return statement;
}

/* The action's words; NULL for none. */
static const char *copy_action(struct catalog_builder *builder, sqlite3_stmt *row, int column)
{
    const char *action = copy_text(builder, row, column);
    return action != NULL && strcmp(action, "NO ACTION") == 0 ? NULL : action;
}

/* ---------------------------------------------------------------- columns */

struct column_lists {
    struct buffer columns;   /* struct schema_column */
    struct buffer facts;     /* struct catalog_column */
    struct buffer key_parts; /* int32_t position in the primary key, 0 none */
};

static void add_column(struct catalog_builder *builder, sqlite3_stmt *row, const char *table,
                       bool is_table, bool strict, struct column_lists *lists)
{
    static const enum generated_kind generated[] = {GENERATED_NO, GENERATED_NO, GENERATED_VIRTUAL,
                                                    GENERATED_STORED};
    const char *collation = NULL;
    int hidden = sqlite3_column_int(row, 5);
    int32_t key_part = sqlite3_column_int(row, 4);
    struct catalog_column facts = {0};
    struct schema_column column = {
        .name = copy_text(builder, row, 0),
        .not_null = sqlite3_column_int(row, 2) != 0,
        .hidden = hidden == 1,
        .generated = generated[hidden & 3],
        .default_text = copy_text(builder, row, 3),
    };

    facts.read = sqlite_column_type_of(copy_text(builder, row, 1), strict);
    /* what SQLite computes may be of any type, in STRICT tables too */
    facts.read.type.dynamic = facts.read.type.dynamic || column.generated != GENERATED_NO;
    column.type = facts.read.type;
    facts.collation = "BINARY";
    if (is_table && column.name != NULL) {
        int result = sqlite3_table_column_metadata(builder->connection, "main", table, column.name,
                                                   NULL, &collation, NULL, NULL, NULL);
        builder->out_of_memory |= result == SQLITE_NOMEM;
        collation = result == SQLITE_OK ? collation : NULL;
    }
    if (collation != NULL && sqlite3_stricmp(collation, "BINARY") != 0) {
        column.collation = arena_copy_string(builder->arena, collation);
        builder->out_of_memory |= column.collation == NULL;
        facts.collation = column.collation;
    }
    builder->out_of_memory |=
        !sql_default_read(&column, SQL_BARE_TEXTS | SQL_CLOCK_TEXTS, builder->arena);
    buffer_append(&lists->columns, &column, sizeof column);
    buffer_append(&lists->facts, &facts, sizeof facts);
    buffer_append(&lists->key_parts, &key_part, sizeof key_part);
}

/* The primary key's names in the key's order. */
static struct column_list primary_key(struct catalog_builder *builder,
                                      const struct schema_column *columns, const int32_t *parts,
                                      uint32_t count)
{
    struct column_list key = {0};
    const char **names = arena_allocate_zeroed(builder->arena, count + 1, sizeof *names);
    if (names == NULL) {
        builder->out_of_memory = true;
        return key;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i] > 0 && (uint32_t)parts[i] <= count) {
            names[parts[i] - 1] = columns[i].name;
            key.count++;
        }
    }
    key.names = names;
    return key;
}

static enum status read_columns(struct catalog_builder *builder, struct schema_table *table,
                                struct catalog_table *facts, bool strict)
{
    struct column_lists lists = {0};
    sqlite3_stmt *row = ask(builder, SQL_COLUMNS, table->name);
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        add_column(builder, row, table->name, table->kind == SCHEMA_TABLE, strict, &lists);
    }
    sqlite3_reset(row);
    table->column_count = (uint32_t)(lists.columns.length / sizeof(struct schema_column));
    table->columns = copy_list(builder, &lists.columns);
    facts->columns = copy_list(builder, &lists.facts);
    builder->out_of_memory |= lists.key_parts.failed;
    if (!builder->out_of_memory && result == SQLITE_DONE) {
        table->primary_key =
            primary_key(builder, table->columns,
                        (const int32_t *)(const void *)lists.key_parts.data, table->column_count);
    }
    buffer_free(&lists.key_parts);
    return result == SQLITE_DONE ? STATUS_OK : builder_fail(builder, table->name);
}

/* ---------------------------------------------------------------- indexes */

static enum status read_index_columns(struct catalog_builder *builder, struct schema_index *index,
                                      struct catalog_index *facts, struct buffer *key)
{
    struct buffer shown = {0};
    struct buffer names = {0};
    struct buffer collations = {0};
    sqlite3_stmt *row = ask(builder, SQL_INDEX_COLUMNS, index->name);
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        int32_t position = sqlite3_column_int(row, 0);
        const char *name = position >= 0 ? copy_text(builder, row, 1) : NULL;
        const char *collation = copy_text(builder, row, 3);
        struct catalog_key_part part = {.column = (uint32_t)position,
                                        .descending = sqlite3_column_int(row, 2) != 0,
                                        .collation = collation != NULL ? collation : "BINARY"};
        const char *printed = name != NULL ? name : "";
        buffer_append(&names, &name, sizeof name);
        buffer_append(&shown, &printed, sizeof printed);
        buffer_append(&collations, &collation, sizeof collation);
        buffer_append(key, &part, sizeof part);
    }
    sqlite3_reset(row);
    facts->count = index->columns.count = (uint32_t)(names.length / sizeof(const char *));
    index->columns.names = copy_list(builder, &shown);
    facts->columns = copy_list(builder, &names);
    facts->collations = copy_list(builder, &collations);
    return result == SQLITE_DONE ? STATUS_OK : builder_fail(builder, index->name);
}

/* Comparing by it needs no function of an application. */
static bool is_built_in(const char *collation)
{
    return sqlite3_stricmp(collation, "BINARY") == 0 || sqlite3_stricmp(collation, "NOCASE") == 0 ||
           sqlite3_stricmp(collation, "RTRIM") == 0;
}

static void set_key(struct catalog_builder *builder, struct catalog_table *table,
                    struct buffer *key)
{
    const struct catalog_key_part *parts = (const struct catalog_key_part *)(const void *)key->data;
    if (key->failed) {
        builder->out_of_memory = true;
        return;
    }
    uint32_t count = (uint32_t)(key->length / sizeof *parts);

    for (uint32_t i = 0; i < count; i++) {
        if (!is_built_in(parts[i].collation)) {
            return;
        }
    }
    table->key_count = count;
    table->key = copy_list(builder, key);
}

static enum status add_index(struct catalog_builder *builder, sqlite3_stmt *row,
                             struct buffer *indexes, struct buffer *all_facts,
                             struct catalog_table *table, bool without_rowid)
{
    const char *origin = text_of(builder, row, 2);
    bool is_key = origin != NULL && strcmp(origin, "pk") == 0;
    struct buffer key = {0};
    struct catalog_index facts = {0};
    struct schema_index index = {
        .name = copy_text(builder, row, 0),
        .unique = sqlite3_column_int(row, 1) != 0,
        .partial = sqlite3_column_int(row, 3) != 0,
        .implied = origin == NULL || strcmp(origin, "c") != 0,
        .native_sql = copy_text(builder, row, 4),
    };

    facts.unique = index.unique;
    facts.partial = index.partial;
    if (index.name == NULL || read_index_columns(builder, &index, &facts, &key) != STATUS_OK) {
        buffer_free(&key);
        return STATUS_FAILED;
    }
    if (is_key && without_rowid) {
        set_key(builder, table, &key);
    }
    buffer_free(&key);
    buffer_append(indexes, &index, sizeof index);
    buffer_append(all_facts, &facts, sizeof facts);
    return STATUS_OK;
}

static enum status read_indexes(struct catalog_builder *builder, struct schema_table *table,
                                struct catalog_table *facts, bool without_rowid, bool *key_index)
{
    struct buffer indexes = {0};
    struct buffer all_facts = {0};
    sqlite3_stmt *row = ask(builder, SQL_INDEXES, table->name);
    enum status status = STATUS_OK;
    int result = SQLITE_DONE;

    *key_index = false;
    while (status == STATUS_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
        const char *origin = text_of(builder, row, 2);
        *key_index |= origin != NULL && strcmp(origin, "pk") == 0;
        status = add_index(builder, row, &indexes, &all_facts, facts, without_rowid);
    }
    sqlite3_reset(row);
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = builder_fail(builder, table->name);
    }
    table->index_count = (uint32_t)(indexes.length / sizeof(struct schema_index));
    facts->index_count = table->index_count;
    table->indexes = copy_list(builder, &indexes);
    facts->indexes = copy_list(builder, &all_facts);
    return status;
}

/* ---------------------------------------------------------------- foreign keys */

struct foreign_key_lists {
    struct buffer keys; /* struct schema_foreign_key */
    struct buffer from;
    struct buffer to;
    bool to_named;
};

static void finish_foreign_key(struct catalog_builder *builder, struct foreign_key_lists *lists)
{
    if (lists->keys.length == 0 || lists->keys.failed) {
        return;
    }
    struct schema_foreign_key *key =
        (struct schema_foreign_key *)(void *)(lists->keys.data + lists->keys.length - sizeof *key);
    key->columns.count = (uint32_t)(lists->from.length / sizeof(const char *));
    key->columns.names = copy_list(builder, &lists->from);
    key->referenced_columns.count = lists->to_named ? key->columns.count : 0;
    key->referenced_columns.names = copy_list(builder, &lists->to);
}

static enum status read_foreign_keys(struct catalog_builder *builder, struct schema_table *table,
                                     const struct create_facts *text)
{
    struct foreign_key_lists lists = {0};
    sqlite3_stmt *row = ask(builder, SQL_FOREIGN_KEYS, table->name);
    int last = -1;
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        if (sqlite3_column_int(row, 0) != last) {
            finish_foreign_key(builder, &lists);
            last = sqlite3_column_int(row, 0);
            lists.to_named = true;
            struct schema_foreign_key key = {
                .references = copy_text(builder, row, 1),
                .on_update = copy_action(builder, row, 4),
                .on_delete = copy_action(builder, row, 5),
            };
            buffer_append(&lists.keys, &key, sizeof key);
        }
        const char *from = copy_text(builder, row, 2);
        const char *to = copy_text(builder, row, 3);
        lists.to_named &= to != NULL;
        buffer_append(&lists.from, &from, sizeof from);
        buffer_append(&lists.to, &to, sizeof to);
    }
    sqlite3_reset(row);
    finish_foreign_key(builder, &lists);
    table->foreign_key_count = (uint32_t)(lists.keys.length / sizeof(struct schema_foreign_key));
    struct schema_foreign_key *keys = copy_list(builder, &lists.keys);
    table->foreign_keys = keys;
    if (keys != NULL && text->foreign_key_count == table->foreign_key_count) {
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            keys[i].name = text->foreign_keys[i].name;
            keys[i].deferrable = text->foreign_keys[i].deferrable;
        }
    }
    return result == SQLITE_DONE ? STATUS_OK : builder_fail(builder, table->name);
}

/* Names the referenced table as it names itself, and its primary key where none is named. */
static void resolve_foreign_keys(const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->schema->table_count; i++) {
        const struct schema_table *table = &catalog->schema->tables[i];
        struct schema_foreign_key *keys = (struct schema_foreign_key *)table->foreign_keys;
        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            const struct catalog_table *parent =
                keys[k].references != NULL ? catalog_find(catalog, keys[k].references) : NULL;
            if (parent == NULL) {
                continue;
            }
            const struct column_list *key = &parent->schema->primary_key;
            keys[k].references = parent->schema->name;
            if (keys[k].referenced_columns.count == 0 && key->count == keys[k].columns.count) {
                keys[k].referenced_columns = *key;
            }
        }
    }
}

/* ---------------------------------------------------------------- tables */

/* The first name of the rowid that no column hides; a column that is the rowid does not hide it. */
static const char *row_key_of(const struct schema_table *table, int32_t rowid_column)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        bool hidden = false;
        for (uint32_t i = 0; i < table->column_count; i++) {
            hidden |= (int32_t)i != rowid_column &&
                      sqlite3_stricmp(table->columns[i].name, names[n]) == 0;
        }
        if (!hidden) {
            return names[n];
        }
    }
    return NULL;
}

static void settle_keys(struct schema_table *table, struct catalog_table *facts, bool without_rowid,
                        bool strict, bool key_index)
{
    struct schema_column *columns = (struct schema_column *)table->columns;
    bool generated = false;

    facts->rowid_column = -1;
    table->primary_key_not_null = table->primary_key.count > 0;
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        int position = schema_find_column(table, table->primary_key.names[i]);
        if (position < 0) {
            continue;
        }
        if (!without_rowid && !key_index && table->primary_key.count == 1) {
            facts->rowid_column = position;
            columns[position].identity = true;
            columns[position].type.dynamic = false;
        }
        columns[position].not_null |= without_rowid || strict || facts->rowid_column == position;
        table->primary_key_not_null &= columns[position].not_null;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        generated |= columns[i].generated != GENERATED_NO;
    }
    if (!without_rowid) {
        table->row_key = row_key_of(table, facts->rowid_column);
        table->row_key_stable = facts->rowid_column >= 0;
    }
    facts->sliceable = table->row_key != NULL && !generated;
}

/* Virtual tables keep what they hold in tables named after them: the longest name that fits. */
static void find_owner(const struct catalog_builder *builder, struct schema_table *table)
{
    const struct schema_object *objects =
        (const struct schema_object *)(const void *)builder->objects.data;
    size_t count = builder->objects.length / sizeof *objects;
    size_t longest = 0;

    for (size_t i = 0; i < count; i++) {
        size_t length = objects[i].name != NULL ? strlen(objects[i].name) : 0;
        if (objects[i].native_sql != NULL && length > longest &&
            sqlite3_strnicmp(table->name, objects[i].name, (int)length) == 0 &&
            table->name[length] == '_') {
            table->belongs_to = objects[i].name;
            longest = length;
        }
    }
}

static enum status add_table(struct catalog_builder *builder, sqlite3_stmt *row, bool is_view)
{
    const char *type = text_of(builder, row, 1);
    bool is_shadow = type != NULL && strcmp(type, "shadow") == 0;
    bool without_rowid = sqlite3_column_int(row, 2) != 0;
    bool strict = sqlite3_column_int(row, 3) != 0;
    bool key_index = false;
    struct create_facts text = {0};
    struct catalog_table facts = {.rowid_column = -1};
    struct schema_table table = {
        .kind = is_view ? SCHEMA_VIEW : SCHEMA_TABLE,
        .name = copy_text(builder, row, 0),
        .native_sql = copy_text(builder, row, 4),
        .row_count = -1,
        .size_bytes = -1,
    };

    if (table.name == NULL || read_columns(builder, &table, &facts, strict) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_view) {
        if (table.native_sql != NULL) {
            builder->out_of_memory |=
                create_text_read(table.native_sql, builder->arena, &text) != STATUS_OK;
        }
        table.checks = text.checks;
        table.check_count = text.check_count;
        if (read_indexes(builder, &table, &facts, without_rowid, &key_index) != STATUS_OK ||
            read_foreign_keys(builder, &table, &text) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (builder->out_of_memory) {
            return STATUS_FAILED;
        }
        settle_keys(&table, &facts, without_rowid, strict, key_index);
        facts.sliceable &= builder->utf8;
    }
    if (is_shadow) {
        find_owner(builder, &table);
    }
    buffer_append(&builder->tables, &table, sizeof table);
    buffer_append(&builder->facts, &facts, sizeof facts);
    return STATUS_OK;
}

static void add_object(struct catalog_builder *builder, enum schema_object_kind kind,
                       const char *name, const char *table, const char *sql,
                       const char *not_carried)
{
    struct schema_object object = {
        .kind = kind, .name = name, .table = table, .native_sql = sql, .not_carried = not_carried};
    builder->out_of_memory |= name == NULL || not_carried == NULL;
    buffer_append(&builder->objects, &object, sizeof object);
}

/* A view that names what is gone is left out, and said to be; a call that failed proves nothing. */
static bool is_broken_view(const struct error *error)
{
    switch (error->native_code & 0xff) {
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
        return false;
    default:
        return error->code != ERROR_MEMORY;
    }
}

static enum status read_tables(struct catalog_builder *builder)
{
    sqlite3_stmt *row = builder->statements[SQL_TABLES];
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        const char *type = text_of(builder, row, 1);
        bool is_view = type != NULL && strcmp(type, "view") == 0;
        if (type == NULL) {
            builder->out_of_memory = true;
            break;
        }
        if (strcmp(type, "virtual") == 0) {
            const char *name = copy_text(builder, row, 0);
            add_object(
                builder, SCHEMA_OBJECT_OTHER, name, name, copy_text(builder, row, 4),
                "a virtual table of SQLite's; `query: SELECT … FROM it` in a plan copies its rows");
            continue;
        }
        struct error view_error = {0};
        struct error *outer = builder->error;
        if (is_view) {
            builder->error = &view_error;
        }
        enum status status = add_table(builder, row, is_view);
        builder->error = outer;
        if (status != STATUS_OK && (!is_view || !is_broken_view(&view_error))) {
            error_copy(is_view ? outer : NULL, &view_error);
            return builder->out_of_memory ? error_set(outer, ERROR_MEMORY, builder->self->shown,
                                                      "no memory for its catalogue")
                                          : STATUS_FAILED;
        }
        if (status != STATUS_OK) {
            const char *name = copy_text(builder, row, 0);
            add_object(
                builder, SCHEMA_OBJECT_OTHER, name, NULL, NULL,
                arena_format(builder->arena, "a view that can't be read: %s", view_error.message));
        }
    }
    return result == SQLITE_DONE || builder->out_of_memory ? STATUS_OK
                                                           : builder_fail(builder, NULL);
}

/* ---------------------------------------------------------------- views, triggers, sequences */

static enum status read_objects(struct catalog_builder *builder)
{
    sqlite3_stmt *row = builder->statements[SQL_OBJECTS];
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        const char *type = text_of(builder, row, 0);
        bool is_view = type != NULL && strcmp(type, "view") == 0;
        const char *name = copy_text(builder, row, 1);
        const char *table = is_view ? NULL : copy_text(builder, row, 2);
        add_object(builder, is_view ? SCHEMA_OBJECT_VIEW : SCHEMA_OBJECT_TRIGGER, name, table,
                   copy_text(builder, row, 3),
                   is_view
                       ? "a view is written in SQLite's own SQL; its rows can be copied as a table"
                       : "a trigger is written in SQLite's own SQL");
    }
    return result == SQLITE_DONE ? STATUS_OK : builder_fail(builder, NULL);
}

/* What brings a copy's counter to `last`; without a row of its own it starts anew. */
static const char *sequence_text(struct catalog_builder *builder, const char *name, bool present,
                                 int64_t last)
{
    struct buffer sql = {0};

    buffer_append_string(&sql, "DELETE FROM sqlite_sequence WHERE name = ");
    sqlite_append_text(&sql, name);
    if (present) {
        buffer_append_string(&sql, "; INSERT INTO sqlite_sequence(name, seq) VALUES(");
        sqlite_append_text(&sql, name);
        buffer_format(&sql, ", %lld)", (long long)last);
    }
    const char *copy = arena_copy_string(builder->arena, buffer_string(&sql));
    builder->out_of_memory |= copy == NULL || sql.failed;
    buffer_free(&sql);
    return copy;
}

static enum status add_sequence(struct catalog_builder *builder, const char *name)
{
    sqlite3_stmt *row = NULL;

    if (sqlite_prepare(builder->self, builder->connection, sequence_sql, &row, builder->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    int result = sqlite3_step(row);
    bool present = result == SQLITE_ROW && sqlite3_column_type(row, 0) == SQLITE_INTEGER;
    int64_t last = present ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    if (result != SQLITE_ROW) {
        return builder_fail(builder, name);
    }
    add_object(builder, SCHEMA_OBJECT_SEQUENCE, name, name,
               sequence_text(builder, name, present, last),
               "AUTOINCREMENT: the last number given is kept in SQLite only");
    return STATUS_OK;
}

/* One for each AUTOINCREMENT table, whether it has given a number yet or not. */
static enum status read_sequences(struct catalog_builder *builder)
{
    const struct schema_table *tables =
        (const struct schema_table *)(const void *)builder->tables.data;
    const struct catalog_table *facts =
        (const struct catalog_table *)(const void *)builder->facts.data;
    size_t count = builder->tables.length / sizeof *tables;

    for (size_t i = 0; i < count && !builder->facts.failed; i++) {
        int automatic = 0;
        if (facts[i].rowid_column >= 0 &&
            sqlite3_table_column_metadata(builder->connection, "main", tables[i].name,
                                          tables[i].columns[facts[i].rowid_column].name, NULL, NULL,
                                          NULL, NULL, &automatic) == SQLITE_OK &&
            automatic != 0 && add_sequence(builder, tables[i].name) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

static enum status read_version(struct catalog_builder *builder, int64_t *version)
{
    sqlite3_stmt *row = NULL;
    if (sqlite_prepare(builder->self, builder->connection, "PRAGMA main.schema_version", &row,
                       builder->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(row);
    *version = result == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    return result == SQLITE_ROW ? STATUS_OK : builder_fail(builder, NULL);
}

/* In a UTF-16 file the bytes of a text are not those that are read. */
static enum status read_encoding(struct catalog_builder *builder)
{
    sqlite3_stmt *row = NULL;
    if (sqlite_prepare(builder->self, builder->connection, "PRAGMA main.encoding", &row,
                       builder->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_step(builder->self, row, builder->error);
    const char *encoding = status == STATUS_OK ? (const char *)sqlite3_column_text(row, 0) : NULL;
    builder->utf8 = encoding != NULL && strcmp(encoding, "UTF-8") == 0;
    builder->out_of_memory |= status == STATUS_OK && encoding == NULL;
    sqlite3_finalize(row);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

/* What a copy of the whole file has to be set to: "encoding=UTF-8 page_size=4096 …". */
static enum status read_settings(struct catalog_builder *builder, const char **settings)
{
    static const char sql[] =
        "SELECT 'encoding=' || (SELECT encoding FROM pragma_encoding) || "
        "' page_size=' || (SELECT page_size FROM pragma_page_size) || "
        "' auto_vacuum=' || (SELECT auto_vacuum FROM pragma_auto_vacuum) || "
        "' application_id=' || (SELECT application_id FROM pragma_application_id) || "
        "' user_version=' || (SELECT user_version FROM pragma_user_version)";
    sqlite3_stmt *row = NULL;
    if (sqlite_prepare(builder->self, builder->connection, sql, &row, builder->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(row);
    *settings = result == SQLITE_ROW ? copy_text(builder, row, 0) : NULL;
    sqlite3_finalize(row);
    return result == SQLITE_ROW ? STATUS_OK : builder_fail(builder, NULL);
}

static enum status builder_read(struct catalog_builder *builder, struct catalog *catalog)
{
    const char *settings = NULL;

    if (read_version(builder, &catalog->schema_version) != STATUS_OK ||
        read_encoding(builder) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int i = 0; i < SQL_COUNT; i++) {
        if (sqlite_prepare(builder->self, builder->connection, queries[i], &builder->statements[i],
                           builder->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (read_tables(builder) != STATUS_OK || read_objects(builder) != STATUS_OK ||
        read_sequences(builder) != STATUS_OK || read_settings(builder, &settings) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct schema *schema = arena_allocate_zeroed(builder->arena, 1, sizeof *schema);
    uint32_t table_count = (uint32_t)(builder->tables.length / sizeof(struct schema_table));
    uint32_t object_count = (uint32_t)(builder->objects.length / sizeof(struct schema_object));
    struct schema_table *tables = copy_list(builder, &builder->tables);
    struct catalog_table *facts = copy_list(builder, &builder->facts);
    struct schema_object *objects = copy_list(builder, &builder->objects);
    if (schema == NULL || builder->out_of_memory) {
        return error_set(builder->error, ERROR_MEMORY, builder->self->shown,
                         "no memory for its catalogue");
    }
    for (uint32_t i = 0; i < table_count; i++) {
        facts[i].schema = &tables[i];
    }
    *schema = (struct schema){.arena = builder->arena,
                              .tables = tables,
                              .table_count = table_count,
                              .objects = objects,
                              .object_count = object_count,
                              .settings = settings};
    catalog->schema = schema;
    catalog->tables = facts;
    resolve_foreign_keys(catalog);
    return STATUS_OK;
}

enum status catalog_read(struct sqlite_database *self, sqlite3 *connection, struct catalog *catalog,
                         struct error *error)
{
    struct catalog_builder builder = {.self = self, .connection = connection, .error = error};
    enum status status = STATUS_FAILED;

    *catalog = (struct catalog){0};
    builder.arena = arena_create(0);
    if (builder.arena == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for its catalogue");
    }
    /* one transaction, so that all of it is of one moment */
    bool begun = sqlite3_get_autocommit(connection) != 0;
    status = begun ? sqlite_execute(self, connection, "BEGIN", error) : STATUS_OK;
    if (status == STATUS_OK) {
        status = builder_read(&builder, catalog);
    }
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(builder.statements[i]);
    }
    if (begun && sqlite3_get_autocommit(connection) == 0) {
        sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
    }
    buffer_free(&builder.tables);
    buffer_free(&builder.facts);
    buffer_free(&builder.objects);
    if (status != STATUS_OK) {
        arena_destroy(builder.arena);
    }
    return status;
}
