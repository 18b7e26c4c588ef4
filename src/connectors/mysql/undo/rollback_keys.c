/*
 * Taking a table's records back, key by key: what is MySQL's own of it.
 *
 * Records are deleted without foreign keys, so that no delete reaches further; what somebody refers
 * to was marked by then to stay.
 */
#include "connectors/mysql/rollback.h"
#include "connectors/sql/rollback.h"
#include <stdio.h>
#include <string.h>

/* _transhume_fate: the run added the record, and one that does not go refers to it. */
#define IS_KEPT "(u._transhume_fate <=> 6)"

struct mysql_undoing {
    struct sql_undoing base;
    struct mysql_column *columns; /* those that the undo table knows */
    bool unchecked;               /* what is put in need not find what it refers to */
    bool drops;                   /* the undo table is of no more use */
};

static struct mysql_database *server_of(const struct sql_undoing *undoing)
{
    return mysql_database_of(&undoing->self->base);
}

static MYSQL *connection_of(const struct sql_undoing *undoing)
{
    return server_of(undoing)->control;
}

static bool is_unchecked(const struct sql_undoing *undoing)
{
    return ((const struct mysql_undoing *)undoing)->unchecked;
}

static enum status kinds_count(struct sql_undoing *undoing, struct buffer *sql, uint64_t *counts,
                               uint32_t kinds)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status = mysql_run_buffer(server_of(undoing), connection_of(undoing), sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, &result, undoing->error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        uint64_t kind = 0;
        if (text_to_uint64(row[0], strlen(row[0]), &kind) == STATUS_OK && kind < kinds) {
            status = text_to_uint64(row[1], strlen(row[1]), &counts[kind]);
        }
    }
    mysql_free_result(result);
    return status;
}

static void append_hash(const struct sql_undoing *undoing, struct buffer *sql, const char *alias,
                        bool of_image)
{
    (void)of_image; /* it has the same names */
    mysql_undo_append_hash(sql, server_of(undoing),
                           ((const struct mysql_undoing *)undoing)->columns, undoing->column_count,
                           alias);
}

/* ---------------------------------------------------------------- the undo table */

/* The ledger says if it is of no more use, and was not dropped since. */
static enum status undo_open(struct sql_undoing *undoing)
{
    enum mysql_making making = MYSQL_NOT_MADE;
    enum status status = mysql_find_making(server_of(undoing), connection_of(undoing),
                                           undoing->undo_name, &making, undoing->error);
    return status == STATUS_OK && making == MYSQL_UNDONE ? STATUS_END : status;
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct sql_undoing *undoing)
{
    struct mysql_undoing *own = (struct mysql_undoing *)undoing;
    const struct mysql_table *undo = mysql_facts_of(&undoing->undo);
    const struct mysql_table *facts = mysql_facts_of(&undoing->facts);
    const struct column_list key = undo->schema->primary_key;
    uint32_t count = undo->schema->column_count;
    own->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *own->columns);
    undoing->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undoing->columns);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = undo->columns[i].name;
        if (mysql_undo_is_own(name)) {
            continue;
        }
        int32_t at = mysql_find_column(facts, name);
        if (at < 0 || facts->columns[at].generated) {
            return sql_refuse_altered(facts->schema->name, NULL, undoing->error);
        }
        if (strcmp(undo->schema->columns[i].type.native, facts->schema->columns[at].type.native) !=
            0) {
            undoing->retyped = facts->columns[at].name;
        }
        own->columns[undoing->column_count] = facts->columns[at];
        undoing->columns[undoing->column_count++] =
            (struct sql_undo_column){.name = facts->columns[at].name, .image = name};
    }
    undoing->key = arena_allocate_zeroed(undoing->arena, key.count + 1u, sizeof *undoing->key);
    for (uint32_t i = 0; i < key.count; i++) {
        undoing->key[undoing->key_count++] =
            (struct sql_undo_column){.name = key.names[i], .image = key.names[i]};
    }
    sql_undo_append_match(undoing, &undoing->match, "t", "u");
    return key.count > 0 ? STATUS_OK
                         : sql_refuse_altered(facts->schema->name, NULL, undoing->error);
}

static enum status undo_drop(struct sql_undoing *undoing)
{
    ((struct mysql_undoing *)undoing)->drops = true;
    return mysql_note_making(server_of(undoing), connection_of(undoing), undoing->undo_name,
                             MYSQL_UNDONE, undoing->error);
}

/* DROP TABLE can't be part of the transaction. */
static enum status undo_committed(struct sql_undoing *undoing)
{
    struct buffer sql = {0};
    if (!undoing->is_void && !((struct mysql_undoing *)undoing)->drops) {
        return STATUS_OK;
    }
    mysql_append(&sql, "DROP TABLE IF EXISTS %t", undoing->self, undoing->undo_name);
    return sql_undo_execute(undoing, &sql, NULL);
}

