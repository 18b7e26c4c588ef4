/*
 * The fate of a statement whose session was lost. A schema change commits by itself: whether
 * it was carried out shows in what the server tells of its objects (SHOW CREATE …). It is asked on
 * the control connection, whose settings, by which those words change, are always the same.
 */
#include "connectors/common/alter_settle.h"
#include "base/text.h"
#include "connectors/mysql/change/alter.h"
#include "connectors/mysql/statement.h"
#include "connectors/mysql/target.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#define ABSENT "-"

/* ---------------------------------------------------------------- witnesses */

struct kind {
    const char *name;
    const char *shows[2]; /* NULL: no further one */
    bool server;          /* of the server, not of a database */
};

/* An index shows in its table. */
static const struct kind kinds[] = {{"table", {"TABLE"}, false},
                                    {"view", {"TABLE"}, false},
                                    {"sequence", {"TABLE"}, false},
                                    {"trigger", {"TRIGGER"}, false},
                                    {"procedure", {"PROCEDURE"}, false},
                                    {"function", {"FUNCTION"}, false},
                                    {"routine", {"PROCEDURE", "FUNCTION"}, false},
                                    {"event", {"EVENT"}, false},
                                    {"schema", {"DATABASE"}, true},
                                    {"database", {"DATABASE"}, true}};

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* No such table, trigger, routine, event, database. */
static bool says_absent(int64_t number)
{
    static const int64_t numbers[] = {1146, 1360, 1305, 1539, 1049, 1347, 4089};
    bool found = false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        found = found || number == numbers[i];
    }
    return found;
}

/* STATUS_END: there is none. */
static enum status hash_shown(struct mysql_alter *session, const char *what, bool server,
                              const struct alter_object *object, XXH3_state_t *hash,
                              struct error *error)
{
    struct mysql_database *self = session->database;
    MYSQL *connection = NULL;
    MYSQL_RES *result = NULL;
    struct buffer sql = {0};
    const char *schema = object->schema != NULL ? object->schema : self->sql.schema;
    if (mysql_control(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (server) {
        mysql_append(&sql, "SHOW CREATE %s %n", what, object->name);
    } else {
        mysql_append(&sql, "SHOW CREATE %s %n.%n", what, schema, object->name);
    }
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_WRITE, &result, error);
    if (status != STATUS_OK) {
        return error != NULL && says_absent(error->native_code) ? STATUS_END : STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    for (unsigned i = 0; row != NULL && i < mysql_num_fields(result); i++) {
        char *field = row[i];
        if (field != NULL) {
            mysql_drop_counter(field);
        }
        alter_witness_add(hash, field);
    }
    mysql_free_result(result);
    return row != NULL ? STATUS_OK : STATUS_END;
}

/* "DIGEST", or ABSENT. STATUS_END: what it is can't be told. */
static enum status append_witness(struct mysql_alter *session, const struct alter_object *object,
                                  struct buffer *out, struct error *error)
{
    struct alter_object of_table = {
        .kind = "table", .name = object->table, .schema = object->schema};
    bool index = strcmp(object->kind, "index") == 0;
    const struct alter_object *shown = index ? &of_table : object;
    const struct kind *kind = kind_of(shown->kind);
    char hex[33];
    bool there = false;
    enum status status = STATUS_OK;
    if (kind == NULL || shown->name == NULL) {
        return STATUS_END;
    }
    XXH3_state_t *hash = XXH3_createState();
    XXH3_128bits_reset(hash);
    for (size_t i = 0; status == STATUS_OK && i < 2 && kind->shows[i] != NULL; i++) {
        status = hash_shown(session, kind->shows[i], kind->server, shown, hash, error);
        there = there || status == STATUS_OK;
        status = status == STATUS_END ? STATUS_OK : status;
    }
    XXH128_hash_t digest = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    text_from_hash(digest.high64, digest.low64, hex);
    buffer_format(out, "%s%s", out->length > 0 ? " " : "", there ? hex : ABSENT);
    return status;
}

/* One word an object. */
enum status mysql_alter_witness(struct alter_session *base, const struct alter_object *objects,
                                uint32_t count, struct arena *arena, const char **text,
                                struct error *error)
{
    struct buffer out = {0};
    struct error inner = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = append_witness(mysql_alter_of(base), &objects[i], &out, &inner);
    }
    *text = status == STATUS_OK ? sql_text(arena, &out) : NULL;
    buffer_free(&out);
    if (status == STATUS_FAILED) {
        error_copy(error, &inner);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- the words of a statement */

/* The word of that number, from 0, without comments; empty: there are not so many. */
static struct text word_at(const struct alter_request *request, int number)
{
    const char *end = request->text + request->length;
    for (const char *at = request->text; at < end;) {
        struct text piece = mysql_piece_at(at, end);
        char first = *piece.data;
        bool counts = first != ' ' && first != '\n' && first != '\t' && first != '\r' &&
                      first != '/' && first != '#' && first != '-';
        if (counts && number-- == 0) {
            return piece;
        }
        at += piece.length;
    }
    return (struct text){end, 0};
}

static bool begins(const struct alter_request *request, const char *first, const char *second)
{
    return mysql_is_word(word_at(request, 0), first) &&
           (second == NULL || mysql_is_word(word_at(request, 1), second));
}

static bool has_word(const struct alter_request *request, const char *word)
{
    struct text found = word_at(request, 0);
    for (int i = 1; found.length > 0 && !mysql_is_word(found, word); i++) {
        found = word_at(request, i);
    }
    return found.length > 0;
}

/* Run once more, it ends as it would have the first time. */
static bool repeats(const struct alter_request *request)
{
    static const char *const words[] = {"TRUNCATE", "OPTIMIZE", "ANALYZE",  "CHECK",
                                        "REPAIR",   "FLUSH",    "SET",      "USE",
                                        "SHOW",     "GRANT",    "CHECKSUM", "CACHE"};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        found = found || begins(request, words[i], NULL);
    }
    return found;
}

/* ---------------------------------------------------------------- several objects */

/* The fates of the objects, counted by the words of both witnesses. */
struct fates {
    uint32_t same;
    uint32_t changed;
    uint32_t absent; /* now */
};

static const char *next_word(const char *at)
{
    at += strcspn(at, " ");
    return at + (*at == ' ');
}

static struct fates alter_settle_compare(const char *before, const char *now)
{
    struct fates fates = {0};
    for (; *before != '\0' && *now != '\0'; before = next_word(before), now = next_word(now)) {
        size_t length = strcspn(now, " ");
        bool same = length == strcspn(before, " ") && strncmp(before, now, length) == 0;
        fates.same += same;
        fates.changed += !same;
        fates.absent += length == strlen(ABSENT) && now[0] == ABSENT[0];
    }
    return fates;
}

/* Older servers, and all of MariaDB's, drop several tables one by one. */
static enum status drop_rest(struct mysql_alter *session, const struct alter_object *objects,
                             uint32_t count, enum alter_settled *settled, struct error *error)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < count; i++) {
        const char *schema =
            objects[i].schema != NULL ? objects[i].schema : session->database->sql.schema;
        mysql_append(&sql, "%s%n.%n", i == 0 ? "DROP TABLE IF EXISTS " : ", ", schema,
                     objects[i].name);
    }
    *settled = ALTER_APPLIED;
    return mysql_alter_lost(session,
                            mysql_run_buffer(session->database, session->connection, &sql, SQL_LONG,
                                             ERROR_TARGET_WRITE, NULL, error),
                            error);
}

