/*
 * Taking a run's records back, key by key. What is asked of undo tables stands in target.h.
 *
 * Each of the run's records gets a fate first, in the transaction that carries it out. Records are
 * deleted without foreign keys, so that no delete reaches further; what somebody refers to was
 * told by then to stay.
 */
#include "connectors/mysql/rollback.h"
#include "base/failpoint.h"
#include <string.h>
#include <strings.h>

/* _transhume_fate */
enum fate { FATE_REMOVE = 1, FATE_RESTORE, FATE_CHANGED, FATE_MISSING, FATE_END };

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    enum { OWN_COLUMNS = 4 };
    struct maria_database *self = maria_database_of(database);
    struct arena *arena = arena_create(0);
    struct maria_table facts;
    MYSQL *connection = NULL;
    enum status status =
        arena == NULL ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                      : maria_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = maria_target_describe(self, connection, table->name, arena, &facts, error);
        const char *reason =
            status == STATUS_OK
                ? sql_undo_why_not(facts.schema, table, MARIA_COLUMNS_MAX - OWN_COLUMNS, strcasecmp)
                : NULL;
        buffer_append_string(why, reason != NULL ? reason : "");
        /* one that is not there will be made with its key */
        status = status == STATUS_FAILED ? status : reason != NULL ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

struct undoing {
    struct maria_database *self;
    MYSQL *connection;
    struct arena *arena;
    const char *undo_name;
    struct maria_table facts;
    struct maria_column *columns; /* those that the undo table knows */
    uint32_t column_count;
    struct column_list key;
    struct error *error;
};

/* ---------------------------------------------------------------- what is known */

static enum status altered(const struct undoing *undoing)
{
    error_set(undoing->error, ERROR_ROLLBACK_REFUSED, undoing->facts.schema->name,
              "one of its columns is gone, so the run's records can't be told from others");
    error_hint(undoing->error, "give the column back, or take the run's records out by hand");
    return STATUS_FAILED;
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct undoing *undoing, const struct maria_table *undo)
{
    uint32_t count = undo->schema->column_count;
    undoing->columns = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof *undoing->columns);
    if (undoing->columns == NULL) {
        return error_set(undoing->error, ERROR_MEMORY, undoing->facts.schema->name,
                         "no memory to roll it back");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (maria_undo_is_own(undo->columns[i].name)) {
            continue;
        }
        int32_t at = maria_find_column(&undoing->facts, undo->columns[i].name);
        if (at < 0 || undoing->facts.columns[at].generated) {
            return altered(undoing);
        }
        undoing->columns[undoing->column_count++] = undoing->facts.columns[at];
    }
    undoing->key = undo->schema->primary_key;
    return undoing->key.count > 0 ? STATUS_OK : altered(undoing);
}

/* ---------------------------------------------------------------- statements */

/* "`undo` AS u", "`table` AS t" */
static void append_undo(struct buffer *sql, const struct undoing *undoing)
{
    maria_append_table(sql, undoing->self, undoing->undo_name);
    buffer_append_string(sql, " AS u");
}

static void append_target(struct buffer *sql, const struct undoing *undoing)
{
    maria_append_table(sql, undoing->self, undoing->facts.schema->name);
    buffer_append_string(sql, " AS t");
}

/* " ON u.`k` = t.`k` …" */
static void append_on(struct buffer *sql, const struct undoing *undoing, const char *left,
                      const char *right)
{
    buffer_append_string(sql, " ON ");
    maria_append_match(sql, undoing->key, left, right);
}

static void append_hash(struct buffer *sql, const struct undoing *undoing)
{
    maria_undo_append_hash(sql, undoing->columns, undoing->column_count, "t");
}

static void append_fate(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, "CASE WHEN u._transhume_hash IS NULL THEN NULL WHEN t.");
    maria_append_name(sql, undoing->key.names[0]);
    buffer_format(sql, " IS NULL THEN %d WHEN u._transhume_hash <> ", FATE_MISSING);
    append_hash(sql, undoing);
    buffer_format(sql, " THEN %d WHEN u._transhume_found THEN %d ELSE %d END", FATE_CHANGED,
                  FATE_RESTORE, FATE_REMOVE);
}