/* ---------------------------------------------------------------- who refers to a record */

static enum status undo_prepare(struct sql_undoing *undoing)
{
    struct mysql_referrer *found = NULL;
    uint32_t count = 0;
    enum status status = mysql_referrers_read(server_of(undoing), connection_of(undoing),
                                              undoing->facts.schema->name, undoing->arena, &found,
                                              &count, undoing->error);
    struct sql_referrer *referrers =
        arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *referrers);
    for (uint32_t i = 0; i < count; i++) {
        if (found[i].own || !found[i].going) {
            struct buffer on = {0};
            struct buffer place = {0};
            mysql_append_place(&place, found[i].schema, found[i].table);
            mysql_referrer_append_pairs(&on, &found[i]);
            referrers[undoing->referrer_count++] = (struct sql_referrer){
                .name = found[i].table,
                .place = arena_copy_string(undoing->arena, buffer_string(&place)),
                .on = arena_copy_string(undoing->arena, buffer_string(&on)),
                .own = found[i].own};
            buffer_free(&on);
            buffer_free(&place);
        }
    }
    undoing->referrers = referrers;
    buffer_append_string(&undoing->going, undoing->referrer_count > 0 ? " AND NOT " IS_KEPT : "");
    return status;
}

/* By a join, since the table that an UPDATE changes may not be in a subquery of it. */
static void append_keeping(const struct sql_undoing *undoing, struct buffer *sql,
                           const struct sql_referrer *referrer)
{
    sql_undo_append(undoing, sql, "UPDATE $U JOIN $T ON $M JOIN ");
    buffer_format(sql, "%s AS r ON %s", referrer->place, referrer->on);
    if (referrer->own) {
        mysql_append(sql, " LEFT JOIN %t AS v ON ", undoing->self, undoing->undo_name);
        sql_undo_append_going(undoing, sql,
                              "NOT v._transhume_found AND NOT (v._transhume_fate <=> 6)",
                              "v._transhume_hash");
    }
    buffer_append_string(sql, " SET u._transhume_fate = 6 WHERE NOT " IS_KEPT);
    sql_undo_append(undoing, sql, " AND NOT $F AND $h = $H$O");
    if (referrer->own) {
        mysql_append(sql, " AND v.%n IS NULL", undoing->key[0].image);
    }
}

/* ---------------------------------------------------------------- putting back */

/* STATUS_AGAIN: a constraint refuses it, and nothing of it was done. A trigger that refuses it
 * stops the rollback: its images stay. */
static enum status put_attempt(struct sql_undoing *undoing, enum sql_undo_put put,
                               const char *place, uint64_t *changed)
{
    enum { IS_REFERRED = 1451, IS_REFERRED_OLD = 1217, IS_RAISED = 1644 };
    struct error problem = {0};
    struct buffer sql = {0};
    enum error_code code = ERROR_NONE;
    sql_undo_append_put(undoing, &sql, put, place);
    enum status status = put == SQL_UNDO_REMOVE || is_unchecked(undoing)
                             ? mysql_run_unchecked(server_of(undoing), connection_of(undoing), &sql,
                                                   changed, &problem)
                             : undoing->self->dialect->run(undoing->self, &sql, changed, &problem);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    unsigned number = (unsigned)problem.native_code;
    if (number == IS_REFERRED || number == IS_REFERRED_OLD ||
        (number != IS_RAISED && mysql_is_of_record(number, problem.message, &code))) {
        return STATUS_AGAIN;
    }
    error_copy(undoing->error, &problem);
    return STATUS_FAILED;
}

static enum status records_number(struct sql_undoing *undoing, enum sql_undo_put put,
                                  bool backwards, uint64_t *count)
{
    struct buffer sql = {0};
    enum status status =
        mysql_run(server_of(undoing), connection_of(undoing), "SET @_transhume_number = 0",
                  SQL_SHORT, ERROR_TARGET_WRITE, NULL, undoing->error);
    if (status != STATUS_OK) {
        return status;
    }
    sql_undo_append(undoing, &sql,
                    "UPDATE $U SET u._transhume_number = (@_transhume_number := "
                    "@_transhume_number + 1) WHERE ");
    sql_undo_append(undoing, &sql, sql_undo_kind(put));
    for (uint32_t i = 0; i < undoing->key_count; i++) {
        mysql_append(&sql, "%s%n%s", i > 0 ? ", u." : " ORDER BY u.", undoing->key[i].image,
                     backwards ? " DESC" : "");
    }
    return sql_undo_execute(undoing, &sql, count);
}

/* In windows, by the key or backwards, where all at once was refused: what a constraint forbids
 * stays as it is. */
