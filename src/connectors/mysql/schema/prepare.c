/*
 * Before the load: the tables that are missing, with key and unique indexes. CREATE TABLE commits
 * what came before it and can't be rolled back; so the ledger says first that the table is about to
 * be made, and the table's comment whose it is.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/schema/workers.h"
#include "connectors/mysql/store.h"
#include "connectors/mysql/translate.h"
#include "connectors/sql/finding.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Errors of a definition that this server does not understand (another version, another brand). */
static const unsigned foreign[] = {
    1064, 1115, 1231, 1273, 1286, 1305, 1478, 1901, 1911, 4161, /* words, sets, engines, options */
    1067, 1101,                                                 /* of defaults */
    1071, 1170, 3780,                                           /* of keys */
    3102, 3109, 3763, 3770, 3814, 3815, 3818}; /* of expressions: generated, default, check */

/* The one column that the server may number, which needs a key that begins with it. */
static bool counts(const struct target_table *table, const struct schema_column *column)
{
    const struct schema_column *found = NULL;
    for (uint32_t i = 0; found == NULL && i < table->column_count; i++) {
        const struct schema_column *one = &table->columns[i];
        bool whole = one->type.kind == VALUE_INT64 || one->type.kind == VALUE_UINT64;
        bool fits = one->identity && whole && target_table_is_keyed(table, one->name);
        found = fits ? one : NULL;
    }
    return found == column;
}

/* Timestamps are datetimes here, those with a zone in UTC. */
static void append_value(struct buffer *sql, const struct schema_column *column)
{
    enum value_kind kind = column->type.kind;
    const char *value = column->default_value;
    if (kind == VALUE_BOOL) {
        buffer_append_string(sql, strcmp(value, "true") == 0 ? "1" : "0");
    } else if (kind == VALUE_TIMESTAMP) {
        const char *time = strchr(value, 'T');
        size_t day = time != NULL ? (size_t)(time - value) : strlen(value);
        buffer_format(sql, "'%.*s", (int)day, value);
        if (time != NULL) {
            buffer_format(sql, " %.*s", (int)strcspn(time + 1, "Z"), time + 1);
        }
        buffer_append_byte(sql, '\'');
    } else {
        mysql_append_string(sql, value);
    }
}

/* The words of strftime as those of date_format, which knows no milliseconds: they get six digits.
 */
static void append_clock_text(struct buffer *sql, const char *format)
{
    struct buffer pattern = {0};
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            buffer_append_byte(&pattern, *format);
            continue;
        }
        format++;
        buffer_format(&pattern, "%%%s", *format == 'M' ? "i" : *format == 'f' ? "s.%f" : "");
        if (strchr("Mf", *format) == NULL) {
            buffer_append_byte(&pattern, *format);
        }
    }
    mysql_append(sql, "date_format(utc_timestamp(3), %q)", buffer_string(&pattern));
    buffer_free(&pattern);
}

/* The default of another engine. MySQL wants a default that is no literal, and any of a long text,
 * as an expression; servers before those know neither. */
static void append_default(struct buffer *sql, const struct mysql_database *self,
                           const struct schema_column *column)
{
    bool as_text = column->type.kind == VALUE_TEXT;
    bool in_utc = column->default_value != NULL || column->type.zoned;
    if (column->default_kind == SCHEMA_DEFAULT_NONE) {
        return;
    }
    if (self->version < (self->mariadb ? 100201u : 80013u)) {
        log_write(LOG_WARNING,
                  "the default of column %s is not made: this server is too old for it",
                  column->name);
        return;
    }
    buffer_append_string(sql, " DEFAULT (");
    if (column->default_kind == SCHEMA_DEFAULT_VALUE) {
        append_value(sql, column);
    } else if (column->default_kind == SCHEMA_DEFAULT_CLOCK_TEXT) {
        append_clock_text(sql, column->default_value);
    } else if (column->default_kind == SCHEMA_DEFAULT_TODAY) {
        buffer_append_string(sql, as_text  ? "date_format(utc_timestamp(), '%Y-%m-%d')"
                                  : in_utc ? "utc_date()"
                                           : "curdate()");
    } else if (as_text) {
        buffer_append_string(sql, "date_format(utc_timestamp(), '%Y-%m-%d %H:%i:%s')");
    } else {
        buffer_append_string(sql, in_utc ? "utc_timestamp(6)" : "current_timestamp(6)");
    }
    buffer_append_byte(sql, ')');
}

