/* The history of a schema in SQL databases: its tables, and the statements over them. */
#include "connectors/sql/history.h"

#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT = 1, COLUMNS_MAX = 24 };

/* ---------------------------------------------------------------- columns */

/* The kind of a column's member in its struct, at `offset`. */
enum member {
    MEMBER_FORMAT, /* none: FORMAT */
    MEMBER_EPOCH,  /* none: the session's, if it is still the one that may write */
    MEMBER_UINT64,
    MEMBER_UINT32,
    MEMBER_TEXT,
    MEMBER_ACTION,
    MEMBER_STATE,
    MEMBER_STEP_STATE,
    MEMBER_BEGUN,
    MEMBER_ENDED
};

struct column {
    const char *name;
    enum sql_history_type type;
    enum member member;
    size_t offset;
    bool not_null;
    bool kept; /* of a row that is replaced, where the new one says nothing of it */
};

#define ACT(member) offsetof(struct history_row, member)
static const struct column act_columns[] = {
    {"number", SQL_HISTORY_NUMBER, MEMBER_UINT64, ACT(number), true, false},
    {"format", SQL_HISTORY_COUNT, MEMBER_FORMAT, 0, true, false},
    {"action", SQL_HISTORY_WORD, MEMBER_ACTION, ACT(action), true, false},
    {"state", SQL_HISTORY_WORD, MEMBER_STATE, ACT(state), true, false},
    {"version", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(version), false, false},
    {"name", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(name), false, false},
    {"origin", SQL_HISTORY_WORD, MEMBER_TEXT, ACT(origin), false, false},
    {"checksum", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(checksum), false, false},
    {"down_checksum", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(down_checksum), false, false},
    {"origin_checksum", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(origin_checksum), false, false},
    {"steps", SQL_HISTORY_COUNT, MEMBER_UINT32, ACT(steps), true, false},
    {"begun", SQL_HISTORY_TIME, MEMBER_BEGUN, ACT(begun_us), true, true},
    {"ended", SQL_HISTORY_TIME, MEMBER_ENDED, ACT(ended_us), false, false},
    {"run", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(run), false, false},
    {"epoch", SQL_HISTORY_NUMBER, MEMBER_EPOCH, ACT(epoch), true, false},
    {"who", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(who), false, false},
    {"program", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(program), false, false},
    {"error", SQL_HISTORY_TEXT, MEMBER_TEXT, ACT(error), false, false},
    {"restore_point", SQL_HISTORY_TEXT, MEMBER_TEXT, ACT(restore_point), false, true},
    {"schema_hash", SQL_HISTORY_NAME, MEMBER_TEXT, ACT(schema_hash), false, false},
    {"down_text", SQL_HISTORY_TEXT, MEMBER_TEXT, ACT(down_text), false, true},
};
#undef ACT

#define STEP(member) offsetof(struct history_step, member)
static const struct column step_columns[] = {
    {"number", SQL_HISTORY_NUMBER, MEMBER_UINT64, STEP(number), true, false},
    {"step", SQL_HISTORY_COUNT, MEMBER_UINT32, STEP(step), true, false},
    {"state", SQL_HISTORY_WORD, MEMBER_STEP_STATE, STEP(state), true, false},
    {"checksum", SQL_HISTORY_NAME, MEMBER_TEXT, STEP(checksum), false, false},
    {"witness", SQL_HISTORY_TEXT, MEMBER_TEXT, STEP(witness), false, true},
    {"session", SQL_HISTORY_NAME, MEMBER_TEXT, STEP(session), false, true},
    {"line", SQL_HISTORY_COUNT, MEMBER_UINT32, STEP(line), true, false},
    {"changed", SQL_HISTORY_NUMBER, MEMBER_UINT64, STEP(rows), true, false},
    {"begun", SQL_HISTORY_TIME, MEMBER_BEGUN, STEP(begun_us), true, true},
    {"ended", SQL_HISTORY_TIME, MEMBER_ENDED, STEP(ended_us), false, false},
    {"epoch", SQL_HISTORY_NUMBER, MEMBER_EPOCH, 0, true, false},
};
#undef STEP

struct table {
    const char *name;
    const struct column *columns;
    uint32_t count;
    uint32_t keys;     /* the first are the primary key */
    uint32_t unlisted; /* the last are left out of lists */
};
static const struct table acts = {SQL_HISTORY_ACTS, act_columns,
                                  sizeof act_columns / sizeof *act_columns, 1, 1};