static enum status put_windows(struct sql_undoing *undoing, enum sql_undo_put put, bool backwards,
                               uint64_t *changed)
{
    uint64_t count = 0;
    enum status status = records_number(undoing, put, backwards, &count);
    *changed = 0;
    for (uint64_t at = 1, window = count; status == STATUS_OK && at <= count;) {
        char place[128];
        uint64_t one = 0;
        uint64_t size = count + 1 - at < window ? count + 1 - at : window;
        snprintf(place, sizeof place,
                 " AND u._transhume_number >= %llu AND u._transhume_number < %llu",
                 (unsigned long long)at, (unsigned long long)(at + size));
        status = put_attempt(undoing, put, place, &one);
        if (status == STATUS_OK) {
            status = put == SQL_UNDO_REMOVE || is_unchecked(undoing)
                         ? STATUS_OK
                         : sql_undo_mark_tried(undoing, put, place);
            *changed += one;
            at += size;
            window *= 2;
        } else if (status == STATUS_AGAIN) {
            at += size == 1;
            window = size > 1 ? size / 2 : 1;
            status = STATUS_OK;
        }
    }
    return status;
}

static enum status put_all(struct sql_undoing *undoing, enum sql_undo_put put, bool backwards,
                           uint64_t *changed)
{
    enum status status = put_attempt(undoing, put, "", changed);
    undoing->refused = status == STATUS_AGAIN;
    return status == STATUS_AGAIN ? put_windows(undoing, put, backwards, changed) : status;
}

/* ---------------------------------------------------------------- what the run deleted */

static void append_partner(struct buffer *sql, const struct sql_undoing *undoing,
                           const struct schema_foreign_key *key)
{
    const char *schema = key->references_schema;
    if (schema == NULL) {
        mysql_append(sql, "%t", undoing->self, key->references);
    } else {
        mysql_append_place(sql, schema, key->references + strlen(schema) + 1);
    }
}

/* Records that a foreign key of the table finds no partner for go again. */
static enum status orphans_take(struct sql_undoing *undoing, const struct schema_foreign_key *key,
                                uint64_t *taken)
{
    struct buffer sql = {0};
    sql_undo_append(undoing, &sql, "DELETE t FROM $T JOIN $U ON $M AND $D LEFT JOIN ");
    append_partner(&sql, undoing, key);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        mysql_append(&sql, "%s%n = t.%n", i > 0 ? " AND p." : " AS p ON p.",
                     key->referenced_columns.names[i], key->columns.names[i]);
    }
    mysql_append(&sql, " WHERE p.%n IS NULL", key->referenced_columns.names[0]);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        mysql_append(&sql, " AND t.%n IS NOT NULL", key->columns.names[i]);
    }
    return mysql_run_unchecked(server_of(undoing), connection_of(undoing), &sql, taken,
                               undoing->error);
}

/* Records that are left may refer to each other: all go in, then those without a partner out again.
 */
static enum status return_circles(struct sql_undoing *undoing)
{
    struct mysql_undoing *own = (struct mysql_undoing *)undoing;
    const struct schema_table *schema = undoing->facts.schema;
    uint64_t total = 0;
    own->unchecked = true;
    enum status status = put_all(undoing, SQL_UNDO_RETURN, true, &total);
    own->unchecked = false;
    undoing->refused = true; /* what finds no partner goes again */
    while (status == STATUS_OK && total > 0) {
        total = 0;
        for (uint32_t i = 0; status == STATUS_OK && i < schema->foreign_key_count; i++) {
            uint64_t taken = 0;
            status = orphans_take(undoing, &schema->foreign_keys[i], &taken);
            total += taken;
        }
    }
    return status;
}

const struct sql_undo_dialect mysql_undo = {
    .bytes = sizeof(struct mysql_undoing),
    .name = sql_undo_name,
    .kept_hash = "u._transhume_hash",
    .found = "u._transhume_found",
    .written = "u._transhume_hash IS NOT NULL",
    .deleted = "u._transhume_found = 2 AND u._transhume_hash IS NULL",
    .differing = "u._transhume_found = 3",
    .set_differing = "u._transhume_found = 3, u._transhume_hash = NULL",
    .is_kept = IS_KEPT,
    .set_released = "u._transhume_fate = NULL",
    .absent = "$K IS NULL",
    .delete_undo = "DELETE u FROM $U",
    .remove = "DELETE t FROM $T JOIN $U ON $M WHERE",
    .remove_end = "",
    .restore = "UPDATE $T JOIN $U ON $M SET $S WHERE",
    .set_prefix = "t.",
    .insert = "INSERT INTO",
    .insert_values = "",
    .open = undo_open,
    .committed = undo_committed,
    .find_columns = find_columns,
    .count = kinds_count,
    .append_hash = append_hash,
    .prepare = undo_prepare,
    .append_keeping = append_keeping,
    .put = put_all,
    .return_circles = return_circles,
    .drop = undo_drop,
};