static void append_column(struct buffer *sql, const struct mysql_database *self,
                          const struct target_table *table, const struct schema_column *column,
                          const char *type)
{
    mysql_append(sql, "%n %s%s", column->name, type, column->not_null ? " NOT NULL" : " NULL");
    if (counts(table, column)) {
        buffer_append_string(sql, " AUTO_INCREMENT");
    } else if (column->default_text != NULL && column->generated == GENERATED_NO) {
        mysql_append_default(sql, self, column->default_text, type);
    } else {
        append_default(sql, self, column);
    }
    if (column->comment != NULL) {
        mysql_append(sql, " COMMENT %q", column->comment);
    }
}

static void append_mark(struct buffer *sql, const struct mysql_database *self)
{
    struct buffer mark = {0};
    buffer_format(&mark, "transhume run %s", self->sql.run_id != NULL ? self->sql.run_id : "");
    mysql_append(sql, " COMMENT=%q", buffer_string(&mark));
    buffer_free(&mark);
}

/* Unique indexes refuse records one by one; made after the load they would refuse all of them. */
static void append_planned(struct buffer *sql, const struct mysql_database *self,
                           const struct target_table *table, const struct mysql_layout *layout)
{
    mysql_append(sql, "CREATE TABLE %t (", &self->sql, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_column(sql, self, table, &table->columns[i], layout->types[i]);
    }
    if (table->key.count > 0) {
        mysql_append(sql, ", PRIMARY KEY (%l)", table->key);
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].unique) {
            buffer_append_string(sql, ", ");
            mysql_layout_append_index(self, table, layout, &table->indexes[i], sql);
        }
    }
    buffer_format(sql, ") ENGINE=InnoDB%s ROW_FORMAT=DYNAMIC", mysql_text_collation(self));
    append_mark(sql, self);
}

static void warn_of_left_out(const struct target_table *table, const struct mysql_layout *layout)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (layout->faults[i] != NULL && !table->indexes[i].unique) { /* those are tried */
            log_write(LOG_WARNING, "%s: the index %s is not made: %s", table->name,
                      table->indexes[i].name, layout->faults[i]);
        }
    }
}

/* ---------------------------------------------------------------- as the source has it */

/* Options without the comment, which is put back after the load, and of InnoDB in any case. */
static void append_options(struct buffer *sql, const struct text *options)
{
    const char *at = options->data;
    const char *end = at + options->length;
    while (at < end) {
        size_t left = (size_t)(end - at);
        if (left > 8 && strncmp(at, "ENGINE=", 7) == 0) {
            buffer_append_string(sql, "ENGINE=InnoDB");
            at += 7 + strcspn(at + 7, " \n");
        } else if (left > 9 && strncmp(at, "COMMENT='", 9) == 0) {
            for (at += 9; at < end && (*at != '\'' || (at + 1 < end && at[1] == '\''));) {
                at += (*at == '\\' || *at == '\'') && at + 1 < end ? 2 : 1;
            }
            at += at < end;
        } else {
            size_t word = strcspn(at, " \n");
            word += word < left;
            buffer_append(sql, at, word < left ? word : left);
            at += word;
        }
    }
}

/* The column that numbers itself; NULL: there is none. */
static const char *counted_column(const struct schema_table *same)
{
    for (uint32_t i = 0; i < same->column_count; i++) {
        if (same->columns[i].identity) {
            return same->columns[i].name;
        }
    }
    return NULL;
}

/* Unique keys refuse records one by one, which they could not do later. InnoDB takes no column that
 * numbers itself without a key that begins with it; the primary key is there in any case. */
static bool comes_with_table(const struct text *clause, const char *counted)
{
    static const char unique[] = "UNIQUE ";
    return strncmp(clause->data, unique, sizeof unique - 1) == 0 ||
           (counted != NULL && mysql_definition_begins_with(clause, counted));
}

/* All clauses but references and the keys that come after the load. A flag each; `*has_key`: InnoDB
 * gets one for the column that numbers itself. */
