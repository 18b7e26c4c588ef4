/* Records that a foreign key finds no partner for: taken out of the tables that a run made, and
 * told to the engine until the run has settled. SQLite checks no key by itself, so that none has to
 * go meanwhile. And those that refer to what a repair took out. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/sql/orphans.h"
#include "connectors/sql/reference.h"
#include "connectors/sqlite/target_internal.h"
#include <string.h>

static void append_kept(struct buffer *sql, const struct sqlite_database *self, const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    sql_orphans_name(self->sql.run_id, table, name);
    sqlite_append(sql, "main.%n", name);
}

/* ---------------------------------------------------------------- how they are asked for */

static void append_table(struct buffer *out, const void *self, const char *name)
{
    (void)self;
    sqlite_append(out, "main.%n", name);
}

static void append_literal(struct buffer *out, const void *self, const char *text)
{
    (void)self;
    buffer_append_byte(out, '\'');
    for (; *text != '\0'; text++) {
        buffer_append_string(out, *text == '\'' ? "'" : "");
        buffer_append_byte(out, *text);
    }
    buffer_append_byte(out, '\'');
}

static void append_shown(struct buffer *out, const char *name)
{
    struct buffer quoted = {0};
    sqlite_append_name(&quoted, name);
    const char *text = buffer_string(&quoted);
    buffer_format(out,
                  "coalesce(substr(CASE typeof(t.%s) WHEN 'blob' THEN '0x' || hex(t.%s) ELSE "
                  "CAST(t.%s AS TEXT) END, 1, 80), 'NULL')",
                  text, text, text);
    buffer_free(&quoted);
}

/* ---------------------------------------------------------------- the foreign keys */

struct finding {
    struct sqlite_database *self;
    struct arena *arena;
    uint64_t records_written; /* to the table that is looked at, where what breaks a key may go */
    struct sql_reference *references;
    uint32_t count;
    uint32_t most;
};

/* With room for the keys of the tables. */
static void target_orphans_begin(struct finding *finding, struct sqlite_database *self,
                                 const struct target_table *tables, uint32_t table_count)
{
    *finding = (struct finding){.self = self, .arena = arena_create(0)};
    for (uint32_t i = 0; i < table_count; i++) {
        finding->most += sql_foreign_key_count(&tables[i]);
    }
    finding->references = arena_allocate_zeroed(finding->arena, (size_t)finding->most + 1,
                                                sizeof *finding->references);
}

static enum status target_orphans_ask(const struct finding *finding, const char *sql,
                                      const char *first, sqlite3_stmt **statement,
                                      struct error *error)
{
    enum status status =
        sqlite_target_prepare(finding->self, finding->self->control, sql, statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(*statement, 1, first, -1, SQLITE_TRANSIENT);
    }
    return status;
}

static const char *text_of(const struct finding *finding, sqlite3_stmt *row, int column)
{
    const char *text = sqlite_text_of(row, column);
    return text == NULL ? NULL : arena_copy_string(finding->arena, text);
}

static void add_column(const struct finding *finding, struct column_list *list, const char *name)
{
    const char **names =
        arena_allocate_zeroed(finding->arena, (size_t)list->count + 1, sizeof *names);
    for (uint32_t i = 0; i < list->count; i++) {
        names[i] = list->names[i];
    }
    names[list->count] = name;
    *list = (struct column_list){.names = names, .count = list->count + 1};
}

/* A key's name here: "child(parent_id)". */
static void name_reference(const struct finding *finding, struct sql_orphans *orphans)
{
    struct buffer name = {0};
    buffer_append_string(&name, orphans->table);
    for (uint32_t i = 0; i < orphans->columns.count; i++) {
        buffer_append_string(&name, i == 0 ? "(" : ", ");
        buffer_append_string(&name, orphans->columns.names[i]);
    }
    buffer_append_byte(&name, ')');
    orphans->name = arena_copy_string(finding->arena, buffer_string(&name));
    buffer_free(&name);
}

