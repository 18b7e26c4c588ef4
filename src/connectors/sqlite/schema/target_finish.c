/* After the load: indexes, sequences, views, triggers; and whether foreign keys hold. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/sqlite/writer_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { VIOLATIONS_LISTED_MAX = 5, OPERATIONS_BETWEEN_LOOKS = 100 };

static void target_finish_say(void (*progress)(const char *what), const char *what,
                              const char *name)
{
    char printable[160];
    char line[200];

    if (progress != NULL) {
        text_printable(name, strlen(name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", what, printable);
        progress(line);
    }
}

/* Makes an object in a transaction of its own, unless it is there with the same words. */
static enum status make_object(struct sqlite_database *self, const char *type, const char *name,
                               const char *sql, struct arena *arena, struct error *error)
{
    const char *known = NULL;
    enum status status = sqlite_schema_find(self, type, name, arena, &known, error);

    if (status == STATUS_OK) {
        if (known == NULL || strcmp(known, sql) == 0) {
            return STATUS_OK;
        }
        error_set(error, ERROR_TARGET_SCHEMA, name, "the target has another %s of this name", type);
        error_hint(error, "drop or rename it in the target, then `transhume resume`");
        return STATUS_FAILED;
    }
    status = status == STATUS_END ? sqlite_schema_create(self, type, name, sql, error) : status;
    return status == STATUS_OK ? sqlite_ledger_note_object(self, type, name, sql, error) : status;
}

/* ---------------------------------------------------------------- indexes */