static enum status run(const struct undoing *undoing, struct buffer *sql, uint64_t *changed)
{
    enum status status = maria_query_buffer(undoing->self, undoing->connection, sql, MARIA_LONG,
                                            ERROR_TARGET_WRITE, NULL, undoing->error);
    if (changed != NULL && status == STATUS_OK) {
        *changed = mysql_affected_rows(undoing->connection);
    }
    return status;
}

/* ---------------------------------------------------------------- fates */

static enum status set_fates(const struct undoing *undoing)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " LEFT JOIN ");
    append_target(&sql, undoing);
    append_on(&sql, undoing, "u", "t");
    buffer_append_string(&sql, " SET u._transhume_number = NULL, u._transhume_fate = ");
    append_fate(&sql, undoing);
    return run(undoing, &sql, NULL);
}

/* What a record refers to that is not going itself stays. */
static enum status keep_referred(const struct undoing *undoing,
                                 const struct maria_referrer *referrer, uint64_t *kept)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    append_undo(&sql, undoing);
    buffer_append_string(&sql, " JOIN ");
    append_target(&sql, undoing);
    append_on(&sql, undoing, "u", "t");
    maria_referrer_append_join(&sql, referrer);
    if (referrer->own) {
        buffer_append_string(&sql, " LEFT JOIN ");
        maria_append_table(&sql, undoing->self, undoing->undo_name);
        buffer_append_string(&sql, " AS v");
        append_on(&sql, undoing, "v", "r");
        buffer_format(&sql, " AND v._transhume_fate = %d", FATE_REMOVE);
    }
    buffer_format(&sql, " SET u._transhume_fate = %d WHERE u._transhume_fate = %d", FATE_CHANGED,
                  FATE_REMOVE);
    if (referrer->own) {
        buffer_append_string(&sql, " AND v.");
        maria_append_name(&sql, undoing->key.names[0]);
        buffer_append_string(&sql, " IS NULL");
    }
    return run(undoing, &sql, kept);
}

/* Of a table that refers to itself, what is kept may refer to more. */
static enum status keep_all_referred(const struct undoing *undoing)
{
    struct maria_referrer *referrers = NULL;
    uint32_t count = 0;
    uint64_t total = 1;
    enum status status =
        maria_referrers_read(undoing->self, undoing->connection, undoing->facts.schema->name,
                             undoing->arena, &referrers, &count, undoing->error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = referrers[i].own ? STATUS_OK : keep_referred(undoing, &referrers[i], &total);
    }
    for (total = 1; status == STATUS_OK && total > 0;) {
        total = 0;
        for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
            uint64_t kept = 0;
            status = referrers[i].own ? keep_referred(undoing, &referrers[i], &kept) : STATUS_OK;
            total += kept;
        }
    }
    return status;
}

/* `told`: by the fates that were set; else as they would be. */
static enum status count_fates(const struct undoing *undoing, bool told, struct undo_counts *counts)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    uint64_t numbers[FATE_END] = {0};

    buffer_append_string(&sql, "SELECT fate, count(*) FROM (SELECT ");
    if (told) {
        buffer_append_string(&sql, "u._transhume_fate");
    } else {
        append_fate(&sql, undoing);
    }
    buffer_append_string(&sql, " AS fate FROM ");
    append_undo(&sql, undoing);
    if (!told) {
        buffer_append_string(&sql, " LEFT JOIN ");
        append_target(&sql, undoing);
        append_on(&sql, undoing, "u", "t");
    }
    buffer_append_string(&sql, ") AS k WHERE fate IS NOT NULL GROUP BY fate");
    enum status status = maria_query_buffer(undoing->self, undoing->connection, &sql, MARIA_LONG,
                                            ERROR_TARGET_WRITE, &result, undoing->error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        uint64_t fate = 0;
        if (text_to_uint64(row[0], strlen(row[0]), &fate) == STATUS_OK && fate < FATE_END) {
            status = text_to_uint64(row[1], strlen(row[1]), &numbers[fate]);
        }
    }
    mysql_free_result(result);
    *counts = (struct undo_counts){.removed = numbers[FATE_REMOVE],
                                   .restored = numbers[FATE_RESTORE],
                                   .changed = numbers[FATE_CHANGED],
                                   .missing = numbers[FATE_MISSING]};
    return status;
}