static void pick_clauses(const struct mysql_definition *definition,
                         const struct target_table *table, bool *with_table, bool *has_key)
{
    const char *counted = counted_column(table->same_engine);
    struct column_list key = table->same_engine->primary_key;
    *has_key = counted == NULL || (key.count > 0 && strcmp(key.names[0], counted) == 0);
    for (uint32_t i = 0; i < definition->count; i++) {
        const struct text *clause = &definition->clauses[i];
        bool key_clause = definition->kinds[i] == MYSQL_CLAUSE_KEY;
        with_table[i] = definition->kinds[i] != MYSQL_CLAUSE_REFERENCE &&
                        (!key_clause || comes_with_table(clause, *has_key ? NULL : counted));
        *has_key = *has_key ||
                   (with_table[i] && key_clause && mysql_definition_begins_with(clause, counted));
    }
}

void mysql_pick_late_keys(const struct mysql_definition *definition,
                          const struct target_table *table, bool *late)
{
    bool has_key = false;
    pick_clauses(definition, table, late, &has_key);
    for (uint32_t i = 0; i < definition->count; i++) {
        late[i] = !late[i] && definition->kinds[i] == MYSQL_CLAUSE_KEY;
    }
}

static void append_clauses(struct buffer *sql, const struct mysql_definition *definition,
                           const struct target_table *table)
{
    bool *with_table = memory_allocate_zeroed((size_t)definition->count + 1, sizeof *with_table);
    bool has_key = false;
    uint32_t written = 0;
    pick_clauses(definition, table, with_table, &has_key);
    for (uint32_t i = 0; i < definition->count; i++) {
        if (with_table[i]) {
            buffer_append_string(sql, written++ > 0 ? ", " : "");
            buffer_append(sql, definition->clauses[i].data, definition->clauses[i].length);
        }
    }
    free(with_table);
    if (!has_key) { /* Aria and MyISAM count within a group of rows, too */
        const char *counted = counted_column(table->same_engine);
        mysql_append(sql, ", KEY (%n)", counted);
        log_write(LOG_WARNING,
                  "%s: %s gets a key of its own: InnoDB numbers no column without one, and not "
                  "within groups",
                  table->name, counted);
    }
}

static void append_same(struct buffer *sql, const struct mysql_database *self,
                        const struct target_table *table, const struct mysql_definition *definition)
{
    mysql_append(sql, "CREATE TABLE %t (", &self->sql, table->name);
    append_clauses(sql, definition, table);
    buffer_append_byte(sql, ')');
    append_mark(sql, self);
    append_options(sql, &definition->options);
}

/* ---------------------------------------------------------------- making */

static enum status prepare_run(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                               const char *name, struct error *error)
{
    enum status status =
        mysql_run_buffer(self, connection, sql, SQL_LONG, ERROR_TARGET_SCHEMA, NULL, error);
    if (status != STATUS_OK) {
        error_context(error, "%s: ", name);
    }
    return status;
}

static bool is_foreign(MYSQL *connection)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (foreign[i] == mysql_errno(connection)) {
            return true;
        }
    }
    return false;
}