static enum status make_index(struct sqlite_database *self, const char *name, const char *sql,
                              struct arena *arena, void (*progress)(const char *what),
                              struct error *error)
{
    target_finish_say(progress, "index", name);
    if (failpoint_hit("sqlite.before_index", error) != STATUS_OK ||
        sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        sqlite_control_end(self, make_object(self, "index", name, sql, arena, error), error);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_index", error) : status;
}

/* Is there an index of this name on another table? One that was renamed in the source since, and is
 * followed no more, keeps its indexes' names. */
static enum status is_anothers(struct sqlite_database *self, const char *table, const char *name,
                               bool *anothers, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(
        self, self->control,
        "SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = ?1 COLLATE NOCASE AND "
        "tbl_name <> ?2 COLLATE NOCASE",
        &statement, error);
    *anothers = false;
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, table, -1, SQLITE_STATIC);
        status = sqlite_step(self, statement, error);
        *anothers = status == STATUS_OK;
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

/* The statement as sqlite_schema keeps it, "CREATE UNIQUE INDEX name ON …", with another name. */
static void append_renamed(const char *sql, const char *name, struct buffer *out)
{
    const char *at = sql;
    for (int words = strncmp(sql, "CREATE UNIQUE ", 14) == 0 ? 3 : 2; words > 0; words--) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    sqlite_append(out, "%S%n", sql, (size_t)(at - sql), name);
    const char *quotes = "\"`'[";
    const char *quote = *at != '\0' ? strchr(quotes, *at) : NULL;
    if (quote == NULL) {
        at += strcspn(at, " \t\r\n");
    } else {
        char end = *quote == '[' ? ']' : *quote;
        for (at++; *at != '\0' && (*at != end || (end != ']' && at[1] == end)); at++) {
            at += *at == end; /* doubled within */
        }
        at += *at == end;
    }
    buffer_append_string(out, at);
}

/* The name of an index: where another table has it, after its table, too. */
static enum status choose_name(struct sqlite_database *self, const char *table, const char *name,
                               struct arena *arena, const char **chosen, struct error *error)
{
    bool anothers = false;
    enum status status = is_anothers(self, table, name, &anothers, error);
    *chosen = name;
    if (anothers) {
        *chosen = arena_format(arena, "%s_%s", table, name);
        log_write(LOG_INFO, "the index %s of %s is called %s: another table has its name", name,
                  table, *chosen);
    }
    return status;
}

/* The index in the source's own words. */
static enum status make_own_index(struct sqlite_database *self, const struct target_table *table,
                                  const struct schema_index *index, struct arena *arena,
                                  void (*progress)(const char *what), struct error *error)
{
    const char *name = NULL;
    struct buffer sql = {0};
    if (choose_name(self, table->name, index->name, arena, &name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (name == index->name) {
        buffer_append_string(&sql, index->native_sql);
    } else {
        append_renamed(index->native_sql, name, &sql);
    }
    enum status status = make_index(self, name, buffer_string(&sql), arena, progress, error);
    buffer_free(&sql);
    return status;
}

static enum status make_plain_index(struct sqlite_database *self, const struct target_table *table,
                                    const struct target_index *index, struct arena *arena,
                                    void (*progress)(const char *what), struct error *error)
{
    struct target_index named = *index;
    struct buffer sql = {0};
    if (choose_name(self, table->name, index->name, arena, &named.name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_schema_append_index(table, &named, &sql);
    enum status status = make_index(self, named.name, buffer_string(&sql), arena, progress, error);
    buffer_free(&sql);
    return status;
}

static enum status make_indexes(struct sqlite_database *self, const struct target_table *table,
                                struct arena *arena, void (*progress)(const char *what),
                                struct error *error)
{
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; same != NULL && status == STATUS_OK && i < same->index_count; i++) {
        if (!same->indexes[i].implied && same->indexes[i].native_sql != NULL) {
            status = make_own_index(self, table, &same->indexes[i], arena, progress, error);
        }
    }
    for (uint32_t i = 0; same == NULL && status == STATUS_OK && i < table->index_count; i++) {
        status = make_plain_index(self, table, &table->indexes[i], arena, progress, error);
    }
    return status;
}

/* ---------------------------------------------------------------- sequences, views, triggers */

static int only_sequences(void *context, int action, const char *first, const char *second,
                          const char *schema, const char *trigger)
{
    (void)context;
    (void)second;
    (void)schema;
    (void)trigger;
    bool sequence = first != NULL && strcmp(first, "sqlite_sequence") == 0;
    switch (action) {
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_READ:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return sequence ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static enum status read_sequence(struct sqlite_database *self, const char *table, int64_t *value,
                                 struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(
        self, self->control, "SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1",
        &statement, error);
    *value = INT64_MIN;
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
        status = sqlite_step(self, statement, error);
        if (status == STATUS_OK && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
            *value = sqlite3_column_int64(statement, 0);
        }
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

/* AUTOINCREMENT goes on where the source's stood, and never below a number that was loaded. */
static enum status set_sequence(struct sqlite_database *self, const struct schema_object *object,
                                struct error *error)
{
    int64_t loaded;
    enum status status = read_sequence(self, object->name, &loaded, error);

    if (status != STATUS_OK) {
        return status;
    }
    sqlite3_set_authorizer(self->control, only_sequences, NULL);
    status =
        sqlite_target_execute(self, self->control, object->native_sql, ERROR_TARGET_SCHEMA, error);
    sqlite3_set_authorizer(self->control, NULL, NULL);
    int64_t set = 0;
    status = status == STATUS_OK ? read_sequence(self, object->name, &set, error) : status;
    if (status == STATUS_OK && set < loaded) {
        sqlite3_stmt *statement = NULL;
        status = sqlite_target_prepare(self, self->control,
                                       "UPDATE main.sqlite_sequence SET seq = ?1 WHERE name = ?2",
                                       &statement, error);
        if (status == STATUS_OK) {
            sqlite3_bind_int64(statement, 1, loaded);
            sqlite3_bind_text(statement, 2, object->name, -1, SQLITE_STATIC);
            int result = sqlite3_step(statement);
            status = result == SQLITE_DONE
                         ? STATUS_OK
                         : sqlite_target_error(self, self->control, result, ERROR_TARGET_SCHEMA,
                                               "a sequence can't be set", error);
        }
        sqlite3_finalize(statement);
    }
    return status;
}

static bool has_counter(struct sqlite_database *self, const struct target_table *table)
{
    const struct schema_table *same = table->same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : table->columns;
    uint32_t count = same != NULL ? same->column_count : table->column_count;
    int automatic = 0;
    for (uint32_t i = 0; i < count && automatic == 0; i++) {
        if (sqlite3_table_column_metadata(self->control, "main", table->name, columns[i].name, NULL,
                                          NULL, NULL, NULL, &automatic) != SQLITE_OK) {
            automatic = 0;
        }
    }
    return automatic != 0;
}

/* Was it loaded, and is it one that gives no number twice? A table that was there, or whose key has
 * another type here, need not be. */
static bool counts(struct sqlite_database *self, const struct after_load_request *request,
                   const char *name)
{
    for (uint32_t i = 0; name != NULL && i < request->table_count; i++) {
        if (sqlite_same_name(request->tables[i].name, name)) {
            return has_counter(self, &request->tables[i]);
        }
    }
    return false;
}

/* A trigger of a table that was not copied, and may not be there, is left out as the table was. */
static enum status carry_object(struct sqlite_database *self, const struct schema_object *object,
                                const struct after_load_request *request, struct arena *arena,
                                struct error *error)
{
    if (object->native_sql == NULL) {
        return STATUS_OK;
    }
    switch (object->kind) {
    case SCHEMA_OBJECT_VIEW:
        return make_object(self, "view", object->name, object->native_sql, arena, error);
    case SCHEMA_OBJECT_SEQUENCE:
        return counts(self, request, object->table) ? set_sequence(self, object, error) : STATUS_OK;
    default:
        return STATUS_OK;
    }
}

static enum status has_relation(struct sqlite_database *self, const char *name, struct arena *arena,
                                bool *found, struct error *error)
{
    const char *sql = NULL;
    enum status status = sqlite_schema_find(self, "table", name, arena, &sql, error);
    if (status == STATUS_END) {
        status = sqlite_schema_find(self, "view", name, arena, &sql, error);
    }
    *found = status == STATUS_OK;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status carry_trigger(struct sqlite_database *self, const struct schema_object *object,
                                 struct arena *arena, struct error *error)
{
    bool found = false;

    if (object->kind != SCHEMA_OBJECT_TRIGGER || object->native_sql == NULL ||
        object->table == NULL) {
        return STATUS_OK;
    }
    if (has_relation(self, object->table, arena, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!found) {
        log_write(LOG_WARNING, "trigger %s is not carried: its table %s is not in the target",
                  object->name, object->table);
        return STATUS_OK;
    }
    return make_object(self, "trigger", object->name, object->native_sql, arena, error);
}

static enum status carry_objects(struct sqlite_database *self,
                                 const struct after_load_request *request, struct arena *arena,
                                 struct error *error)
{
    const struct schema *objects = request->objects;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && objects != NULL && i < objects->object_count; i++) {
        status = carry_object(self, &objects->objects[i], request, arena, error);
    }
    /* triggers last: they may stand on views, and no statement before may fire one */
    for (uint32_t i = 0; status == STATUS_OK && objects != NULL && i < objects->object_count; i++) {
        status = carry_trigger(self, &objects->objects[i], arena, error);
    }
    status = status == STATUS_OK ? sqlite_drop_key_tables(self, error) : status;
    return status == STATUS_OK ? failpoint_hit("sqlite.before_objects", error) : status;
}

/* ---------------------------------------------------------------- foreign keys */

/* Rows come one after another, each with all keys that it breaks. */
static bool is_new_key(struct buffer *seen, size_t key)
{
    while (seen->length <= key) {
        buffer_append_byte(seen, 0);
    }
    bool is_new = seen->data[key] == 0;
    seen->data[key] = 1;
    return is_new;
}

/* Violations are in the source as well, or their rows were left out: said, not refused. */
static enum status check_foreign_keys(struct sqlite_database *self,
                                      const struct target_table *table, uint32_t *broken,
                                      struct error *error)
{
    sqlite3_stmt *statement = NULL;
    uint64_t count = 0;
    uint32_t keys = 0;
    struct buffer seen = {0};
    enum status status = sqlite_target_prepare(
        self, self->control, "SELECT rowid, parent, fkid FROM pragma_foreign_key_check(?1, 'main')",
        &statement, error);
    if (status != STATUS_OK) {
        goto out;
    }
    sqlite3_bind_text(statement, 1, table->name, -1, SQLITE_STATIC);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        keys += is_new_key(&seen, (size_t)sqlite3_column_int64(statement, 2));
        if (count++ < VIOLATIONS_LISTED_MAX) {
            const char *parent = (const char *)sqlite3_column_text(statement, 1);
            const char *rowid = (const char *)sqlite3_column_text(statement, 0);
            log_write(LOG_WARNING, "table %s, rowid %s: its foreign key finds no row in %s",
                      table->name, rowid != NULL ? rowid : "(none)", parent != NULL ? parent : "?");
        }
    }
    if (count > 0) {
        log_write(LOG_WARNING, "table %s: %llu row%s a foreign key", table->name,
                  (unsigned long long)count, count == 1 ? " breaks" : "s break");
    }
    if (result != SQLITE_DONE && (result & 0xff) != SQLITE_ERROR) {
        status = sqlite_target_error(self, self->control, result, ERROR_TARGET_INVALID,
                                     "its foreign keys can't be checked", error);
    } else if (result != SQLITE_DONE) {
        /* a parent that has no such key can't be checked; SQLite allows it to be so */
        log_write(LOG_WARNING, "table %s: its foreign keys can't be checked: %s", table->name,
                  sqlite3_errmsg(self->control));
        status = sqlite_orphans_find_broken(self, table, &keys, error);
    }
    /* a copy of a table of SQLite, which enforces none, is as good as its source */
    *broken += table->created && table->same_engine == NULL ? keys : 0;
out:
    sqlite3_finalize(statement);
    buffer_free(&seen);
    return status;
}

static enum status check_all_foreign_keys(struct sqlite_database *self,
                                          struct after_load_request *request, struct error *error)
{
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        bool referring = table->reference_count > 0 ||
                         (table->same_engine != NULL && table->same_engine->foreign_key_count > 0);
        status = referring ? check_foreign_keys(self, table, &request->broken, error) : STATUS_OK;
    }
    return sqlite_control_end(self, status, error);
}

/* A resume builds again what is built here: the first request to stop ends it. */
static int is_stopped(void *context)
{
    (void)context;
    return signals_stop_level() > 0;
}

enum status sqlite_target_after_load(struct database *database, struct after_load_request *request,
                                     struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;

    sqlite3_progress_handler(self->control, OPERATIONS_BETWEEN_LOOKS, is_stopped, NULL);
    if (request->references_only) {
        status = check_all_foreign_keys(self, request, error);
        sqlite3_progress_handler(self->control, 0, NULL, NULL);
        arena_destroy(arena);
        return status;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        status =
            table->created ? make_indexes(self, table, arena, request->progress, error) : STATUS_OK;
    }
    status = status == STATUS_OK ? sqlite_orphans_take(self, request, error) : status;
    if (status == STATUS_OK) {
        target_finish_say(request->progress, "views, triggers, sequences of", self->sql.shown);
        status = sqlite_target_carry_virtual_tables(self, request->objects, arena, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_control_begin(self, true, error);
        if (status == STATUS_OK) {
            status = sqlite_control_end(self, carry_objects(self, request, arena, error), error);
        }
    }
    status = status == STATUS_OK ? failpoint_hit("sqlite.after_objects", error) : status;
    if (status == STATUS_OK) {
        target_finish_say(request->progress, "foreign keys of", self->sql.shown);
        status = check_all_foreign_keys(self, request, error);
    }
    sqlite3_progress_handler(self->control, 0, NULL, NULL);
    arena_destroy(arena);
    return status;
}
