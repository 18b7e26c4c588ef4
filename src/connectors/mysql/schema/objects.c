/*
 * Views, triggers, routines, events and sequences of a plain copy between two of these servers:
 * made as the source tells them, on a connection of their own, since each brings the settings that
 * its words are understood by. What depends on what is found by trying.
 */
#include "connectors/mysql/schema/objects.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/statement.h"
#include "connectors/mysql/translate.h"
#include "connectors/sql/builders.h"
#include <string.h>

enum { SHOWN_BYTES = 160, NO_SUCH_DEFINER = 1449, RIGHT_MISSING = 1227 };

struct maker {
    struct mysql_database *self;
    MYSQL *connection; /* makes them; another one asks, and writes the ledger */
    bool lost;         /* one before it: the server may still be at its statement */
    struct arena *arena;
    const struct target_table *tables;
    uint32_t table_count;
    const struct schema *objects;
    enum mysql_moment moment;
    bool *waits; /* of each object: it is to be made */
    struct mysql_noted *noted;
    uint32_t noted_count;
    struct error *error;
};

static const char *shown(const char *name, char printable[SHOWN_BYTES])
{
    text_printable(name, strlen(name), printable, SHOWN_BYTES);
    return printable;
}

/* An object that belongs to a table goes with it only if this run made that. */
static bool is_wanted(const struct maker *maker, const struct schema_object *object)
{
    bool now = object->stage == SCHEMA_BEFORE_TABLES || maker->moment == MYSQL_AFTER_LOAD;
    if (object->native_sql == NULL || !now) {
        return false;
    }
    for (uint32_t i = 0; object->table != NULL && i < maker->table_count; i++) {
        if (strcmp(maker->tables[i].name, object->table) == 0) {
            return maker->tables[i].created;
        }
    }
    return object->table == NULL;
}

/* Goes with an object, and is made as often as it is asked for. */
static bool is_detail(const struct schema_object *object)
{
    return object->kind == SCHEMA_OBJECT_DETAIL;
}

/* ---------------------------------------------------------------- the statement */

void mysql_append_object(struct buffer *sql, const struct mysql_database *self, const char *from,
                         const struct schema_object *object, const char *statement)
{
    const char *to = self->sql.schema;
    if (object->kind == SCHEMA_OBJECT_TRIGGER) {
        mysql_append_trigger(sql, statement, to);
    } else if (object->kind == SCHEMA_OBJECT_VIEW && from != NULL && strcmp(from, to) != 0) {
        mysql_append_moved(sql, statement, from, to);
    } else {
        buffer_append_string(sql, statement);
    }
}

/* Without `out`, as when it is not enabled. An event that two servers have would come twice. */
static void append_without(struct buffer *sql, const char *statement, struct text out,
                           const char *instead)
{
    mysql_append(sql, "%S%s%s", statement, (size_t)(out.data - statement),
                 out.length > 0 ? instead : "", out.data + out.length);
}

static enum status objects_send(struct maker *maker, struct buffer *sql, struct error *problem)
{
    return mysql_run_buffer(maker->self, maker->connection, sql, SQL_BUILD, ERROR_TARGET_SCHEMA,
                            NULL, problem);
}

static enum status set_session(struct maker *maker, const char *settings, size_t length,
                               struct error *problem)
{
    struct buffer sql = {0};
    enum status status = mysql_session_reset(maker->self, maker->connection, problem);
    status =
        status == STATUS_OK ? mysql_wait_briefly(maker->self, maker->connection, problem) : status;
    if (status != STATUS_OK || length == 0) {
        return status;
    }
    mysql_append_settings(&sql, maker->self, settings, length);
    return objects_send(maker, &sql, problem);
}

/* ---------------------------------------------------------------- what is told */

static void tell_definer(const struct schema_object *object, struct text definer)
{
    char name[SHOWN_BYTES];
    char who[SHOWN_BYTES];
    text_printable(definer.data, definer.length, who, sizeof who);
    log_write(LOG_WARNING,
              "the %s %s belongs to the account of this run: it may not make one with %s",
              object->what, shown(object->name, name), who);
}