/* ---------------------------------------------------------------- carrying them out */

/* The records may have changed since their fates were set: so the hash once more. */
static void append_fated(struct buffer *sql, const struct undoing *undoing, enum fate fate,
                         uint64_t first, uint64_t end)
{
    buffer_format(sql, " WHERE u._transhume_fate = %d AND u._transhume_hash = ", (int)fate);
    append_hash(sql, undoing);
    if (end > 0) {
        buffer_format(sql, " AND u._transhume_number >= %llu AND u._transhume_number < %llu",
                      (unsigned long long)first, (unsigned long long)end);
    }
}

static void append_remove(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, "DELETE t FROM ");
    append_target(sql, undoing);
    buffer_append_string(sql, " JOIN ");
    append_undo(sql, undoing);
    append_on(sql, undoing, "u", "t");
}

static void append_restore(struct buffer *sql, const struct undoing *undoing)
{
    buffer_append_string(sql, "UPDATE ");
    append_target(sql, undoing);
    buffer_append_string(sql, " JOIN ");
    append_undo(sql, undoing);
    append_on(sql, undoing, "u", "t");
    for (uint32_t i = 0; i < undoing->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", t." : " SET t.");
        maria_append_name(sql, undoing->columns[i].name);
        buffer_append_string(sql, " = u.");
        maria_append_name(sql, undoing->columns[i].name);
    }
}

/* Those numbered from `first` to before `end`; `end` 0: all. STATUS_AGAIN: a constraint or a
 * trigger refuses it, and nothing of it was done. */
static enum status attempt(const struct undoing *undoing, enum fate fate, uint64_t first,
                           uint64_t end, uint64_t *changed)
{
    enum { IS_REFERRED = 1451, IS_REFERRED_OLD = 1217 };
    struct maria_database *self = undoing->self;
    struct undoing trying = *undoing;
    struct error problem = {0};
    struct buffer sql = {0};
    enum error_code code = ERROR_NONE;
    trying.error = &problem;
    if (fate == FATE_REMOVE) {
        append_remove(&sql, undoing);
    } else {
        append_restore(&sql, undoing);
    }
    append_fated(&sql, undoing, fate, first, end);
    enum status status = fate == FATE_REMOVE ? maria_run_unchecked(self, undoing->connection, &sql,
                                                                   changed, &problem)
                                             : run(&trying, &sql, changed);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    unsigned number = (unsigned)problem.native_code;
    if (maria_is_of_record(number, &code) || number == IS_REFERRED || number == IS_REFERRED_OLD) {
        return STATUS_AGAIN;
    }
    error_copy(undoing->error, &problem);
    return STATUS_FAILED;
}

static enum status number_them(const struct undoing *undoing, enum fate fate, uint64_t *count)
{
    struct buffer sql = {0};
    enum status status =
        maria_query(undoing->self, undoing->connection, "SET @_transhume_number = 0", MARIA_SHORT,
                    ERROR_TARGET_WRITE, NULL, undoing->error);
    buffer_append_string(&sql, "UPDATE ");
    append_undo(&sql, undoing);
    buffer_format(&sql,
                  " SET u._transhume_number = (@_transhume_number := @_transhume_number + 1) "
                  "WHERE u._transhume_fate = %d",
                  (int)fate);
    if (status != STATUS_OK) {
        buffer_free(&sql);
        return status;
    }
    return run(undoing, &sql, count);
}

/* In windows where all at once was refused: what a constraint forbids by now (a record of others
 * has its unique value, what it referred to is gone) stays as the run wrote it. */
