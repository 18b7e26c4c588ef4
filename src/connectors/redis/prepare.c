/* Making and removing tables: a note in the database of what is made, and the keys that go with it.
 */
#include "connectors/keyed/tables.h"
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

/* Commands that the former holder sent and the node has not read yet go with its connection. */
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

/* ---------------------------------------------------------------- tables */

static enum status refuse_lost(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table,
              "the run made this table, and " REDIS_NOTES " does not know it any more");
    return error_hint(error, "start again: `transhume reset --confirm`, then `transhume migrate`");
}

/* A note is enough, or a key; the note says which table it is (NULL: there is none). */
static enum status table_look(struct database *database, const struct target_table *table,
                              struct arena *arena, struct keyed_there *there, struct error *error)
{
    struct redis_note note;
    bool filled = false;
    enum status status = redis_note_read(redis_of(database), table->name, arena, &note, error);
    there->id = status == STATUS_OK ? note.run : NULL;
    there->exists = status == STATUS_OK;
    if (status == STATUS_END) {
        status = redis_inspect(database, table, 1, &there->exists, &filled, error);
    }
    return status;
}

static enum status make_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, bool again, struct arena *arena,
                              const char **id, struct error *error)
{
    struct redis_database *self = redis_of(database);
    (void)there;
    (void)again;
    (void)arena;
    *id = self->keyed.room.run_id;
    return redis_note_put(self, table, *id, error) == STATUS_OK
               ? failpoint_hit("redis.after_note", error)
               : STATUS_FAILED;
}

static enum status use_table(struct database *database, const struct target_table *table,
                             const struct keyed_there *there, struct arena *arena,
                             struct error *error)
{
    (void)arena;
    return there->id != NULL ? STATUS_OK
           : table->created  ? refuse_lost(table->name, error)
                             : redis_note_put(redis_of(database), table, "", error);
}

/* Keys without a note are of somebody else: the run's come after its own. */
static enum status is_ours(struct database *database, const struct target_table *table,
                           const struct keyed_there *there, bool going, bool *ours,
                           struct error *error)
{
    (void)table;
    (void)going;
    (void)error;
    *ours = there->id != NULL && strcmp(there->id, redis_of(database)->keyed.room.run_id) == 0;
    return STATUS_OK;
}

static enum status drop_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, enum keyed_made made,
                              struct error *error)
{
    (void)there;
    enum status status =
        made == KEYED_MADE_DONE ? redis_empty_table(database, table, error) : STATUS_OK;
    return status == STATUS_OK ? redis_note_delete(redis_of(database), table->name, error) : status;
}

const struct keyed_tables redis_tables = {.look = table_look,
                                          .make = make_table,
                                          .use = use_table,
                                          .is_ours = is_ours,
                                          .drop = drop_table,
                                          .clear = redis_empty_table};

const struct rollback_functions redis_rollback = {.remove_table = keyed_remove_table};