/* Tells what the server warned of and did nevertheless. */
static void tell_warnings(struct maker *maker, const struct schema_object *object)
{
    char name[SHOWN_BYTES];
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    struct error ignored = {0};
    if (mysql_warning_count(maker->connection) == 0) {
        return;
    }
    (void)!mysql_run(maker->self, maker->connection, "SHOW WARNINGS", SQL_SHORT,
                     ERROR_TARGET_SCHEMA, &result, &ignored);
    shown(object->name, name);
    while (result != NULL && (row = mysql_fetch_row(result)) != NULL) {
        uint64_t number = 0;
        (void)!text_to_uint64(row[1], strlen(row[1]), &number);
        if (number == NO_SUCH_DEFINER) {
            log_write(LOG_WARNING, "the %s %s fails until its definer is there: %s", object->what,
                      name, row[2]);
        }
    }
    mysql_free_result(result);
}

static void tell_disabled(const struct schema_object *object)
{
    char name[SHOWN_BYTES];
    log_write(LOG_WARNING,
              "the event %s is made disabled, or both servers would carry it out: ALTER EVENT … "
              "ENABLE after the cut-over",
              shown(object->name, name));
}

/* There is a table, routine, trigger, event or sequence of that name. */
static bool is_there(const struct error *problem)
{
    return problem->native_code == 1050 || problem->native_code == 1304 ||
           problem->native_code == 1359 || problem->native_code == 1537;
}

static void tell_present(const struct maker *maker, const struct schema_object *object)
{
    char name[SHOWN_BYTES];
    shown(object->name, name);
    if (maker->moment == MYSQL_BEFORE_TABLES) {
        log_write(LOG_INFO, "the %s %s is in the target already and stays as it is", object->what,
                  name);
    } else if (object->stage != SCHEMA_BEFORE_TABLES) {
        log_write(LOG_WARNING,
                  "the %s %s is not made: the target has one of this name, which stays as it is",
                  object->what, name);
    }
}

static void objects_tell(const struct schema_object *object, const struct error *problem)
{
    char name[SHOWN_BYTES];
    log_write(LOG_WARNING, "the %s %s is not made: %s", object->what, shown(object->name, name),
              is_there(problem) ? "the target has one of this name, which stays as it is"
                                : problem->message);
}

/* ---------------------------------------------------------------- making one */

/* With the definer that it has, or, where the account may not or is to be it, with its own. */
static enum status objects_create(struct maker *maker, const struct schema_object *object,
                                  const char *statement, struct error *problem)
{
    struct buffer sql = {0};
    const struct text definer = mysql_definer(statement);
    bool own = maker->self->sql.base.definer == DEFINER_SELF && definer.length > 0;
    enum status status = STATUS_FAILED;
    if (!own) {
        mysql_append_object(&sql, maker->self, maker->objects->settings, object, statement);
        status = objects_send(maker, &sql, problem);
        if (status == STATUS_OK || problem->native_code != RIGHT_MISSING || definer.length == 0) {
            return status;
        }
    }
    struct buffer bare = {0};
    append_without(&bare, statement, definer, "");
    mysql_append_object(&sql, maker->self, maker->objects->settings, object, buffer_string(&bare));
    buffer_free(&bare);
    *problem = (struct error){0};
    status = objects_send(maker, &sql, problem);
    if (status == STATUS_OK && !own) {
        tell_definer(object, definer);
    }
    return status;
}

/* Each change once, however often the statement names the collation. */
static void tell_translated(const struct schema_object *object, struct buffer *notes)
{
    const char *text = buffer_string(notes);
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        size_t length = (size_t)(end + 1 - line);
        bool told = false;
        for (const char *before = text; before < line; before = strchr(before, '\n') + 1) {
            told = told || strncmp(before, line, length) == 0;
        }
        size_t kind = strcspn(line, "\t") + 1;
        if (!told && kind < length) {
            log_write(LOG_WARNING, "the %s %s: %.*s", object->what, object->name,
                      (int)(length - kind - 1), line + kind);
        }
    }
}

/* A source's text: how the session is set, the statement, and where that enables an event. */
struct words {
    struct text settings; /* empty: no first line says any */
    const char *statement;
    struct text enabled;
};

static struct words take_apart(const struct schema_object *object)
{
    const char *text = object->native_sql;
    const char *end = strchr(text, '\n');
    struct words words = {
        {text, end != NULL ? (size_t)(end - text) : 0}, end != NULL ? end + 1 : text, {text, 0}};
    if (strcmp(object->what, "event") == 0) {
        words.enabled = mysql_enabled(words.statement);
    } else {
        words.enabled.data = words.statement;
    }
    return words;
}