/* Is there a unique key of just these columns over there? */
static enum status is_unique(const struct finding *finding, const struct sql_orphans *orphans,
                             const struct sqlite_target_table *partner, bool *unique,
                             struct error *error)
{
    const struct column_list *columns = &orphans->referenced;
    sqlite3_stmt *row = NULL;
    struct buffer sql = {0};
    for (uint32_t i = 0; i < partner->column_count; i++) {
        *unique |= columns->count == 1 && partner->columns[i].row_key &&
                   sqlite_same_name(partner->columns[i].name, columns->names[0]);
    }
    if (*unique) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT 1 FROM pragma_index_list(");
    append_literal(&sql, NULL, orphans->partner);
    buffer_append_string(&sql, ", 'main') AS l WHERE l.\"unique\" AND NOT l.partial AND (SELECT "
                               "count(*) FROM pragma_index_info(l.name, 'main')) = ");
    buffer_format(&sql, "%u", columns->count);
    for (uint32_t i = 0; i < columns->count; i++) {
        buffer_append_string(&sql, " AND EXISTS (SELECT 1 FROM pragma_index_info(l.name, 'main') "
                                   "AS c WHERE c.name = ");
        append_literal(&sql, NULL, columns->names[i]);
        buffer_append_string(&sql, " COLLATE NOCASE)");
    }
    enum status status =
        sqlite_target_prepare_buffer(finding->self, finding->self->control, &sql, &row, error);
    status = status == STATUS_OK ? sqlite_step(finding->self, row, error) : status;
    *unique = status == STATUS_OK;
    sqlite3_finalize(row);
    buffer_free(&sql);
    return status == STATUS_END ? STATUS_OK : status;
}

/* The columns of the declared key; none where a table has none. */
static void add_key(const struct finding *finding, const struct sqlite_target_table *facts,
                    struct column_list *list)
{
    for (uint32_t position = 1; position <= facts->column_count; position++) {
        for (uint32_t i = 0; i < facts->column_count; i++) {
            if (facts->columns[i].key_position == position) {
                add_column(finding, list, facts->columns[i].name);
            }
        }
    }
}

/* The columns that one means which names none; those that find no partner table are left out. */
static enum status find_partner(struct finding *finding, struct sql_reference *reference,
                                struct error *error)
{
    struct sql_orphans *orphans = &reference->orphans;
    struct sqlite_target_table partner;
    bool unique = false;
    enum status status = sqlite_target_describe(finding->self, finding->self->control,
                                                orphans->partner, finding->arena, &partner, error);
    reference->unasked = status == STATUS_END;
    if (status == STATUS_OK && orphans->referenced.count == 0) {
        add_key(finding, &partner, &orphans->referenced);
    }
    reference->unasked |= orphans->referenced.count != orphans->columns.count;
    if (status == STATUS_OK && !reference->unasked) {
        status = is_unique(finding, orphans, &partner, &unique, error);
        reference->unasked = !unique;
    }
    name_reference(finding, orphans);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_references(struct finding *finding, const struct target_table *table,
                                   struct error *error)
{
    sqlite3_stmt *row = NULL;
    struct sql_reference *reference = finding->references;
    enum status status = target_orphans_ask(
        finding,
        "SELECT seq, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, 'main') "
        "ORDER BY id, seq",
        table->name, &row, error);
    while (status == STATUS_OK && (status = sqlite_step(finding->self, row, error)) == STATUS_OK) {
        if (sqlite3_column_int(row, 0) == 0) {
            if (finding->count == finding->most) {
                break; /* it has more than it was made with: not the run's any more */
            }
            reference = &finding->references[finding->count++];
            *reference =
                (struct sql_reference){.orphans = {.table = table->name,
                                                   .records_written = finding->records_written,
                                                   .partner = text_of(finding, row, 1),
                                                   .plain = true,
                                                   .append_table = append_table,
                                                   .append_name = sqlite_append_name,
                                                   .append_literal = append_literal,
                                                   .append_shown = append_shown,
                                                   .joined_by = " || "}};
        }
        const char *to = text_of(finding, row, 3);
        add_column(finding, &reference->orphans.columns, text_of(finding, row, 2));
        if (to != NULL) {
            add_column(finding, &reference->orphans.referenced, to);
        }
    }
    sqlite3_finalize(row);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status ask_number(void *context, struct buffer *sql, uint64_t *number,
                              struct error *error)
{
    const struct finding *finding = context;
    sqlite3_stmt *row = NULL;
    enum status status =
        sqlite_target_prepare_buffer(finding->self, finding->self->control, sql, &row, error);
    status = status == STATUS_OK ? sqlite_step(finding->self, row, error) : status;
    *number = status == STATUS_OK ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    buffer_free(sql);
    return status;
}

/* SQLite checks no key of a table with one that can't be checked. */
static enum status check_one_by_one(struct finding *finding, uint32_t first, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = first; status == STATUS_OK && i < finding->count; i++) {
        struct sql_reference *reference = &finding->references[i];
        struct buffer sql = {0};
        uint64_t broken = 0;
        if (reference->unasked) {
            continue;
        }
        buffer_append_string(&sql, "SELECT EXISTS (SELECT 1");
        sql_orphans_append_from(&sql, &reference->orphans);
        buffer_append_byte(&sql, ')');
        status = ask_number(finding, &sql, &broken, error);
        reference->broken = broken != 0;
    }
    return status;
}

/* SQLite itself says which keys are broken. What it can't check (no such columns over there, or
 * not unique ones) stays as it is. */
static enum status check_references(struct finding *finding, uint32_t first, const char *table,
                                    struct error *error)
{
    sqlite3_stmt *row = NULL;
    int result = SQLITE_DONE;
    enum status status = target_orphans_ask(
        finding, "SELECT DISTINCT fkid FROM pragma_foreign_key_check(?1, 'main')", table, &row,
        error);
    while (status == STATUS_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
        uint32_t number = (uint32_t)sqlite3_column_int(row, 0);
        if (number < finding->count - first) {
            finding->references[first + number].broken = true;
        }
    }
    if (status == STATUS_OK && result == SQLITE_ERROR) {
        status = check_one_by_one(finding, first, error);
    } else if (status == STATUS_OK && result != SQLITE_DONE) {
        status =
            sqlite_target_error(finding->self, finding->self->control, result, ERROR_TARGET_SCHEMA,
                                "its foreign keys can't be checked", error);
    }
    sqlite3_finalize(row);
    return status;
}

static enum status find_references(struct finding *finding, const struct target_table *table,
                                   struct error *error)
{
    uint32_t first = finding->count;
    enum status status = read_references(finding, table, error);
    for (uint32_t i = first; status == STATUS_OK && i < finding->count; i++) {
        status = find_partner(finding, &finding->references[i], error);
    }
    return status == STATUS_OK && finding->count > first
               ? check_references(finding, first, table->name, error)
               : status;
}

/* ---------------------------------------------------------------- taking them out */

static bool is_ours(const struct finding *finding, const char *table)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < finding->count; i++) {
        found = sqlite_same_name(finding->references[i].orphans.table, table);
    }
    return found;
}

