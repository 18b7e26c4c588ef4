/* Foreign keys whose partners come later: the table that keeps the values, and filling them in. */
#include "connectors/sql/later.h"
#include "base/text.h"
#include "connectors/sql/undo.h"
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- texts */

/* "alias.name" */
static const char *place_of(const struct sql_filling *filling, const char *alias, const char *name)
{
    struct buffer place = {0};
    buffer_format(&place, "%s.", alias);
    filling->self->dialect->quoting->append_name(&place, name);
    const char *copy = arena_copy_string(filling->arena, buffer_string(&place));
    buffer_free(&place);
    return copy;
}

static void append_match(const struct sql_filling *filling, struct buffer *sql)
{
    const struct column_list key = filling->table->key;
    for (uint32_t i = 0; i < key.count; i++) {
        buffer_append_string(sql, i > 0 ? " AND " : "");
        filling->dialect->append_equal(filling, sql, key.names[i],
                                       place_of(filling, "l", key.names[i]),
                                       place_of(filling, "t", key.names[i]));
    }
}

static void append_undo_match(const struct sql_filling *filling, struct buffer *sql)
{
    const struct column_list key = filling->table->key;
    for (uint32_t i = 0; i < key.count; i++) {
        struct buffer image = {0};
        buffer_append_string(&image, "u.");
        filling->dialect->append_image(filling, &image, key.names[i]);
        buffer_append_string(sql, i > 0 ? " AND " : "");
        filling->dialect->append_equal(filling, sql, key.names[i], buffer_string(&image),
                                       place_of(filling, "t", key.names[i]));
        buffer_free(&image);
    }
}

static void append_partner(const struct sql_filling *filling, struct buffer *sql)
{
    const struct target_later *later = filling->later;
    for (uint32_t i = 0; i < later->columns.count; i++) {
        const char *name = later->columns.names[i];
        const char *alias = column_list_holds(later->emptied, name) ? "l" : "t";
        buffer_append_string(sql, i > 0 ? " AND " : "");
        filling->dialect->append_equal(filling, sql, name,
                                       place_of(filling, "p", later->referenced_columns.names[i]),
                                       place_of(filling, alias, name));
    }
}

static void append_table(const struct sql_filling *filling, struct buffer *sql, const char *name,
                         char alias)
{
    filling->self->dialect->quoting->append_table(sql, filling->self, name);
    buffer_format(sql, " AS %c", alias);
}

static void append_hole(const struct sql_filling *filling, struct buffer *sql, char hole)
{
    switch (hole) {
    case 'T':
        append_table(filling, sql, filling->table->name, 't');
        break;
    case 'L':
        append_table(filling, sql, filling->values, 'l');
        break;
    case 'U':
        append_table(filling, sql, filling->undo, 'u');
        break;
    case 'P':
        append_table(filling, sql, filling->later->table, 'p');
        break;
    case 'M':
        append_match(filling, sql);
        break;
    case 'V':
        append_undo_match(filling, sql);
        break;
    case 'N':
        append_partner(filling, sql);
        break;
    case 'H':
        filling->dialect->append_hash(filling, sql);
        break;
    default: /* $W */
        buffer_append_string(sql,
                             "l." SQL_LATER_REFUSED " IS NULL AND l." SQL_LATER_REFERENCE " = ");
        filling->dialect->append_reference(sql, filling->later);
    }
}

void sql_later_append(const struct sql_filling *filling, struct buffer *sql, const char *text)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "$");
        buffer_append(sql, text, plain);
        text += plain;
        if (*text == '$') {
            append_hole(filling, sql, text[1]);
            text += 2;
        }
    }
}

/* Foreign keys may share columns: is it left NULL by one of the first `before`? */
static bool is_listed(const struct target_table *table, uint32_t before, const char *name)
{
    for (uint32_t i = 0; i < before; i++) {
        if (column_list_holds(table->later[i].emptied, name)) {
            return true;
        }
    }
    return false;
}