/* A source may say anything in the place of its objects' statements. */
static bool is_sound(const struct schema_object *object, const struct words *words)
{
    return is_detail(object) ? mysql_sets(words->statement, object->name)
                             : mysql_makes(words->statement, object->what, object->name);
}

/* With collations that this server has, and an event disabled. */
static void append_made(struct buffer *sql, const struct mysql_database *self,
                        const struct words *words, struct buffer *notes)
{
    struct buffer made = {0};
    append_without(&made, words->statement, words->enabled, "DISABLE");
    mysql_append_translated(sql, self, buffer_string(&made), notes);
    buffer_free(&made);
}

static enum status objects_make(struct maker *maker, const struct schema_object *object,
                                struct error *problem)
{
    const struct words words = take_apart(object);
    struct buffer translated = {0};
    struct buffer notes = {0};
    if (!is_sound(object, &words)) {
        return error_set(problem, ERROR_TARGET_SCHEMA, object->name,
                         "what the source tells is no statement that makes it");
    }
    enum status status = set_session(maker, words.settings.data, words.settings.length, problem);
    append_made(&translated, maker->self, &words, &notes);
    status = status == STATUS_OK
                 ? objects_create(maker, object, buffer_string(&translated), problem)
                 : status;
    buffer_free(&translated);
    if (status == STATUS_OK) {
        tell_translated(object, &notes);
    }
    buffer_free(&notes);
    if (status == STATUS_OK && words.enabled.length > 0) {
        tell_disabled(object);
    }
    if (status == STATUS_OK) {
        tell_warnings(maker, object);
    }
    return status;
}

/* ---------------------------------------------------------------- noting it */

typedef enum status (*ledger_note)(struct mysql_database *self, MYSQL *connection, const char *what,
                                   const char *name, struct error *error);

