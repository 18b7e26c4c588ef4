/*
 * Runs of the ledger: which there are, and taking one out, with all that was kept for it.
 *
 * The run's rows go in one transaction; tables of ours that belong to no run any more are swept up
 * after it, and again by whoever finds some: forget, tidy, and the next run that is made.
 */
#include "base/failpoint.h"
#include "connectors/mysql/objects.h"
#include "connectors/mysql/rebuild.h"
#include "connectors/sql/claim.h"
#include <string.h>
#include <strings.h>

enum { RUNS_MAX = 100000 };

/* ---------------------------------------------------------------- listing */

/* Without a ledger: none. */
static enum status list_runs(struct maria_database *self, MYSQL *connection, struct arena *arena,
                             const char ***ids, uint32_t *count, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    *ids = NULL;
    *count = 0;
    enum status status = maria_ledger_check(self, connection, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    buffer_append_string(&sql, "SELECT id FROM ");
    maria_append_table(&sql, self, "_transhume_run");
    buffer_append_string(&sql, " ORDER BY number");
    status = maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID, &result,
                                error);
    uint64_t rows = status == STATUS_OK ? mysql_num_rows(result) : 0;
    if (rows > RUNS_MAX) {
        status = maria_ledger_invalid(self, "it has too many runs", error);
    }
    const char **made =
        status == STATUS_OK ? arena_allocate_zeroed(arena, (size_t)rows + 1, sizeof *made) : NULL;
    while (made != NULL && (row = mysql_fetch_row(result)) != NULL) {
        made[*count] = arena_copy_string(arena, row[0] != NULL ? row[0] : "");
        made = made[(*count)++] != NULL ? made : NULL;
    }
    mysql_free_result(result);
    *ids = made;
    return status == STATUS_OK && made == NULL
               ? error_set(error, ERROR_MEMORY, self->shown, "no memory for the list of runs")
               : status;
}