void sql_later_append_emptied(const struct sql_filling *filling, struct buffer *sql,
                              const char *alias)
{
    const struct target_table *table = filling->table;
    for (uint32_t i = 0; i < table->later_count; i++) {
        const struct column_list emptied = table->later[i].emptied;
        for (uint32_t j = 0; j < emptied.count; j++) {
            if (!is_listed(table, i, emptied.names[j])) {
                buffer_format(sql, ", %s", alias);
                filling->self->dialect->quoting->append_name(sql, emptied.names[j]);
            }
        }
    }
}

void sql_later_append_pairs(const struct sql_filling *filling, struct buffer *sql,
                            const char *prefix, bool to_null)
{
    const struct column_list emptied = filling->later->emptied;
    for (uint32_t i = 0; i < emptied.count; i++) {
        buffer_format(sql, "%s%s", i > 0 ? ", " : "", prefix);
        filling->self->dialect->quoting->append_name(sql, emptied.names[i]);
        buffer_format(sql, " = %s", to_null ? "NULL" : place_of(filling, "l", emptied.names[i]));
    }
}

void sql_later_append_held(const struct sql_filling *filling, struct buffer *sql)
{
    const struct column_list emptied = filling->later->emptied;
    for (uint32_t i = 0; i < emptied.count; i++) {
        buffer_format(sql, "%s%s IS NOT NULL", i > 0 ? " OR " : "(",
                      place_of(filling, "t", emptied.names[i]));
    }
    buffer_append_byte(sql, ')');
}

void sql_later_append_columns(struct buffer *out, const struct target_later *later)
{
    for (uint32_t i = 0; i < later->columns.count; i++) {
        buffer_format(out, "%s%s", i > 0 ? "," : "", later->columns.names[i]);
    }
}

/* ---------------------------------------------------------------- statements */

enum status sql_later_run(struct sql_filling *filling, struct buffer *sql, uint64_t *changed)
{
    enum status status = filling->dialect->run(filling, sql, changed);
    if (status != STATUS_OK) {
        error_context(filling->error,
                      "%s: filling in what refers to later records: ", filling->table->name);
    }
    return status;
}

static enum status text_run(struct sql_filling *filling, const char *text, uint64_t *changed)
{
    struct buffer sql = {0};
    sql_later_append(filling, &sql, text);
    return sql_later_run(filling, &sql, changed);
}

/* ---------------------------------------------------------------- one table after the other */

typedef enum status filling_act(struct sql_filling *filling, void *context);