static void warn_each(const char *table, struct buffer *notes)
{
    for (const char *line = buffer_string(notes), *end; (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        const char *words = line + strcspn(line, "\t") + 1;
        log_write(LOG_WARNING, "%s: %.*s", table, (int)(end - words), words);
    }
    buffer_free(notes);
}

/* As the source has it, or without its checks. STATUS_END: the server takes neither, and `problem`
 * says why. */
static enum status create_same(struct mysql_database *self, MYSQL *connection,
                               const struct target_table *table, const char *from,
                               struct arena *arena, struct error *problem, struct error *error)
{
    struct mysql_definition definition;
    struct buffer sql = {0};
    struct buffer notes = {0};
    enum status status =
        mysql_definition_of(self, table->same_engine, from, arena, &definition, &notes);
    buffer_clear(&notes); /* told before */
    for (bool again = status == STATUS_OK; again;) {
        append_same(&sql, self, table, &definition);
        status = prepare_run(self, connection, &sql, table->name, problem);
        again = status != STATUS_OK && is_foreign(connection) &&
                mysql_definition_drop_checks(&definition, &notes);
    }
    if (status == STATUS_OK) {
        warn_each(table->name, &notes);
    } else if (status == STATUS_FAILED && is_foreign(connection)) {
        status = STATUS_END;
    } else if (status == STATUS_FAILED) {
        error_copy(error, problem);
    }
    buffer_free(&notes);
    return status;
}

static enum status prepare_create(struct mysql_database *self, MYSQL *connection,
                                  const struct target_table *table, const char *from,
                                  struct arena *arena, struct error *error)
{
    struct buffer sql = {0};
    struct error problem = {0};
    if (table->same_engine != NULL) {
        enum status status = create_same(self, connection, table, from, arena, &problem, error);
        if (status != STATUS_END) {
            return status;
        }
        log_write(LOG_WARNING,
                  "%s: it is made from its columns, keys and indexes, and nothing else of its "
                  "definition: %s",
                  table->name, problem.message);
    }
    const struct mysql_layout layout = mysql_layout_make(self, table, arena);
    warn_of_left_out(table, &layout);
    append_planned(&sql, self, table, &layout);
    return prepare_run(self, connection, &sql, table->name, error);
}

void mysql_append_new_table(struct buffer *sql, const struct mysql_database *self,
                            const struct target_table *table, const char *from, struct arena *arena)
{
    struct mysql_definition definition;
    struct buffer notes = {0}; /* told by tell_changed */
    if (table->same_engine != NULL && mysql_definition_of(self, table->same_engine, from, arena,
                                                          &definition, &notes) == STATUS_OK) {
        append_same(sql, self, table, &definition);
    } else {
        const struct mysql_layout layout = mysql_layout_make(self, table, arena);
        append_planned(sql, self, table, &layout);
    }
    buffer_free(&notes);
}

/* The keys that the run writes into a table that holds others: so that its own are told apart. The
 * last two columns say which record it was that came first. */
static enum status make_key_table(struct mysql_database *self, MYSQL *connection,
                                  const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};
    char name[SQL_OWN_NAME_BYTES];
    if (!target_table_tracks(table) || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
    mysql_own_name(self, MYSQL_OWN_KEYS, table->name, name);
    mysql_append(&sql,
                 "%t (PRIMARY KEY (%l)) ENGINE=InnoDB AS SELECT %l, CAST(0 AS UNSIGNED) AS "
                 "_transhume_chunk, CAST(0 AS UNSIGNED) AS _transhume_row FROM %t LIMIT 0",
                 &self->sql, name, table->key, table->key, &self->sql, table->name);
    enum status status = prepare_run(self, connection, &sql, table->name, error);
    return status == STATUS_OK ? mysql_check_own(self, connection, name, error) : status;
}

bool mysql_is_marked(const struct mysql_database *self, const struct mysql_table *facts)
{
    return self->sql.run_id != NULL && facts->comment != NULL &&
           strncmp(facts->comment, "transhume run ", 14) == 0 &&
           strcmp(facts->comment + 14, self->sql.run_id) == 0;
}

static enum status gone(const struct target_table *table, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table->name,
              "this run made the table and it is gone, while its chunks are marked as done");
    error_hint(error, "start a new run with an empty target");
    return STATUS_FAILED;
}

static enum status refuse_engine(const struct target_table *table, const struct mysql_table *facts,
                                 struct error *error)
{
    if (facts->engine != NULL && strcasecmp(facts->engine, "InnoDB") == 0) {
        return STATUS_OK;
    }
    if (facts->engine == NULL) {
        error_set(error, ERROR_TARGET_SCHEMA, table->name, "the server can't open the table: %s",
                  facts->comment != NULL ? facts->comment : "it does not say why");
        error_hint(error, "fix it or drop it");
        return STATUS_FAILED;
    }
    error_set(error, ERROR_TARGET_SCHEMA, table->name,
              "the table's engine is %s, which has no transactions", facts->engine);
    error_hint(error, "ALTER TABLE … ENGINE=InnoDB");
    return STATUS_FAILED;
}

struct preparing {
    struct mysql_database *self;
    MYSQL *connection; /* the control thread's */
    struct arena *arena;
    struct mysql_look look;
    const struct prepare_request *request;
    uint32_t *missing; /* numbers of the tables that are to be made */
    uint32_t missing_count;
};

static enum status prepare_find(struct preparing *preparing, uint32_t number, struct error *error)
{
    struct mysql_database *self = preparing->self;
    struct target_table *table = &preparing->request->tables[number];
    struct mysql_table facts;
    enum mysql_making making = MYSQL_NOT_MADE;