static const struct table steps = {SQL_HISTORY_STEPS, step_columns,
                                   sizeof step_columns / sizeof *step_columns, 2, 1};

/* ---------------------------------------------------------------- words of SQL */

static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '\'' || text[i] == '\\') {
            return false;
        }
    }
    return true;
}

static void append_text(const struct sql_history_dialect *dialect, struct buffer *sql,
                        const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;
    if (text == NULL) {
        buffer_append_string(sql, "NULL");
    } else if (is_plain(text, length)) {
        buffer_format(sql, "'%s'", text);
    } else {
        buffer_append_string(sql, dialect->hex[0]);
        buffer_append_hex(sql, text, length);
        buffer_append_string(sql, dialect->hex[1]);
    }
}

static void append_names(struct buffer *sql, const struct column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(sql, "%s%s", i > 0 ? ", " : "", columns[i].name);
    }
}

/* "HEAD table". */
static void append_table(const struct alter_session *session, const char *head, const char *table,
                         struct buffer *sql)
{
    buffer_append_string(sql, head);
    session->history->append_table(session, sql, table);
}

static enum status history_run(struct alter_session *session, struct buffer *sql, uint64_t *changed,
                               struct error *error)
{
    return session->history->run(session, sql, NULL, NULL, changed, error);
}

static enum status failpoint(const struct alter_session *session, const char *place,
                             struct error *error)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", session->history->name, place);
    return failpoint_hit(name, error);
}

/* ---------------------------------------------------------------- making */

static void append_create(const struct alter_session *session, struct buffer *sql,
                          const struct table *table)
{
    append_table(session, "CREATE TABLE IF NOT EXISTS ", table->name, sql);
    buffer_append_string(sql, " (");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        buffer_format(sql, "%s %s%s, ", column->name, session->history->types[column->type],
                      column->not_null ? " NOT NULL" : " NULL");
    }
    buffer_append_string(sql, "PRIMARY KEY (");
    append_names(sql, table->columns, table->keys);
    buffer_format(sql, "))%s", session->history->table_end);
}

static void append_create_lock(const struct alter_session *session, struct buffer *sql)
{
    const char *const *types = session->history->types;
    append_table(session, "CREATE TABLE IF NOT EXISTS ", SQL_HISTORY_LOCK, sql);
    buffer_format(sql,
                  " (id %s NOT NULL PRIMARY KEY, epoch %s NOT NULL, holder %s NULL, session %s "
                  "NULL, renewals %s NOT NULL)%s",
                  types[SQL_HISTORY_COUNT], types[SQL_HISTORY_NUMBER], types[SQL_HISTORY_TEXT],
                  types[SQL_HISTORY_NAME], types[SQL_HISTORY_NUMBER], session->history->table_end);
}

static void append_first_lock(const struct alter_session *session, struct buffer *sql)
{
    append_table(session, "INSERT INTO ", SQL_HISTORY_LOCK, sql);
    buffer_append_string(sql, " (id, epoch, renewals) SELECT 1, 0, 0 FROM (SELECT count(*) AS "
                              "there FROM ");
    session->history->append_table(session, sql, SQL_HISTORY_LOCK);
    buffer_append_string(sql, ") AS c WHERE c.there = 0");
}

enum status sql_history_make(struct alter_session *session, struct error *error)
{
    struct buffer sql = {0};
    enum status status = failpoint(session, "before_history", error);
    if (status == STATUS_OK) {
        append_create(session, &sql, &steps);
        status = history_run(session, &sql, NULL, error);
    }
    if (status == STATUS_OK) {
        append_create_lock(session, &sql);
        status = history_run(session, &sql, NULL, error);
    }
    if (status == STATUS_OK) {
        append_first_lock(session, &sql);
        status = history_run(session, &sql, NULL, error);
    }
    if (status == STATUS_OK) { /* the last one, since it is by this that the others are known */
        append_create(session, &sql, &acts);
        status = history_run(session, &sql, NULL, error);
    }
    return status == STATUS_OK ? failpoint(session, "after_history", error) : status;
}

/* ---------------------------------------------------------------- reading */

struct reading {
    const struct alter_session *session;
    const struct table *table;
    history_visit *visit_act;
    history_step_visit *visit_step;
    void *context;
};

static enum status damaged(const struct reading *reading, const char *column, const char *field,
                           struct error *error)
{
    char shown[48];
    text_printable(field, strlen(field), shown, sizeof shown);
    error_set(error, ERROR_LEDGER_INVALID, reading->session->shown,
              "%s holds \"%s\" in its column %s", reading->table->name, shown, column);
    error_hint(error, "another program or a person wrote there: put the row right by hand");
    return STATUS_FAILED;
}