/* Records of tables that were there would be left without a partner. */
static enum status refuse_others(const struct finding *finding, const char *table,
                                 struct error *error)
{
    sqlite3_stmt *row = NULL;
    enum status status = target_orphans_ask(
        finding,
        "SELECT m.name FROM main.sqlite_schema AS m, pragma_foreign_key_list(m.name, 'main') "
        "AS k WHERE m.type = 'table' AND k.\"table\" = ?1 COLLATE NOCASE",
        table, &row, error);
    while (status == STATUS_OK && (status = sqlite_step(finding->self, row, error)) == STATUS_OK) {
        const char *name = sqlite_text_of(row, 0);
        if (!is_ours(finding, name)) {
            status = error_set(error, ERROR_TARGET_SCHEMA, table,
                               "orphaned rows can't be deleted from it: a foreign key "
                               "of %s, which the run did not make, refers to it",
                               name);
            error_hint(error, "drop that table, then `transhume resume`");
        }
    }
    sqlite3_finalize(row);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status target_orphans_execute(const struct finding *finding, struct buffer *sql,
                                          uint64_t *changed, struct error *error)
{
    struct sqlite_database *self = finding->self;
    enum status status =
        sqlite_target_execute(self, self->control, buffer_string(sql), ERROR_TARGET_WRITE, error);
    *changed = status == STATUS_OK ? (uint64_t)sqlite3_changes64(self->control) : 0;
    buffer_free(sql);
    return status;
}

/* ", alias"a", alias"b" …": what holds a value of its own. `typed`: as columns are declared. */
static void append_columns(struct buffer *sql, const struct sqlite_target_table *facts,
                           const char *alias, bool typed)
{
    for (uint32_t i = 0; i < facts->column_count; i++) {
        if (!facts->columns[i].generated) {
            sqlite_append(sql, ", %s%n%s%s", alias, facts->columns[i].name, typed ? " " : "",
                          typed ? sqlite_affinity_type(facts->columns[i].affinity) : "");
        }
    }
}

static enum status make_room(const struct finding *finding, const char *table, struct error *error)
{
    struct sqlite_target_table facts;
    struct buffer sql = {0};
    uint64_t ignored;
    if (refuse_others(finding, table, error) != STATUS_OK ||
        sqlite_target_describe(finding->self, finding->self->control, table, finding->arena, &facts,
                               error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
    append_kept(&sql, finding->self, table);
    buffer_append_string(&sql, " (" SQL_ORPHANS_REASON " TEXT NOT NULL");
    append_columns(&sql, &facts, "", true);
    buffer_append_string(&sql, ", " SQL_ORPHANS_NUMBER " INTEGER PRIMARY KEY)");
    return target_orphans_execute(finding, &sql, &ignored, error);
}

static enum status target_orphans_take(void *context, const struct sql_orphans *orphans,
                                       uint64_t *taken, struct error *error)
{
    const struct finding *finding = context;
    struct sqlite_target_table facts;
    struct buffer sql = {0};
    uint64_t gone = 0;
    if (sqlite_target_describe(finding->self, finding->self->control, orphans->table,
                               finding->arena, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "INSERT INTO ");
    append_kept(&sql, finding->self, orphans->table);
    buffer_append_string(&sql, " (" SQL_ORPHANS_REASON);
    append_columns(&sql, &facts, "", false);
    buffer_append_string(&sql, ") SELECT ");
    sql_orphans_append_reason(&sql, orphans);
    append_columns(&sql, &facts, "t.", false);
    sql_orphans_append_from(&sql, orphans);
    if (target_orphans_execute(finding, &sql, taken, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "DELETE");
    sql_orphans_append_from(&sql, orphans);
    if (target_orphans_execute(finding, &sql, &gone, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return gone == *taken ? STATUS_OK
                          : error_set(error, ERROR_INTERNAL, orphans->table,
                                      "%llu rows are orphaned, but %llu were deleted",
                                      (unsigned long long)*taken, (unsigned long long)gone);
}

static enum status take_all(struct finding *finding, const struct after_load_request *request,
                            struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        finding->records_written = after_load_records_written(request, table);
        status = table->created ? find_references(finding, table, error) : STATUS_OK;
    }
    sql_references_reach(finding->references, finding->count);
    for (uint32_t i = 0; status == STATUS_OK && i < finding->count; i++) {
        const struct sql_reference *reference = &finding->references[i];
        if (reference->touched &&
            sql_reference_is_first(finding->references, finding->count, reference)) {
            status = make_room(finding, reference->orphans.table, error);
        }
    }
    if (status == STATUS_OK) {
        status = sql_references_mend(finding->references, finding->count, finding->self->sql.run_id,
                                     target_orphans_take, ask_number, finding, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_claim_check(finding->self, error);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_orphans", error) : status;
}

static enum status take_in_turn(struct finding *finding, const struct after_load_request *request,
                                struct error *error)
{
    struct sqlite_database *self = finding->self;
    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_triggers_set(self->control, false);
    enum status status = take_all(finding, request, error);
    sqlite_triggers_set(self->control, true);
    status = sqlite_control_end(self, status, error);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_orphans", error) : status;
}

enum status sqlite_orphans_take(struct sqlite_database *self,
                                const struct after_load_request *request, struct error *error)
{
    struct finding finding;
    bool wanted = false;
    for (uint32_t i = 0; request->rejects_orphans && i < request->table_count; i++) {
        wanted |= request->tables[i].created;
    }
    target_orphans_begin(&finding, self, request->tables, request->table_count);
    enum status status = wanted ? take_in_turn(&finding, request, error) : STATUS_OK;
    arena_destroy(finding.arena);
    return status;
}

enum status sqlite_orphans_find_broken(struct sqlite_database *self,
                                       const struct target_table *table, uint32_t *broken,
                                       struct error *error)
{
    struct finding finding;
    target_orphans_begin(&finding, self, table, 1);
    enum status status = find_references(&finding, table, error);
    *broken = 0;
    for (uint32_t i = 0; status == STATUS_OK && i < finding.count; i++) {
        if (finding.references[i].broken) {
            log_write(LOG_WARNING, "table %s: not every row finds one in %s by its foreign key",
                      table->name, finding.references[i].orphans.partner);
            (*broken)++;
        }
    }
    arena_destroy(finding.arena);
    return status;
}

/* ---------------------------------------------------------------- what refers to a table */

/* The result of sql_orphans_append_query. */
struct cells {
    const char **rows[SQL_ORPHANS_NAMED_MAX];
    uint32_t count;
};

static const char *cell_of(void *rows, uint32_t row, uint32_t column)
{
    const struct cells *cells = rows;
    return cells->rows[row][column];
}

static enum status read_cells(const struct finding *finding, struct buffer *sql,
                              struct cells *cells, struct error *error)
{
    sqlite3_stmt *row = NULL;
    enum status status =
        sqlite_target_prepare_buffer(finding->self, finding->self->control, sql, &row, error);
    while (status == STATUS_OK && cells->count < SQL_ORPHANS_NAMED_MAX &&
           (status = sqlite_step(finding->self, row, error)) == STATUS_OK) {
        int width = sqlite3_column_count(row);
        const char **texts =
            arena_allocate_zeroed(finding->arena, (size_t)width + 1, sizeof *texts);
        for (int i = 0; i < width; i++) {
            const char *text = text_of(finding, row, i);
            texts[i] = text == NULL ? "" : text;
        }
        cells->rows[cells->count++] = texts;
    }
    sqlite3_finalize(row);
    return status == STATUS_END ? STATUS_OK : status;
}

/* One that leads to no unique columns is no key at all. */
static enum status ask_reference(struct finding *finding, struct sql_reference *reference,
                                 struct buffer *out, struct buffer *unasked, struct error *error)
{
    struct sql_orphans *orphans = &reference->orphans;
    struct sqlite_target_table facts;
    struct cells cells = {0};
    struct buffer sql = {0};
    if (find_partner(finding, reference, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reference->unasked) {
        return STATUS_OK;
    }
    enum status status = sqlite_target_describe(finding->self, finding->self->control,
                                                orphans->table, finding->arena, &facts, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_key(finding, &facts, &orphans->key);
    sql_orphans_append_query(&sql, orphans);
    status = read_cells(finding, &sql, &cells, error);
    buffer_free(&sql);
    if (status == STATUS_OK) {
        sql_orphans_append_line(out, orphans, cells.count, cell_of, &cells);
        return STATUS_OK;
    }
    return sql_orphans_pass_over(unasked, orphans, error->class == ERROR_CLASS_RETRY, error);
}

/* The references of one table to `partner`. */
static enum status ask_references(struct finding *finding, const char *table, const char *partner,
                                  struct buffer *out, struct buffer *unasked, struct error *error)
{
    const struct target_table referring = {.name = table};
    finding->count = 0;
    finding->references = arena_allocate_zeroed(finding->arena, (size_t)finding->most + 1,
                                                sizeof(struct sql_reference));
    enum status status = read_references(finding, &referring, error);
    for (uint32_t i = 0; status == STATUS_OK && i < finding->count; i++) {
        status = sqlite_same_name(finding->references[i].orphans.partner, partner)
                     ? ask_reference(finding, &finding->references[i], out, unasked, error)
                     : STATUS_OK;
    }
    return status;
}

static enum status ask_referring(struct finding *finding, const char *partner, struct buffer *out,
                                 struct buffer *unasked, struct error *error)
{
    sqlite3_stmt *row = NULL;
    enum status status = target_orphans_ask(
        finding,
        "SELECT m.name, count(DISTINCT k.id) FROM main.sqlite_schema AS m, "
        "pragma_foreign_key_list(m.name, 'main') AS k WHERE m.type = 'table' GROUP BY m.name "
        "HAVING max(k.\"table\" = ?1 COLLATE NOCASE) ORDER BY m.name",
        partner, &row, error);
    while (status == STATUS_OK && (status = sqlite_step(finding->self, row, error)) == STATUS_OK) {
        finding->most = (uint32_t)sqlite3_column_int(row, 1);
        status = ask_references(finding, text_of(finding, row, 0), partner, out, unasked, error);
    }
    sqlite3_finalize(row);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sqlite_tell_partnerless(struct database *database, const struct target_table *table,
                                    struct buffer *out, struct buffer *unasked, struct error *error)
{
    struct finding finding = {.self = sqlite_database_of(database), .arena = arena_create(0)};
    enum status status = sqlite_control_begin(finding.self, false, error);
    if (status == STATUS_OK) {
        status = sqlite_control_end(
            finding.self, ask_referring(&finding, table->name, out, unasked, error), error);
    }
    arena_destroy(finding.arena);
    return status;
}