static enum status carry_out(const struct undoing *undoing, enum fate fate, uint64_t *changed)
{
    uint64_t count = 0;
    enum status status = attempt(undoing, fate, 0, 0, changed);
    if (status != STATUS_AGAIN) {
        return status;
    }
    *changed = 0;
    status = number_them(undoing, fate, &count);
    for (uint64_t at = 1, window = count; status == STATUS_OK && at <= count;) {
        uint64_t one = 0;
        uint64_t size = count + 1 - at < window ? count + 1 - at : window;
        status = attempt(undoing, fate, at, at + size, &one);
        if (status == STATUS_OK) {
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

static enum status undo_keys(const struct undoing *undoing, struct undo_counts *counts)
{
    uint64_t removed = 0;
    uint64_t restored = 0;
    if (set_fates(undoing) != STATUS_OK || keep_all_referred(undoing) != STATUS_OK ||
        count_fates(undoing, true, counts) != STATUS_OK ||
        carry_out(undoing, FATE_REMOVE, &removed) != STATUS_OK ||
        carry_out(undoing, FATE_RESTORE, &restored) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->changed += counts->restored - restored + counts->removed - removed;
    counts->restored = restored;
    counts->removed = removed;
    return maria_ledger_note_making(undoing->self, undoing->connection, undoing->undo_name,
                                    MARIA_UNDONE, undoing->error);
}

/* STATUS_END: there is nothing (any more) to be undone. */
static enum status find_undo(struct undoing *undoing, const struct target_table *table)
{
    struct maria_database *self = undoing->self;
    struct maria_table undo;
    enum maria_making making = MARIA_NOT_MADE;
    undoing->undo_name = sql_undo_name(undoing->arena, self->run_id, table->name);
    if (undoing->undo_name == NULL) {
        return error_set(undoing->error, ERROR_MEMORY, table->name, "no memory to roll it back");
    }
    if (maria_ledger_making(self, undoing->connection, undoing->undo_name, &making,
                            undoing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = making == MARIA_UNDONE
                             ? STATUS_END
                             : maria_target_describe(self, undoing->connection, undoing->undo_name,
                                                     undoing->arena, &undo, undoing->error);
    status = status == STATUS_OK
                 ? maria_target_describe(self, undoing->connection, table->name, undoing->arena,
                                         &undoing->facts, undoing->error)
                 : status;
    return status == STATUS_OK ? find_columns(undoing, &undo) : status;
}

static enum status undo_within(struct undoing *undoing, const struct target_table *table,
                               bool dry_run, struct undo_counts *counts)
{
    enum status status =
        maria_ledger_check_claim(undoing->self, undoing->connection, undoing->error);
    status = status == STATUS_OK ? find_undo(undoing, table) : status;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = dry_run ? count_fates(undoing, false, counts) : undo_keys(undoing, counts);
    return status == STATUS_OK && !dry_run ? failpoint_hit("mysql.before_undo", undoing->error)
                                           : status;
}

/* The ledger says by now that it is of no more use. */
static enum status drop_undo(const struct undoing *undoing)
{
    struct buffer sql = {0};
    if (undoing->undo_name == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "DROP TABLE IF EXISTS ");
    maria_append_table(&sql, undoing->self, undoing->undo_name);
    return run(undoing, &sql, NULL);
}

static enum status undo(struct database *database, const struct target_table *table,
                        int64_t ended_us, bool dry_run, struct undo_counts *counts,
                        struct error *error)
{
    struct undoing undoing = {
        .self = maria_database_of(database), .arena = arena_create(0), .error = error};

    (void)ended_us;
    *counts = (struct undo_counts){0};
    enum status status =
        undoing.arena == NULL
            ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
            : maria_begin(undoing.self, &undoing.connection, error);
    if (status == STATUS_OK) {
        status = maria_end(undoing.self, undoing.connection,
                           undo_within(&undoing, table, dry_run, counts), error);
    }
    if (status == STATUS_OK && !dry_run) {
        status = failpoint_hit("mysql.after_undo", error);
        status = status == STATUS_OK ? drop_undo(&undoing) : status;
    }
    arena_destroy(undoing.arena);
    return status;
}

const struct rollback_functions maria_rollback_functions = {
    .can_undo = can_undo,
    .undo = undo,
    .can_remove = maria_can_remove,
    .remove_table = maria_remove_table,
};