static bool read_step_state(const char *field, enum history_step_state *state)
{
    *state = strcmp(field, "done") == 0 ? HISTORY_STEP_DONE : HISTORY_STEP_INTENT;
    return *state == HISTORY_STEP_DONE || strcmp(field, "intent") == 0;
}

static bool read_member(const struct column *column, const char *field, char *row)
{
    char *at = row + column->offset;
    uint64_t number = 0;
    if (field == NULL) {
        return !column->not_null;
    }
    switch (column->member) {
    case MEMBER_TEXT:
        *(const char **)(void *)at = field;
        return true;
    case MEMBER_ACTION:
        return history_action_parse(field, (enum history_action *)(void *)at);
    case MEMBER_STATE:
        return history_state_parse(field, (enum history_state *)(void *)at);
    case MEMBER_STEP_STATE:
        return read_step_state(field, (enum history_step_state *)(void *)at);
    case MEMBER_BEGUN:
    case MEMBER_ENDED:
        return text_to_int64(field, strlen(field), (int64_t *)(void *)at) == STATUS_OK;
    default:
        break;
    }
    if (text_to_uint64(field, strlen(field), &number) != STATUS_OK) {
        return false;
    }
    if (column->member == MEMBER_UINT32) {
        *(uint32_t *)(void *)at = (uint32_t)number;
    } else if (column->member == MEMBER_UINT64 || column->offset > 0) {
        *(uint64_t *)(void *)at = number;
    }
    return column->member != MEMBER_UINT32 || number <= UINT32_MAX;
}

static enum status refuse_newer(const struct reading *reading, const char *format,
                                struct error *error)
{
    error_set(error, ERROR_FORMAT_NEWER, reading->session->shown,
              "the history of the schema has format %.10s, and this program knows %d", format,
              (int)FORMAT);
    error_hint(error, "use the version of transhume that wrote it, or a newer one");
    return STATUS_FAILED;
}

static enum status read_row(void *context, const char *const *fields, struct error *error)
{
    struct reading *reading = context;
    struct history_row row = {0};
    struct history_step step = {0};
    char *into = reading->visit_act != NULL ? (char *)&row : (char *)&step;
    for (uint32_t i = 0; i < reading->table->count - reading->table->unlisted; i++) {
        const struct column *column = &reading->table->columns[i];
        if (column->member == MEMBER_FORMAT && fields[i] != NULL && strcmp(fields[i], "1") != 0) {
            return refuse_newer(reading, fields[i], error);
        }
        if (!read_member(column, fields[i], into)) {
            return damaged(reading, column->name, fields[i] != NULL ? fields[i] : "NULL", error);
        }
    }
    return reading->visit_act != NULL ? reading->visit_act(reading->context, &row, error)
                                      : reading->visit_step(reading->context, &step, error);
}

static void append_select(const struct alter_session *session, struct buffer *sql,
                          const struct table *table)
{
    buffer_append_string(sql, "SELECT ");
    for (uint32_t i = 0; i < table->count - table->unlisted; i++) {
        const struct column *column = &table->columns[i];
        buffer_append_string(sql, i > 0 ? ", " : "");
        if (column->type == SQL_HISTORY_TIME) {
            session->history->append_microseconds(sql, column->name);
        } else {
            buffer_append_string(sql, column->name);
        }
    }
    append_table(session, " FROM ", table->name, sql);
}

