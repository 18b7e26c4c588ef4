/* All keys of a table, by SCAN on each node that has slots. */
#include "connectors/redis/redis.h"

#include "base/memory.h"
#include "connectors/common/spill_sort.h"
#include <stdlib.h>
#include <unistd.h>

enum { SORT_BYTES = 8 << 20 };

/* ---------------------------------------------------------------- pages */

struct pattern {
    struct buffer text;
    const char *type; /* NULL: of any */
};

/* The prefix as a pattern of MATCH: what means something there is escaped. */
static void append_pattern(const char *prefix, struct buffer *out)
{
    for (const char *at = prefix; *at != '\0'; at++) {
        if (strchr("*?[]^\\", *at) != NULL) {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, *at);
    }
    buffer_append_byte(out, '*');
}

static enum status scan_node(struct redis_database *self, struct redis_client *client,
                             uint16_t node, const struct pattern *pattern, redis_page_visit *visit,
                             void *context, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer command = {0};
    struct resp_value reply;
    char cursor[24] = "0";
    enum status status;
    do {
        arena_reset(arena);
        buffer_clear(&command);
        resp_begin(&command, pattern->type != NULL ? 8 : 6);
        resp_string(&command, "SCAN");
        resp_string(&command, cursor);
        resp_string(&command, "MATCH");
        resp_word(&command, pattern->text.data, pattern->text.length);
        resp_string(&command, "COUNT");
        resp_number(&command, REDIS_SCAN_COUNT);
        if (pattern->type != NULL) {
            resp_string(&command, "TYPE");
            resp_string(&command, pattern->type);
        }
        const struct redis_call call = {.command = &command, .to_node = true, .node = node};
        status = redis_client_call(client, &call, arena, &reply, error);
        if (status == STATUS_OK &&
            (reply.type != RESP_LIST || reply.count != 2 ||
             reply.items[0].text.length >= sizeof(cursor) || reply.items[1].type != RESP_LIST)) {
            status = error_set(error, ERROR_NETWORK_ANSWER, self->keyed.uri->shown,
                               "SCAN's answer can't be understood");
        }
        if (status == STATUS_OK) {
            snprintf(cursor, sizeof(cursor), "%.*s", (int)reply.items[0].text.length,
                     reply.items[0].text.data);
            status = visit(context, client, node, &reply.items[1], error);
        }
    } while (status == STATUS_OK && strcmp(cursor, "0") != 0);
    buffer_free(&command);
    arena_destroy(arena);
    return status;
}

enum status redis_scan_pages(struct redis_database *self, const char *prefix, const char *type,
                             redis_page_visit *visit, void *context, struct error *error)
{
    uint16_t nodes[REDIS_NODES_MAX];
    uint32_t count = redis_server_masters(self->server, nodes);
    struct redis_client *client = redis_client_create(self->server);
    struct pattern pattern = {.type = type};
    enum status status = STATUS_OK;
    append_pattern(prefix, &pattern.text);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = scan_node(self, client, nodes[at], &pattern, visit, context, error);
    }
    buffer_free(&pattern.text);
    redis_client_destroy(client);
    return status;
}

/* ---------------------------------------------------------------- counting */

/* A page's next cursor, its keys, and those of them that begin with the prefix. */
static const char count_page[] =
    "local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[3])\n"
    "local found = 0\n"
    "for _, key in ipairs(page[2]) do\n"
    "  if string.sub(key, 1, #ARGV[2]) == ARGV[2] then found = found + 1 end\n"
    "end\n"
    "return {page[1], #page[2], found}\n";

struct counting {
    struct redis_client *client;
    uint16_t node;
    struct arena *arena;
    struct buffer command;
};

static enum status scan_ask(struct counting *counting, struct resp_value *reply,
                            struct error *error)
{
    const struct redis_call call = {
        .command = &counting->command, .to_node = true, .node = counting->node};
    enum status status = redis_client_call(counting->client, &call, counting->arena, reply, error);
    buffer_clear(&counting->command);
    return status;
}

/* All keys of the node. */
static enum status ask_size(struct counting *counting, int64_t *size, struct error *error)
{
    struct resp_value reply;
    resp_command(&counting->command, "DBSIZE", NULL);
    enum status status = scan_ask(counting, &reply, error);
    *size = status == STATUS_OK && reply.type == RESP_INTEGER ? reply.integer : -1;
    return status;
}

/* It runs no such script, or none while its memory is full. */
static bool is_refused(enum status status, const struct error *error)
{
    return status == STATUS_FAILED &&
           (error->code == ERROR_TARGET_WRITE || error->code == ERROR_PERMISSION);
}