/* Unless another attempt took the run over. STATUS_END: what was made is not there. */
static enum status objects_note(struct maker *maker, const struct schema_object *object,
                                ledger_note change)
{
    MYSQL *connection = NULL;
    if (mysql_begin(maker->self, &connection, maker->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_check_claim(maker->self, connection, maker->error);
    if (status == STATUS_OK && !is_detail(object)) {
        status = change(maker->self, connection, object->what, object->name, maker->error);
    }
    const bool gone = status == STATUS_END;
    status = mysql_end(maker->self, connection, gone ? STATUS_OK : status, maker->error);
    return status == STATUS_OK && gone ? STATUS_END : status;
}

/* In a session of ours: in that of the object texts may be read otherwise. */
static void tell_holder(struct maker *maker, const struct schema_object *object,
                        struct error *problem)
{
    struct error ignored = {0};
    if (mysql_is_alive(maker->connection) &&
        mysql_session_reset(maker->self, maker->connection, &ignored) == STATUS_OK) {
        mysql_tell_holder(maker->self, maker->connection,
                          object->table != NULL ? object->table : object->name, problem);
    }
}

static enum status note_made(struct maker *maker, const struct schema_object *object)
{
    char name[SHOWN_BYTES];
    enum status status = failpoint_hit("mysql.after_object", maker->error);
    status = status == STATUS_OK ? objects_note(maker, object, mysql_object_note) : status;
    if (status == STATUS_END) {
        log_write(LOG_WARNING, "the %s %s is not made: the server took its statement and made none",
                  object->what, shown(object->name, name));
        status = STATUS_OK;
    }
    return status;
}

/* An object that was not made is none of the run's: others may make it. Nobody knows what a server
 * was at when its connection broke off. */
static enum status forget_unmade(struct maker *maker, const struct schema_object *object)
{
    return mysql_is_alive(maker->connection) ? objects_note(maker, object, mysql_object_forget)
                                             : STATUS_OK;
}

/* ---------------------------------------------------------------- trying one */

/* Would it be no better another time? Somebody's lock, or a full disk, is no reason to go on
 * without it. */
static bool is_refusal(const struct maker *maker, const struct error *problem)
{
    return mysql_is_alive(maker->connection) && problem->class != ERROR_CLASS_RETRY &&
           problem->code != ERROR_INTERRUPTED && problem->code != ERROR_MEMORY &&
           problem->code != ERROR_DISK_FULL;
}

static enum status try_object(void *context, uint32_t number, bool last)
{
    struct maker *maker = context;
    const struct schema_object *object = &maker->objects->objects[number];
    struct error problem = {0};
    if (!maker->waits[number]) {
        return STATUS_END;
    }
    if (objects_note(maker, object, mysql_object_intend) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (objects_make(maker, object, &problem) == STATUS_OK) {
        maker->waits[number] = false;
        return is_detail(object) ? STATUS_OK : note_made(maker, object);
    }
    enum status status = forget_unmade(maker, object);
    if (status == STATUS_OK && !is_refusal(maker, &problem)) {
        tell_holder(maker, object, &problem);
        error_copy(maker->error, &problem);
        error_context(maker->error, "%s: ", object->name);
        status = STATUS_FAILED;
    }
    if (status != STATUS_OK) {
        return status;
    }
    bool told = maker->moment == MYSQL_AFTER_LOAD && (last || is_there(&problem));
    if (told) {
        objects_tell(object, &problem);
    }
    return is_there(&problem) ? STATUS_END : STATUS_AGAIN;
}

/* ---------------------------------------------------------------- what is to be made */

static const struct mysql_noted *find_noted(const struct maker *maker,
                                            const struct schema_object *object)
{
    for (uint32_t i = 0; i < maker->noted_count; i++) {
        if (strcmp(maker->noted[i].what, object->what) == 0 &&
            strcmp(maker->noted[i].name, object->name) == 0) {
            return &maker->noted[i];
        }
    }
    return NULL;
}

/* The one that was about to be made and is there is the run's: it ended before it could say so. */
static enum status look_at(struct maker *maker, MYSQL *connection, uint32_t number)
{
    const struct schema_object *object = &maker->objects->objects[number];
    const struct mysql_noted *noted = find_noted(maker, object);
    bool found = false;
    if (!is_wanted(maker, object) || (noted != NULL && noted->digest != NULL)) {
        return STATUS_OK;
    }
    if (is_detail(object)) { /* of the one before it, if that is the run's */
        maker->waits[number] = maker->waits[number - 1] || find_noted(maker, object - 1) != NULL;
        return STATUS_OK;
    }
    enum status status = mysql_object_is_there(maker->self, connection, object->what, object->name,
                                               &found, maker->error);
    if (status != STATUS_OK) {
        return status;
    }
    if (found && noted == NULL) {
        tell_present(maker, object);
        return STATUS_OK;
    }
    maker->waits[number] = !found;
    return noted == NULL ? STATUS_OK
           : found       ? mysql_object_note(maker->self, connection, object->what, object->name,
                                             maker->error)
                         : mysql_object_forget(maker->self, connection, object->what, object->name,
                                               maker->error);
}

static enum status look_at_all(struct maker *maker)
{
    MYSQL *connection = NULL;
    enum status status = mysql_control(maker->self, &connection, maker->error);
    status = status == STATUS_OK ? mysql_objects_make_table(maker->self, connection, maker->error)
                                 : status;
    status = status == STATUS_OK ? mysql_begin(maker->self, &connection, maker->error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    status = mysql_check_claim(maker->self, connection, maker->error);
    status = status == STATUS_OK
                 ? mysql_objects_noted(maker->self, connection, maker->arena, &maker->noted,
                                       &maker->noted_count, maker->error)
                 : status;
    for (uint32_t i = 0; status == STATUS_OK && i < maker->objects->object_count; i++) {
        status = look_at(maker, connection, i);
        status = status == STATUS_END ? STATUS_OK : status; /* it is gone by now */
    }
    return mysql_end(maker->self, connection, status, maker->error);
}

/* Else what it makes in the end would be nobody's: it is looked at once it can make nothing more.
 */
static enum status end_lost(struct maker *maker)
{
    struct mysql_database *self = maker->self;
    MYSQL *connection = NULL;
    if (!maker->lost || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_control(self, &connection, maker->error);
    status = status == STATUS_OK ? mysql_sessions_end(self, connection, self->sql.run_id,
                                                      self->sql.epoch, maker->error)
                                 : status;
    maker->lost = status != STATUS_OK;
    return status;
}

static enum status make_all(struct maker *maker)
{
    struct mysql_database *self = maker->self;
    enum status status = end_lost(maker);
    status = status == STATUS_OK ? look_at_all(maker) : status;
    status = status == STATUS_OK ? failpoint_hit("mysql.before_objects", maker->error) : status;
    status = status == STATUS_OK ? mysql_join(self, &maker->connection, maker->error) : status;
    status = status == STATUS_OK ? sql_make_in_rounds(maker->objects->object_count,
                                                      maker->moment == MYSQL_AFTER_LOAD, try_object,
                                                      maker, maker->error)
                                 : status;
    maker->lost |= maker->connection != NULL && !mysql_is_alive(maker->connection);
    mysql_disconnect(maker->connection);
    maker->connection = NULL;
    return status == STATUS_OK ? failpoint_hit("mysql.after_objects", maker->error) : status;
}

static enum status try_all(struct maker *maker)
{
    arena_reset(maker->arena);
    maker->noted_count = 0;
    maker->waits =
        arena_allocate_zeroed(maker->arena, maker->objects->object_count, sizeof *maker->waits);
    return make_all(maker);
}

/* A failure that may pass leads to another try here, without all that was done before; objects that
 * are made stay. The patience is spent but once. */
static enum status persist(struct maker *maker)
{
    struct retry retry;
    enum status status;
    mysql_retry_begin(maker->self, &retry);
    do {
        status = try_all(maker);
    } while (mysql_tries_again(&retry, status, maker->error));
    return status;
}

enum status mysql_objects_make(struct mysql_database *self, const struct target_table *tables,
                               uint32_t table_count, const struct schema *objects,
                               enum mysql_moment moment, struct error *error)
{
    struct maker maker = {.self = self,
                          .tables = tables,
                          .table_count = table_count,
                          .objects = objects,
                          .moment = moment,
                          .error = error};
    bool any = false;
    for (uint32_t i = 0; objects != NULL && i < objects->object_count; i++) {
        any = any || is_wanted(&maker, &objects->objects[i]);
    }
    if (!any) {
        return STATUS_OK;
    }
    MYSQL *connection = NULL;
    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK ? mysql_read_collations(self, connection, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    maker.arena = arena_create(0);
    status = persist(&maker);
    arena_destroy(maker.arena);
    return status;
}

/* ---------------------------------------------------------------- showing it */

static void show_object(const struct mysql_database *self, const struct script_request *request,
                        const struct schema_object *object, enum script_moment moment,
                        struct script *script)
{
    const struct words words = take_apart(object);
    struct buffer translated = {0};
    struct buffer notes = {0};
    struct buffer sql = {0};
    if (!is_sound(object, &words)) { /* nor would it be sent */
        return;
    }
    if (words.settings.length > 0) {
        mysql_append_settings(&sql, self, words.settings.data, words.settings.length);
        script_add(script, moment, "setting", object->name, &sql);
    }
    append_made(&translated, self, &words, &notes);
    const char *statement = buffer_string(&translated);
    const struct text definer = mysql_definer(statement);
    struct buffer bare = {0};
    if (self->sql.base.definer == DEFINER_SELF && definer.length > 0) {
        append_without(&bare, statement, definer, "");
        statement = buffer_string(&bare);
    }
    mysql_append_object(&sql, self, request->objects->settings, object, statement);
    buffer_free(&bare);
    script_add(script, moment, schema_object_word(object), object->name, &sql);
    buffer_free(&translated);
    buffer_free(&notes);
}

/* One of its name stays as it is. A detail goes along with the object before it. */
enum status mysql_show_objects(struct mysql_database *self, MYSQL *connection,
                               const struct script_request *request, enum mysql_moment moment,
                               struct script *script, struct error *error)
{
    uint32_t count = request->objects != NULL ? request->objects->object_count : 0;
    bool shown_before = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct schema_object *object = &request->objects->objects[i];
        bool early = object->stage == SCHEMA_BEFORE_TABLES;
        bool there = is_detail(object) && !shown_before;
        if (early != (moment == MYSQL_BEFORE_TABLES) || !script_wants_object(request, i)) {
            continue;
        }
        if (!is_detail(object) && request->there != NULL &&
            mysql_object_is_there(self, connection, object->what, object->name, &there, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
        shown_before = !there;
        if (!there) {
            show_object(self, request, object, early ? SCRIPT_BEFORE_LOAD : SCRIPT_AFTER_LOAD,
                        script);
        }
    }
    return STATUS_OK;
}