/* A table a transaction, which commits if the claim stands at its end. */
static enum status filling_transact(struct sql_filling *filling, filling_act *act, void *context)
{
    const struct sql_dialect *dialect = filling->self->dialect;
    enum status status = dialect->begin(filling->self, SQL_WRITES, filling->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = act(filling, context);
    status = status == STATUS_OK ? dialect->check_claim(filling->self, filling->error) : status;
    return dialect->end(filling->self, status, filling->error);
}

static struct sql_filling filling_of(struct sql_database *self, struct arena *arena,
                                     const struct target_table *table, struct error *error)
{
    const struct sql_later_dialect *dialect = self->dialect->later;
    return (struct sql_filling){.self = self,
                                .dialect = dialect,
                                .table = table,
                                .arena = arena,
                                .values = dialect->values_name(self, table->name, arena),
                                .undo = sql_undo_name(arena, self->run_id, table->name),
                                .error = error};
}

static enum status values_make(struct sql_filling *filling, void *context)
{
    (void)context;
    enum status status = filling->self->dialect->check_claim(filling->self, filling->error);
    return status == STATUS_OK ? filling->dialect->make(filling) : status;
}

enum status sql_later_prepare(struct database *database, const struct target_table *tables,
                              uint32_t table_count, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        if (target_table_later_count(&tables[i]) > 0) {
            struct sql_filling filling =
                filling_of(sql_database_of(database), arena, &tables[i], error);
            status = filling_transact(&filling, values_make, NULL);
        }
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- filling */

/* ", 'owner'": the columns of the foreign key that the value is of. */
static void append_reference_words(struct sql_filling *filling, struct buffer *sql)
{
    buffer_append_string(sql, ", CASE l." SQL_LATER_REFERENCE);
    for (uint32_t i = 0; i < filling->table->later_count; i++) {
        const struct target_later *later = &filling->table->later[i];
        struct buffer columns = {0};
        sql_later_append_columns(&columns, later);
        buffer_append_string(sql, " WHEN ");
        filling->dialect->append_reference(sql, later);
        buffer_append_string(sql, " THEN ");
        filling->self->dialect->quoting->append_text(sql, buffer_string(&columns), columns.length);
        buffer_free(&columns);
    }
    buffer_append_string(sql, " END");
}

/* The key, "id 7", the foreign key, and what is left out. */
static void append_words(struct sql_filling *filling, struct buffer *sql)
{
    enum { CHARACTERS_MAX = 150 };
    const struct sql_later_dialect *dialect = filling->dialect;
    const struct column_list key = filling->table->key;
    buffer_format(sql, "%s%s", dialect->left, dialect->join);
    for (uint32_t i = 0; i < key.count; i++) {
        struct buffer name = {0};
        buffer_format(&name, "%s ", key.names[i]);
        buffer_format(sql, ", %s", dialect->concat);
        filling->self->dialect->quoting->append_text(sql, buffer_string(&name), name.length);
        buffer_format(sql, ", %s)", place_of(filling, "l", key.names[i]));
        buffer_free(&name);
    }
    buffer_format(sql, "), %d)", CHARACTERS_MAX);
    append_reference_words(filling, sql);
    buffer_format(sql, ", %s%s", dialect->left, dialect->join);
    sql_later_append_emptied(filling, sql, "l.");
    buffer_format(sql, "), %d)", CHARACTERS_MAX);
}

/* Counts the records that are left, or those that are refused; `first` is the first of them, with
 * the reason: "id 7: owner 99: …". */
static enum status kept_count(struct sql_filling *filling, bool refused, uint64_t *count,
                              char *first, size_t capacity)
{
    enum { COUNT, KEY, REFERENCE, VALUES, REASON, TEXTS };
    const char *texts[TEXTS] = {0};
    const char *which = refused ? "NOT NULL" : "NULL";
    struct buffer sql = {0};
    sql_later_append(filling, &sql, "SELECT (SELECT count(*) FROM $L WHERE l." SQL_LATER_REFUSED);
    buffer_format(&sql, " IS %s), ", which);
    append_words(filling, &sql);
    sql_later_append(filling, &sql, ", l." SQL_LATER_REFUSED " FROM $L WHERE l." SQL_LATER_REFUSED);
    buffer_format(&sql, " IS %s ORDER BY ", which);
    sql_append_names(&sql, filling->self->dialect->quoting, "l", filling->table->key);
    buffer_append_string(&sql, " LIMIT 1");
    enum status status = filling->dialect->ask(filling, &sql, texts, TEXTS);
    if (status == STATUS_OK && texts[COUNT] != NULL) {
        status = text_to_uint64(texts[COUNT], strlen(texts[COUNT]), count);
        snprintf(first, capacity, "%s: %s %s%s%s", texts[KEY] != NULL ? texts[KEY] : "",
                 texts[REFERENCE] != NULL ? texts[REFERENCE] : "",
                 texts[VALUES] != NULL ? texts[VALUES] : "", texts[REASON] != NULL ? ": " : "",
                 texts[REASON] != NULL ? texts[REASON] : "");
        text_clean_line(first);
    }
    return status;
}

static enum status values_drop(struct sql_filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DROP TABLE IF EXISTS ");
    filling->self->dialect->quoting->append_table(&sql, filling->self, filling->values);
    return sql_later_run(filling, &sql, NULL);
}

static bool is_done(const struct target_filled *filled)
{
    return filled->left == 0 && filled->refused == 0;
}

/* An earlier call may have found refused what is taken by now. */
static enum status refusals_forget(struct sql_filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    filling->self->dialect->quoting->append_table(&sql, filling->self, filling->values);
    buffer_append_string(&sql, " SET " SQL_LATER_REFUSED " = NULL WHERE " SQL_LATER_REFUSED
                               " IS NOT NULL");
    return sql_later_run(filling, &sql, NULL);
}

static enum status reference_fill(struct sql_filling *filling, uint64_t *filled)
{
    const struct sql_later_dialect *dialect = filling->dialect;
    uint64_t count = 0;
    enum status status = dialect->update(filling);
    if (status == STATUS_OK && filling->table->keeps_undo) { /* the run leaves another record */
        status = text_run(filling, dialect->note_undo, NULL);
    }
    status = status == STATUS_OK ? text_run(filling, dialect->forget_filled, &count) : status;
    *filled += count;
    return status;
}

static enum status fill_within(struct sql_filling *filling, struct target_filled *filled)
{
    const struct sql_later_dialect *dialect = filling->dialect;
    enum status status = refusals_forget(filling);
    status = status == STATUS_OK && dialect->begin != NULL ? dialect->begin(filling) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < filling->table->later_count; i++) {
        filling->later = &filling->table->later[i];
        status = reference_fill(filling, &filled->filled);
    }
    if (status != STATUS_OK || text_run(filling, dialect->forget_gone, NULL) != STATUS_OK ||
        kept_count(filling, false, &filled->left, filled->first, sizeof filled->first) !=
            STATUS_OK ||
        kept_count(filling, true, &filled->refused, filled->first_refused,
                   sizeof filled->first_refused) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = dialect->drops_within && is_done(filled) ? values_drop(filling) : STATUS_OK;
    return status == STATUS_OK ? sql_failpoint(filling->self, "before_fill", filling->error)
                               : status;
}

/* The result for a table, and whether values are kept for it. */
struct filling_result {
    struct target_filled *filled;
    bool kept;
};

static enum status table_fill(struct sql_filling *filling, void *context)
{
    const struct sql_dialect *dialect = filling->self->dialect;
    struct filling_result *result = context;
    struct sql_table values;
    enum status status =
        dialect->describe(filling->self, filling->values, filling->arena, &values, filling->error);
    result->kept = status == STATUS_OK;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = dialect->describe(filling->self, filling->table->name, filling->arena, &filling->facts,
                               filling->error);
    if (status == STATUS_END) {
        return error_set(filling->error, ERROR_TARGET_WRITE, filling->table->name,
                         "the table is gone from the target");
    }
    return status == STATUS_OK ? fill_within(filling, result->filled) : status;
}

enum status sql_later_fill(struct database *database, const struct target_table *tables,
                           uint32_t table_count, struct target_filled *filled, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        struct filling_result result = {.filled = &filled[i]};
        if (target_table_later_count(&tables[i]) == 0) {
            continue;
        }
        struct sql_filling filling = filling_of(self, arena, &tables[i], error);
        status = filling_transact(&filling, table_fill, &result);
        status = status == STATUS_OK ? sql_failpoint(self, "after_fill", error) : status;
        if (status == STATUS_OK && result.kept && !filling.dialect->drops_within &&
            is_done(&filled[i])) {
            status = values_drop(&filling);
        }
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- taking back */

static enum status table_loosen(struct sql_filling *filling, void *context)
{
    const struct sql_dialect *dialect = filling->self->dialect;
    struct sql_table undo;
    (void)context;
    enum status status =
        dialect->describe(filling->self, filling->undo, filling->arena, &undo, filling->error);
    if (status == STATUS_OK) {
        status = dialect->describe(filling->self, filling->table->name, filling->arena,
                                   &filling->facts, filling->error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < filling->table->later_count; i++) {
        filling->later = &filling->table->later[i];
        status = filling->dialect->loosen(filling);
    }
    return status == STATUS_END ? STATUS_OK : status; /* one of the two is gone */
}

enum status sql_later_loosen(struct database *database, const struct target_table *table,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    struct sql_filling filling = filling_of(sql_database_of(database), arena, table, error);
    enum status status = filling_transact(&filling, table_loosen, NULL);
    arena_destroy(arena);
    return status;
}
