/* Making and removing tables: a note in the database of what is made, and the keys that go with it.
 */
#include "connectors/redis/redis.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

/* ---------------------------------------------------------------- the claim */

/* "id=7 addr=… name=transhume-RUN-3 … db=0 …": the id, if the name is of the run and an older
 * epoch, in the same database. */
static bool is_older(const char *line, const char *run_id, uint64_t epoch, uint32_t database,
                     int64_t *id)
{
    char wanted[80];
    char in_database[24];
    uint64_t theirs = 0;
    int length = snprintf(wanted, sizeof(wanted), " name=transhume-%s-", run_id);
    const char *name = strstr(line, wanted);
    snprintf(in_database, sizeof(in_database), " db=%u ", (unsigned)database);
    if (name == NULL || strncmp(line, "id=", 3) != 0 || strstr(line, in_database) == NULL) {
        return false;
    }
    const char *digits = name + length;
    return text_to_uint64(digits, strspn(digits, "0123456789"), &theirs) == STATUS_OK &&
           theirs < epoch &&
           text_to_int64(line + 3, strspn(line + 3, "0123456789"), id) == STATUS_OK;
}

static enum status end_client(struct redis_database *self, uint16_t node, int64_t id,
                              struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    resp_begin(&command, 4);
    resp_string(&command, "CLIENT");
    resp_string(&command, "KILL");
    resp_string(&command, "ID");
    resp_number(&command, id);
    struct redis_call call = {.to_node = true, .node = node};
    log_write(LOG_INFO, "ending connection %lld of the process before", (long long)id);
    enum status status = redis_control(self, &call, &command, arena, &reply, error);
    arena_destroy(arena);
    return status;
}

/* What the former holder sent and the node has not read yet goes with its connection. */
static enum status end_older(struct redis_database *self, uint16_t node,
                             const struct run_claim *claim, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    resp_command(&command, "CLIENT", "LIST", NULL);
    struct redis_call call = {.to_node = true, .node = node};
    enum status status = redis_control(self, &call, &command, arena, &reply, error);
    char *list = status == STATUS_OK && reply.type == RESP_TEXT
                     ? arena_copy(arena, reply.text.data, reply.text.length)
                     : NULL;
    while (list != NULL && status == STATUS_OK) {
        int64_t id = 0;
        char *end = strchr(list, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        if (is_older(list, claim->run_id, claim->epoch, self->number, &id)) {
            status = end_client(self, node, id, error);
        }
        list = end != NULL ? end + 1 : NULL;
    }
    arena_destroy(arena);
    return status;
}

enum status redis_claimed(struct database *database, const struct run_claim *claim,
                          struct error *error)
{
    struct redis_database *self = redis_of(database);
    uint16_t nodes[REDIS_NODES_MAX];
    char name[80];
    uint32_t count = redis_server_masters(self->server, nodes);
    snprintf(name, sizeof(name), "transhume-%s-%llu", claim->run_id,
             (unsigned long long)claim->epoch);
    redis_server_name(self->server, name);
    enum status status = keyed_claimed(database, claim, error);
    for (uint32_t at = 0; at < count && claim->took_over && status == STATUS_OK; at++) {
        status = end_older(self, nodes[at], claim, error);
        if (status == STATUS_FAILED && error->code == ERROR_PERMISSION) {
            log_write(LOG_WARNING, "the user may not list or end connections (CLIENT LIST, CLIENT "
                                   "KILL): only the lease keeps the process before out");
            status = STATUS_OK;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- making */

static enum status make_table(struct redis_database *self, struct target_table *table,
                              enum keyed_made made, struct error *error)
{
    struct keyed_room *room = &self->keyed.room;
    if (made == KEYED_MADE_NOT && (failpoint_hit("redis.before_intent", error) != STATUS_OK ||
                                   keyed_made_intend(room, table->name, error) != STATUS_OK ||
                                   failpoint_hit("redis.after_intent", error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (redis_note_put(self, table, room->run_id, error) != STATUS_OK ||
        failpoint_hit("redis.after_note", error) != STATUS_OK ||
        keyed_made_done(room, table->name, room->run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->created = true;
    return failpoint_hit("redis.after_made", error);
}

static enum status refuse_lost(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table,
              "the run made this table, and " REDIS_NOTES " does not know it any more");
    return error_hint(error, "start again: `transhume reset --confirm`, then `transhume migrate`");
}

static enum status prepare_table(struct redis_database *self, struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct redis_note note;
    enum keyed_made made = KEYED_MADE_NOT;
    const char *made_by = NULL;
    bool exists = false;
    bool filled = false;
    table->created = false;
    enum status there = redis_note_read(self, table->name, arena, &note, error);
    if (there == STATUS_FAILED || keyed_made_read(&self->keyed.room, table->name, arena, &made,
                                                  &made_by, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_DONE) {
        table->created = true;
        return there == STATUS_OK ? STATUS_OK : refuse_lost(table->name, error);
    }
    if (made == KEYED_MADE_INTENDED &&
        (there == STATUS_END || strcmp(note.run, self->keyed.room.run_id) == 0)) {
        return make_table(self, table, made, error);
    }
    if (there == STATUS_OK) {
        return STATUS_OK;
    }
    if (redis_inspect(&self->keyed.base, table, 1, &exists, &filled, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return filled ? redis_note_put(self, table, "", error) : make_table(self, table, made, error);
}

enum status redis_prepare(struct database *database, const struct prepare_request *request,
                          struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        arena_reset(arena);
        status = prepare_table(redis_of(database), &request->tables[at], arena, error);
    }
    arena_destroy(arena);
    return status;
}

enum status redis_after_load(struct database *database, struct after_load_request *request,
                             struct error *error)
{
    (void)database;
    (void)request;
    (void)error;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- removing */

/* Keys that the run did not finish to note are its own: the table was not there before. */
static enum status remove_made(struct redis_database *self, const struct target_table *table,
                               struct arena *arena, struct error *error)
{
    enum keyed_made made = KEYED_MADE_NOT;
    const char *made_by = NULL;
    if (keyed_made_read(&self->keyed.room, table->name, arena, &made, &made_by, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_NOT) {
        return STATUS_OK; /* removed already, or never made */
    }
    enum status status =
        made == KEYED_MADE_DONE ? redis_empty_table(self, table->name, error) : STATUS_OK;
    status = status == STATUS_OK ? redis_note_delete(self, table->name, error) : status;
    status = status == STATUS_OK ? failpoint_hit("redis.table_removed", error) : status;
    return status == STATUS_OK ? keyed_made_forget(&self->keyed.room, table->name, error) : status;
}

static enum status remove_table(struct database *database, const struct target_table *table,
                                struct error *error)
{
    struct redis_database *self = redis_of(database);
    struct arena *arena = arena_create(0);
    enum status status = failpoint_hit("redis.before_remove_table", error);
    if (status == STATUS_OK) {
        status = table->created ? remove_made(self, table, arena, error)
                                : redis_empty_table(self, table->name, error);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("redis.after_remove_table", error) : status;
}

const struct rollback_functions redis_rollback = {.remove_table = remove_table};