enum status maria_ledger_list(struct database *database, struct arena *arena, const char ***ids,
                              uint32_t *count, struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    *ids = NULL;
    *count = 0;
    return maria_control(self, &connection, error) == STATUS_OK
               ? list_runs(self, connection, arena, ids, count, error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- sweeping */

struct runs {
    const char **ids;
    uint32_t count;
};

static bool begins(const char *name, const char *prefix)
{
    return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

/* Keys belong to the run that writes; the next one drops them. */
static bool is_left_over(const struct runs *runs, const char *name)
{
    if (runs->count == 0) {
        return true;
    }
    bool known = false;
    for (uint32_t i = 0; i < runs->count; i++) {
        char prefix[SQL_OWN_NAME_BYTES];
        sql_undo_prefix(runs->ids[i], prefix);
        known = known || begins(name, prefix);
    }
    return begins(name, "_transhume_drop_") || (begins(name, "_transhume_undo_") && !known);
}

/* The table of runs goes first: without it the others are no ledger. */
static enum status drop_left_over(struct maria_database *self, MYSQL *connection,
                                  const struct runs *runs, struct error *error)
{
    struct buffer drop = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status = maria_list_own(self, connection, "_transhume_", &result, error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        if (is_left_over(runs, row[0])) {
            buffer_append_string(&drop, drop.length > 0 ? ", " : "DROP TABLE IF EXISTS ");
            maria_append_table(&drop, self, row[0]);
        }
    }
    mysql_free_result(result);
    if (status != STATUS_OK || buffer_is_empty(&drop)) {
        buffer_free(&drop);
        return status;
    }
    return maria_alter_unchecked(self, connection, &drop, "_transhume_run", error);
}

enum status maria_ledger_sweep(struct maria_database *self, MYSQL *connection, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct runs runs = {0};
    enum status status =
        arena == NULL ? error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger")
                      : list_runs(self, connection, arena, &runs.ids, &runs.count, error);
    status = status == STATUS_OK ? drop_left_over(self, connection, &runs, error) : status;
    arena_destroy(arena);
    return status;
}

/* Beside nobody who makes a run at this moment. */
enum status maria_ledger_tidy(struct database *database, bool rolled_back, struct error *error)
{
    (void)rolled_back;
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    if (maria_control(self, &connection, error) != STATUS_OK ||
        maria_lock_creating(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = maria_ledger_sweep(self, connection, error);
    if (maria_is_alive(connection)) {
        maria_unlock_creating(self, connection);
    }
    return status;
}

/* ---------------------------------------------------------------- forgetting */

static enum status forget_rows(struct maria_database *self, MYSQL *connection, const char *run_id,
                               uint64_t epoch, struct error *error)
{
    static const char *const tables[][2] = {{"_transhume_chunk", "run"},
                                            {"_transhume_done", "run"},
                                            {"_transhume_made", "run"},
                                            {"_transhume_run", "id"}};
    enum status status = maria_ledger_check_epoch(self, connection, run_id, epoch, error);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && status == STATUS_OK; i++) {
        struct buffer sql = {0};
        buffer_append_string(&sql, "DELETE FROM ");
        maria_append_table(&sql, self, tables[i][0]);
        buffer_format(&sql, " WHERE %s = ", tables[i][1]);
        maria_append_string(&sql, run_id);
        status = maria_query_buffer(self, connection, &sql, MARIA_LONG, ERROR_LEDGER_INVALID, NULL,
                                    error);
    }
    status = status == STATUS_OK ? maria_objects_forget(self, connection, run_id, error) : status;
    return status == STATUS_OK ? failpoint_hit("mysql.before_forget", error) : status;
}

static enum status forget(struct maria_database *self, const char *run_id, uint64_t epoch,
                          bool rolled_back, struct error *error)
{
    MYSQL *connection = NULL;

    if (rolled_back && (maria_control(self, &connection, error) != STATUS_OK ||
                        maria_objects_drop_early(self, connection, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    /* those who come after the ledger would not know of it */
    if (maria_put_back(self, run_id, NULL, error) != STATUS_OK ||
        maria_begin(self, &connection, error) != STATUS_OK ||
        maria_end(self, connection, forget_rows(self, connection, run_id, epoch, error), error) !=
            STATUS_OK ||
        failpoint_hit("mysql.after_forget", error) != STATUS_OK ||
        maria_drop_key_tables(self, connection, error) != STATUS_OK ||
        maria_ledger_tidy(&self->base, rolled_back, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.after_sweep", error);
}

/* Asked in a session of no run: one that is to work on a run that is gone would be refused. */
static bool is_gone(struct maria_database *self, const char *run_id)
{
    struct error ignored;
    struct buffer sql = {0};
    MYSQL *connection = NULL;
    int64_t found = 0;
    enum status status = maria_connect(self, &connection, &ignored);
    status = status == STATUS_OK ? maria_ledger_check(self, connection, &ignored) : status;
    bool gone = status == STATUS_END;
    if (status == STATUS_OK) {
        buffer_append_string(&sql, "SELECT count(*) FROM ");
        maria_append_table(&sql, self, "_transhume_run");
        buffer_append_string(&sql, " WHERE id = ");
        maria_append_string(&sql, run_id);
        gone = maria_ask_number(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID, -1,
                                &found, &ignored) == STATUS_OK &&
               found == 0;
    }
    maria_disconnect(connection);
    return gone;
}

/* What the sweep had still to do is done without a claim, too. */
enum status maria_ledger_forget(struct database *database, const char *run_id, uint64_t epoch,
                                bool rolled_back, struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    enum status status = forget(self, run_id, epoch, rolled_back, error);
    bool gone = status != STATUS_OK && sql_may_be_forgotten(error) && is_gone(self, run_id);
    if (gone) {
        error_clear(error);
    } else if (status != STATUS_OK) {
        return status;
    }
    status = database->connector->ledger->release(database, run_id, epoch, error);
    return status == STATUS_OK && gone ? maria_ledger_tidy(database, rolled_back, error) : status;
}