    if (mysql_find_making(self, preparing->connection, table->name, &making, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_look_at(&preparing->look, self, preparing->connection, table->name,
                                       preparing->arena, &facts, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    table->created = making == MYSQL_MADE;
    if (status == STATUS_END) {
        preparing->missing[preparing->missing_count++] = number;
        return table->created ? gone(table, error) : STATUS_OK;
    }
    if (making == MYSQL_INTENDED && mysql_is_marked(self, &facts)) {
        table->created = true;
        return mysql_note_making(self, preparing->connection, table->name, MYSQL_MADE, error);
    }
    if (refuse_engine(table, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return make_key_table(self, preparing->connection, table, error);
}

/* The notes of all tables that are missing, in one transaction. */
static enum status prepare_note(struct preparing *preparing, enum mysql_making making,
                                struct error *error)
{
    MYSQL *connection = NULL;
    enum status status = mysql_begin(preparing->self, &connection, error);
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < preparing->missing_count; i++) {
        const char *name = preparing->request->tables[preparing->missing[i]].name;
        status = mysql_note_making(preparing->self, connection, name, making, error);
    }
    return mysql_end(preparing->self, connection, status, error);
}

/* On any thread of the crew. */
static enum status prepare_make(void *context, MYSQL *connection, struct arena *arena,
                                uint32_t number, struct error *error)
{
    const struct preparing *preparing = context;
    const struct schema *objects = preparing->request->objects;
    const struct target_table *table = &preparing->request->tables[preparing->missing[number]];
    const char *from = objects != NULL ? objects->settings : NULL; /* the source's database */
    if (failpoint_hit("mysql.after_intent", error) != STATUS_OK ||
        prepare_create(preparing->self, connection, table, from, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.after_table", error);
}

/* The points in which the server will differ from the source. */
static enum status tell_changes(struct preparing *preparing, struct error *error)
{
    const struct schema *objects = preparing->request->objects;
    const struct target_table **tables =
        arena_allocate_zeroed(preparing->arena, preparing->missing_count, sizeof *tables);
    struct buffer lines = {0};
    for (uint32_t i = 0; i < preparing->missing_count; i++) {
        tables[i] = &preparing->request->tables[preparing->missing[i]];
    }
    enum status status =
        mysql_list_changes(preparing->self, preparing->connection, tables, preparing->missing_count,
                           objects != NULL ? objects->settings : NULL, &lines, error);
    for (const char *line = buffer_string(&lines), *end; (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        const char *words = line + strcspn(line, "\t") + 1;
        log_write(LOG_WARNING, "%.*s", (int)(end - words), words);
    }
    buffer_free(&lines);
    return status;
}

static enum status make_missing(struct preparing *preparing, struct error *error)
{
    struct mysql_workers crew = {.self = preparing->self};
    if (preparing->missing_count == 0) {
        return STATUS_OK;
    }
    enum status status = tell_changes(preparing, error);
    status = status == STATUS_OK ? prepare_note(preparing, MYSQL_INTENDED, error) : status;
    status = status == STATUS_OK ? mysql_control(preparing->self, &preparing->connection, error)
                                 : status; /* note may have made it anew */
    status = status == STATUS_OK
                 ? mysql_workers_run(&crew, preparing->connection, preparing->missing_count,
                                     prepare_make, preparing, error)
                 : status;
    mysql_workers_close(&crew);
    for (uint32_t i = 0; status == STATUS_OK && i < preparing->missing_count; i++) {
        preparing->request->tables[preparing->missing[i]].created = true;
    }
    status = status == STATUS_OK ? prepare_note(preparing, MYSQL_MADE, error) : status;
    return status == STATUS_OK ? mysql_control(preparing->self, &preparing->connection, error)
                               : status;
}

static enum status make_undo(const struct preparing *preparing, const struct target_table *table,
                             struct error *error)
{
    struct mysql_database *self = preparing->self;
    struct mysql_table facts;
    if (!table->keeps_undo || table->key.count == 0 || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_target_describe(self, preparing->connection, table->name,
                                               preparing->arena, &facts, error);
    return status == STATUS_OK    ? mysql_undo_make(self, preparing->connection, table, &facts,
                                                    preparing->arena, error)
           : status == STATUS_END ? sql_refuse_dropped(table->name, error)
                                  : status;
}

static enum status tables_prepare(struct preparing *preparing, struct error *error)
{
    uint32_t count = preparing->request->table_count;
    preparing->missing =
        arena_allocate_zeroed(preparing->arena, (size_t)count + 1, sizeof *preparing->missing);
    enum status status = mysql_look(preparing->self, preparing->connection, count, preparing->arena,
                                    &preparing->look, error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = prepare_find(preparing, i, error);
    }
    status = status == STATUS_OK ? make_missing(preparing, error) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = make_undo(preparing, &preparing->request->tables[i], error);
    }
    return status;
}

enum status mysql_prepare(struct database *database, const struct prepare_request *request,
                          struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct preparing preparing = {.self = self, .arena = arena_create(0), .request = request};
    mysql_forget_seen(self);
    enum status status = mysql_control(self, &preparing.connection, error);
    status = status == STATUS_OK ? failpoint_hit("mysql.before_schema", error) : status;
    status = status == STATUS_OK ? mysql_objects_make(self, request->tables, request->table_count,
                                                      request->objects, MYSQL_BEFORE_TABLES, error)
                                 : status;
    status = status == STATUS_OK ? mysql_control(self, &preparing.connection, error) : status;
    status = status == STATUS_OK ? tables_prepare(&preparing, error) : status;
    arena_destroy(preparing.arena);
    status = status == STATUS_OK ? mysql_rebuild_drop(self, request, error) : status;
    return status == STATUS_OK ? failpoint_hit("mysql.after_schema", error) : status;
}

static const char *type_of_column(const struct target_table *table,
                                  const struct mysql_layout *layout,
                                  const struct schema_column *column)
{
    const char *type = column->type.native;
    for (uint32_t i = 0; table->same_engine == NULL && i < table->column_count; i++) {
        type = strcmp(table->columns[i].name, column->name) == 0 ? layout->types[i] : type;
    }
    return type;
}

/* In one statement, so that all of them are there or none. */
enum status mysql_add_columns(struct database *database, const struct target_table *table,
                              struct column_list columns, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    struct mysql_layout layout = mysql_layout_make(self, table, arena);
    MYSQL *connection;
    struct buffer sql = {0};
    mysql_append(&sql, "ALTER TABLE %t", &self->sql, table->name);
    for (uint32_t i = 0; i < columns.count; i++) {
        struct schema_column column = target_table_added_column(table, columns.names[i]);
        const char *type = type_of_column(table, &layout, &column);
        buffer_append_string(&sql, i > 0 ? ", ADD COLUMN " : " ADD COLUMN ");
        if (column.generated != GENERATED_NO && column.default_text != NULL) {
            mysql_append(&sql, "%n %s GENERATED ALWAYS AS (%s) %s", column.name, type,
                         column.default_text,
                         column.generated == GENERATED_STORED ? "STORED" : "VIRTUAL");
        } else {
            append_column(&sql, self, table, &column, type);
        }
    }
    mysql_forget_seen(self);
    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK ? mysql_run_buffer(self, connection, &sql, SQL_LONG,
                                                    ERROR_TARGET_SCHEMA, NULL, error)
                                 : status;
    buffer_free(&sql);
    arena_destroy(arena);
    return status;
}

/* With strict SQL mode a value that does not fit fails the statement. */
enum status mysql_alter_columns(struct database *database, const struct target_table *table,
                                struct column_list columns, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    struct mysql_layout layout = mysql_layout_make(self, table, arena);
    MYSQL *connection;
    struct buffer sql = {0};
    mysql_append(&sql, "ALTER TABLE %t", &self->sql, table->name);
    for (uint32_t i = 0; i < columns.count; i++) {
        struct schema_column column = target_table_column(table, columns.names[i]);
        buffer_append_string(&sql, i > 0 ? ", MODIFY COLUMN " : " MODIFY COLUMN ");
        append_column(&sql, self, table, &column, type_of_column(table, &layout, &column));
    }
    mysql_forget_seen(self);
    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK ? mysql_run_buffer(self, connection, &sql, SQL_LONG,
                                                    ERROR_TARGET_SCHEMA, NULL, error)
                                 : status;
    buffer_free(&sql);
    arena_destroy(arena);
    return status;
}