static enum status read_rows(struct alter_session *session, struct buffer *sql,
                             struct reading *reading, struct error *error)
{
    enum status status = session->history->run(session, sql, read_row, reading, NULL, error);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sql_history_read(struct alter_session *session, history_visit *visit, void *context,
                             struct error *error)
{
    struct buffer sql = {0};
    struct reading reading = {
        .session = session, .table = &acts, .visit_act = visit, .context = context};
    append_select(session, &sql, &acts);
    buffer_append_string(&sql, " ORDER BY number");
    return read_rows(session, &sql, &reading, error);
}

enum status sql_history_read_steps(struct alter_session *session, uint64_t number,
                                   history_step_visit *visit, void *context, struct error *error)
{
    struct buffer sql = {0};
    struct reading reading = {
        .session = session, .table = &steps, .visit_step = visit, .context = context};
    append_select(session, &sql, &steps);
    buffer_format(&sql, " WHERE number = %" PRIu64 " ORDER BY step", number);
    return read_rows(session, &sql, &reading, error);
}

struct one_text {
    struct arena *arena;
    const char *text;
};

static enum status note_text(void *context, const char *const *fields, struct error *error)
{
    struct one_text *one = context;
    (void)error;
    one->text = fields[0] != NULL ? arena_copy_string(one->arena, fields[0]) : NULL;
    return STATUS_OK;
}

enum status sql_history_down_text(struct alter_session *session, uint64_t number,
                                  struct arena *arena, const char **text, struct error *error)
{
    struct buffer sql = {0};
    struct one_text one = {.arena = arena};
    append_table(session, "SELECT down_text FROM ", SQL_HISTORY_ACTS, &sql);
    buffer_format(&sql, " WHERE number = %" PRIu64, number);
    enum status status = session->history->run(session, &sql, note_text, &one, NULL, error);
    *text = one.text;
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- the claim */

struct claim_reading {
    struct arena *arena;
    struct history_claim *claim;
};

static enum status read_claim(void *context, const char *const *fields, struct error *error)
{
    struct claim_reading *reading = context;
    struct history_claim *claim = reading->claim;
    if (fields[0] == NULL ||
        text_to_uint64(fields[0], strlen(fields[0]), &claim->epoch) != STATUS_OK) {
        return error_set(error, ERROR_LEDGER_INVALID, SQL_HISTORY_LOCK, "its epoch is no number");
    }
    claim->session = fields[2] != NULL ? arena_copy_string(reading->arena, fields[2]) : NULL;
    return fields[1] != NULL ? ledger_holder_read(fields[1], &claim->holder, error) : STATUS_OK;
}

enum status sql_history_claim_read(struct alter_session *session, struct arena *arena,
                                   struct history_claim *claim, struct error *error)
{
    struct buffer sql = {0};
    struct claim_reading reading = {.arena = arena, .claim = claim};
    *claim = (struct history_claim){0};
    append_table(session, "SELECT epoch, holder, session FROM ", SQL_HISTORY_LOCK, &sql);
    buffer_append_string(&sql, " WHERE id = 1");
    enum status status = session->history->run(session, &sql, read_claim, &reading, NULL, error);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sql_history_claim(struct alter_session *session, uint64_t seen,
                              const struct ledger_holder *self, struct error *error)
{
    struct buffer sql = {0};
    const char *holder = NULL;
    uint64_t changed = 0;
    struct arena *arena = arena_create(0);
    enum status status = ledger_holder_write(self, arena, &holder, error);
    if (status == STATUS_OK) {
        status = failpoint(session, "before_history", error);
    }
    if (status == STATUS_OK) {
        append_table(session, "UPDATE ", SQL_HISTORY_LOCK, &sql);
        buffer_format(&sql, " SET epoch = %" PRIu64 ", holder = ", seen + 1);
        append_text(session->history, &sql, holder);
        buffer_append_string(&sql, ", session = ");
        append_text(session->history, &sql, session->name);
        buffer_format(&sql, " WHERE id = 1 AND epoch = %" PRIu64, seen);
        status = history_run(session, &sql, &changed, error);
    }
    arena_destroy(arena);
    if (status != STATUS_OK || changed != 1) {
        return status == STATUS_FAILED ? status : STATUS_AGAIN;
    }
    session->epoch = seen + 1;
    return failpoint(session, "after_history", error);
}

/* ---------------------------------------------------------------- writing */

static void append_ended(const struct sql_history_dialect *dialect, struct buffer *sql, int64_t us,
                         bool over)
{
    if (us != 0) {
        dialect->append_time(sql, us);
    } else {
        buffer_append_string(sql, over ? dialect->now : "NULL");
    }
}

static void append_epoch(const struct alter_session *session, struct buffer *sql)
{
    append_table(session, "(SELECT epoch FROM ", SQL_HISTORY_LOCK, sql);
    buffer_format(sql, " WHERE id = 1 AND epoch = %" PRIu64 "%s)", session->epoch,
                  session->history->locking);
}

static void append_member(const struct alter_session *session, struct buffer *sql,
                          const struct column *column, const char *row, bool over)
{
    const char *at = row + column->offset;
    const struct sql_history_dialect *dialect = session->history;
    switch (column->member) {
    case MEMBER_FORMAT:
        buffer_append_int64(sql, FORMAT);
        break;
    case MEMBER_EPOCH:
        append_epoch(session, sql);
        break;
    case MEMBER_UINT64:
        buffer_append_uint64(sql, *(const uint64_t *)(const void *)at);
        break;
    case MEMBER_UINT32:
        buffer_append_uint64(sql, *(const uint32_t *)(const void *)at);
        break;
    case MEMBER_TEXT:
        append_text(dialect, sql, *(const char *const *)(const void *)at);
        break;
    case MEMBER_ACTION:
        append_text(dialect, sql,
                    history_action_name(*(const enum history_action *)(const void *)at));
        break;
    case MEMBER_STATE:
        append_text(dialect, sql,
                    history_state_name(*(const enum history_state *)(const void *)at));
        break;
    case MEMBER_STEP_STATE:
        append_text(dialect, sql, over ? "done" : "intent");
        break;
    case MEMBER_BEGUN:
        if (*(const int64_t *)(const void *)at != 0) {
            dialect->append_time(sql, *(const int64_t *)(const void *)at);
        } else {
            dialect->append_begun(session, sql);
        }
        break;
    case MEMBER_ENDED:
        append_ended(dialect, sql, *(const int64_t *)(const void *)at, over);
        break;
    }
}

/* The columns that a row which is there gets anew: all but its key. */
static void append_conflict(const struct sql_history_dialect *dialect, struct buffer *sql,
                            const char *table, const struct table *of, bool begun)
{
    buffer_append_string(sql, dialect->conflict[0]);
    if (dialect->conflict[1][0] != '\0') {
        append_names(sql, of->columns, of->keys);
        buffer_append_string(sql, dialect->conflict[1]);
    }
    const char *comma = "";
    for (uint32_t i = of->keys; i < of->count; i++) {
        const struct column *column = &of->columns[i];
        if (column->member == MEMBER_BEGUN && !begun) {
            continue;
        }
        buffer_format(sql, "%s%s = %s%s%s%s", comma, column->name, column->kept ? "coalesce(" : "",
                      dialect->given[0], column->name, dialect->given[1]);
        if (column->kept) {
            buffer_format(sql, ", %s.%s)", table, column->name);
        }
        comma = ", ";
    }
}

enum status sql_history_fenced(const struct alter_session *session, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, session->shown,
              "another process claimed the history of the schema, and this one stops");
    error_hint(error, "see what it did with `transhume schema status`");
    return STATUS_FAILED;
}

static bool says_null(const struct sql_history_dialect *dialect, const struct error *error)
{
    return dialect->null_state != NULL ? strcmp(error->native_state, dialect->null_state) == 0
                                       : error->native_code == dialect->null_code;
}

static enum status history_line_put(struct alter_session *session, const struct table *table,
                                    const void *row, bool over, bool begun, struct error *error)
{
    struct error inner = {0};
    struct buffer sql = {0};
    struct buffer name = {0};
    if (failpoint(session, "before_history", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->history->append_table(session, &name, table->name);
    buffer_format(&sql, "INSERT INTO %s (", buffer_string(&name));
    append_names(&sql, table->columns, table->count);
    buffer_append_string(&sql, ") VALUES (");
    for (uint32_t i = 0; i < table->count; i++) {
        buffer_append_string(&sql, i > 0 ? ", " : "");
        append_member(session, &sql, &table->columns[i], row, over);
    }
    buffer_append_string(&sql, ")");
    append_conflict(session->history, &sql, table->name, table, begun);
    buffer_free(&name);
    enum status status = history_run(session, &sql, NULL, &inner);
    if (status == STATUS_FAILED && says_null(session->history, &inner)) {
        return sql_history_fenced(session, error);
    }
    if (status == STATUS_END) {
        return error_set(error, ERROR_LEDGER_INVALID, session->shown, "%s is not there",
                         table->name);
    }
    if (status != STATUS_OK) {
        return error_copy(error, &inner);
    }
    return failpoint(session, "after_history", error);
}

enum status sql_history_put(struct alter_session *session, const struct history_row *row,
                            struct error *error)
{
    return history_line_put(session, &acts, row, row->state != HISTORY_RUNNING, row->begun_us != 0,
                            error);
}

enum status sql_history_put_step(struct alter_session *session, const struct history_step *step,
                                 struct error *error)
{
    struct history_step written = *step;
    if (written.session == NULL && step->state == HISTORY_STEP_INTENT) {
        written.session = session->name;
    }
    return history_line_put(session, &steps, &written, step->state == HISTORY_STEP_DONE,
                            step->begun_us != 0, error);
}