/* `*seen` -1: it can't be told so. */
static enum status count_pages(struct counting *counting, const char *prefix, int64_t *seen,
                               int64_t *found, struct error *error)
{
    struct resp_value reply;
    char cursor[24] = "0";
    enum status status = STATUS_OK;
    *seen = *found = 0;
    do {
        arena_reset(counting->arena);
        resp_begin(&counting->command, 6);
        resp_string(&counting->command, "EVAL");
        resp_string(&counting->command, count_page);
        resp_string(&counting->command, "0");
        resp_string(&counting->command, cursor);
        resp_string(&counting->command, prefix);
        resp_number(&counting->command, REDIS_SCAN_COUNT);
        status = scan_ask(counting, &reply, error);
        bool good = status == STATUS_OK && reply.type == RESP_LIST && reply.count == 3 &&
                    reply.items[0].text.length < sizeof(cursor) &&
                    reply.items[1].type == RESP_INTEGER && reply.items[2].type == RESP_INTEGER;
        if (!good) {
            *seen = -1;
            return is_refused(status, error) ? STATUS_OK : status;
        }
        snprintf(cursor, sizeof(cursor), "%.*s", (int)reply.items[0].text.length,
                 reply.items[0].text.data);
        *seen += reply.items[1].integer;
        *found += reply.items[2].integer;
    } while (strcmp(cursor, "0") != 0);
    return status;
}

/* SCAN tells of each key once at least: of none twice, if it told of as many as there are. */
static enum status count_node(struct counting *counting, const char *prefix, uint64_t *count,
                              bool *exact, struct error *error)
{
    int64_t before = 0;
    int64_t after = 0;
    int64_t seen = 0;
    int64_t found = 0;
    enum status status = ask_size(counting, &before, error);
    status = status == STATUS_OK ? count_pages(counting, prefix, &seen, &found, error) : status;
    status = status == STATUS_OK ? ask_size(counting, &after, error) : status;
    *exact = status == STATUS_OK && before >= 0 && seen == before && seen == after;
    *count += (uint64_t)found;
    return status;
}

static enum status count_key(void *context, const char *key, size_t length, struct error *error)
{
    uint64_t *count = context;
    (void)key;
    (void)length;
    (void)error;
    ++*count;
    return STATUS_OK;
}

enum status redis_scan_count(struct redis_database *self, const char *prefix, uint64_t *count,
                             struct error *error)
{
    uint16_t nodes[REDIS_NODES_MAX];
    uint32_t node_count = redis_server_masters(self->server, nodes);
    struct counting counting = {.client = redis_client_create(self->server),
                                .arena = arena_create(0)};
    enum status status = STATUS_OK;
    bool exact = true;
    *count = 0;
    for (uint32_t at = 0; at < node_count && status == STATUS_OK && exact; at++) {
        counting.node = nodes[at];
        status = count_node(&counting, prefix, count, &exact, error);
    }
    buffer_free(&counting.command);
    arena_destroy(counting.arena);
    redis_client_destroy(counting.client);
    if (status == STATUS_OK && exact) {
        return STATUS_OK;
    }
    *count = 0; /* keys come, go or expire, or there is no other way */
    return status == STATUS_OK ? redis_scan_sorted(self, prefix, NULL, count_key, count, error)
                               : status;
}

/* ---------------------------------------------------------------- keys */

struct visiting {
    redis_key_visit *visit;
    void *context;
};

static enum status visit_page(void *context, struct redis_client *client, uint16_t node,
                              const struct resp_value *keys, struct error *error)
{
    const struct visiting *visiting = context;
    enum status status = STATUS_OK;
    (void)client;
    (void)node;
    for (uint32_t at = 0; at < keys->count && status == STATUS_OK; at++) {
        const struct text key = keys->items[at].text;
        status = visiting->visit(visiting->context, key.data, key.length, error);
    }
    return status;
}

enum status redis_scan(struct redis_database *self, const char *prefix, const char *type,
                       redis_key_visit *visit, void *context, struct error *error)
{
    struct visiting visiting = {visit, context};
    return redis_scan_pages(self, prefix, type, visit_page, &visiting, error);
}

/* ---------------------------------------------------------------- each once */

static enum status sort_key(void *context, const char *key, size_t length, struct error *error)
{
    return spill_sorter_add(context, key, length, error);
}

static enum status visit_sorted(struct spill_sorter *sorter, redis_key_visit *visit, void *context,
                                struct error *error)
{
    struct buffer before = {0};
    const uint8_t *key = NULL;
    size_t length = 0;
    bool any = false;
    enum status status;
    while ((status = spill_sorter_next(sorter, &key, &length, error)) == STATUS_OK) {
        bool repeats = any && before.length == length && memcmp(before.data, key, length) == 0;
        if (repeats) {
            continue;
        }
        any = true;
        buffer_clear(&before);
        buffer_append(&before, key, length);
        status = visit(context, before.data, length, error);
        if (status != STATUS_OK) {
            break;
        }
    }
    buffer_free(&before);
    return status;
}

enum status redis_scan_sorted(struct redis_database *self, const char *prefix, const char *type,
                              redis_key_visit *visit, void *context, struct error *error)
{
    char *files = self->spill_folder != NULL
                      ? memory_format("%s/redis-keys-%p", self->spill_folder, context)
                      : memory_format("/tmp/transhume-redis-%d-%p", (int)getpid(), context);
    struct spill_sorter *sorter = spill_sorter_create(files, SORT_BYTES);
    enum status status = redis_scan(self, prefix, type, sort_key, sorter, error);
    status = status == STATUS_OK ? spill_sorter_finish(sorter, error) : status;
    status = status == STATUS_OK ? visit_sorted(sorter, visit, context, error) : status;
    spill_sorter_destroy(sorter);
    free(files);
    return status == STATUS_END ? STATUS_OK : status;
}