static enum status refuse_half(const struct mysql_alter *session, const struct fates *fates,
                               enum alter_settled *settled, struct error *error)
{
    *settled = ALTER_HALF;
    error_set(error, ERROR_TARGET_WRITE, session->base.shown,
              "of the statement's %u objects %u were changed before the server died",
              fates->same + fates->changed, fates->changed);
    error_hint(error, "do the rest by hand, then `transhume schema repair`; servers from MySQL 8.0 "
                      "and MariaDB 10.6 on do all or nothing");
    return STATUS_OK;
}

static enum status settle_several(struct mysql_alter *session, const struct alter_request *request,
                                  const struct alter_object *objects, uint32_t count,
                                  const struct fates *fates, enum alter_settled *settled,
                                  struct error *error)
{
    if (begins(request, "DROP", "TABLE")) {
        return drop_rest(session, objects, count, settled, error);
    }
    if (begins(request, "RENAME", NULL)) {
        return refuse_half(session, fates, settled, error);
    }
    *settled = ALTER_APPLIED; /* what was not changed is only named by the statement */
    return STATUS_OK;
}

/* ---------------------------------------------------------------- settling */

/* CREATE TABLE … SELECT is not one act in older servers: the table may be there without its rows.
 */
static bool fills_apart(const struct mysql_alter *session, const struct alter_request *request)
{
    const struct mysql_database *self = session->database;
    return begins(request, "CREATE", "TABLE") && has_word(request, "SELECT") &&
           self->version < (self->mariadb ? 100600u : 80021u);
}

enum status mysql_alter_settle(struct alter_session *base, const struct alter_request *request,
                               const struct alter_object *objects, uint32_t count,
                               const char *before, enum alter_settled *settled, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    const char *now = NULL;
    *settled = ALTER_UNKNOWN;
    if (repeats(request)) {
        *settled = ALTER_ABSENT;
        return STATUS_OK;
    }
    if (count == 0 || before == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = mysql_alter_witness(base, objects, count, arena, &now, error);
    if (status == STATUS_OK && now != NULL) {
        struct fates fates = alter_settle_compare(before, now);
        bool created = begins(request, "CREATE", NULL);
        *settled =
            fates.changed == 0 || (created && fates.absent == count) ? ALTER_ABSENT : ALTER_APPLIED;
        if (fates.changed > 0 && fates.same > 0) {
            status = settle_several(session, request, objects, count, &fates, settled, error);
        } else if (*settled == ALTER_APPLIED && strcmp(before, ABSENT) == 0 &&
                   fills_apart(session, request)) {
            status = drop_rest(session, objects, count, settled, error);
            *settled = ALTER_ABSENT;
        }
    }
    arena_destroy(arena);
    return status;
}
