/* Making tables: an intent in the ledger, CreateTable with the run's mark, waiting, TTL. */
#include "connectors/dynamodb/network/target.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/whole.h"
#include <inttypes.h>
#include <string.h>

enum {
    WAIT_FIRST_MS = 100,
    WAIT_MAX_MS = 5000,
    WAIT_DEADLINE_MS = 15 * 60 * 1000,
    WAIT_SAY_MS = 10000,
    CREATE_TRIES_MAX = 60
};

/* In place of the run's, which is not known before it begins. */
static const char shown_run_id[] = "RUN";

/* ---------------------------------------------------------------- the request */

/* "on_demand" or the plan's own text of { read: 5, write: 5 }. */
static uint64_t number_after(const char *text, const char *word)
{
    const char *place = strstr(text, word);
    uint64_t number = 0;
    for (place = place != NULL ? place + strlen(word) : ""; *place != '\0'; place++) {
        if (*place >= '0' && *place <= '9') {
            number = number * 10 + (uint64_t)(*place - '0');
        } else if (number > 0 || *place == ',' || *place == '}') {
            break;
        }
        if (number > 1000000000) {
            return 0;
        }
    }
    return number;
}

static bool is_provisioned(const struct target_table *table, uint64_t *read, uint64_t *write)
{
    const char *billing = table->billing != NULL ? table->billing : "";
    *read = number_after(billing, "read");
    *write = number_after(billing, "write");
    return *read > 0 && *write > 0;
}

static void append_key_schema(struct buffer *body, const struct column_list *key)
{
    dynamodb_body_name(body, "KeySchema");
    dynamodb_body_raw(body, "[");
    for (uint32_t at = 0; at < key->count; at++) {
        dynamodb_body_raw(body, at > 0 ? ",{" : "{");
        dynamodb_body_text(body, "AttributeName", key->names[at]);
        dynamodb_body_text(body, "KeyType", at == 0 ? "HASH" : "RANGE");
        dynamodb_body_raw(body, "}");
    }
    dynamodb_body_raw(body, "]");
}

static void append_throughput(struct buffer *body, const struct target_table *table)
{
    uint64_t read = 0;
    uint64_t write = 0;
    if (is_provisioned(table, &read, &write)) {
        dynamodb_body_name(body, "ProvisionedThroughput");
        buffer_format(body,
                      "{\"ReadCapacityUnits\":%" PRIu64 ",\"WriteCapacityUnits\":%" PRIu64 "}",
                      read, write);
    }
}

static void append_named(struct buffer *body, const struct column_list *names)
{
    dynamodb_body_raw(body, names->count == 0 ? "{\"ProjectionType\":\"KEYS_ONLY\"}"
                                              : "{\"ProjectionType\":\"INCLUDE\","
                                                "\"NonKeyAttributes\":[");
    for (uint32_t at = 0; at < names->count; at++) {
        dynamodb_body_element(body, names->names[at]);
    }
    dynamodb_body_raw(body, names->count > 0 ? "]}" : "");
}

/* The projection of the plan; a copy of a whole table projects what the source's index does. */
static void append_projection(struct buffer *body, const struct target_table *table,
                              const struct target_index *index)
{
    const char *projection = NULL;
    dynamodb_body_raw(body, ",\"Projection\":");
    if (index->projection != NULL) {
        append_named(body, index->projection);
        return;
    }
    for (uint32_t at = 0; table->same_engine != NULL && at < table->same_engine->index_count;
         at++) {
        const struct schema_index *theirs = &table->same_engine->indexes[at];
        if (strcmp(theirs->name, index->name) == 0) {
            projection = theirs->native_sql;
        }
    }
    dynamodb_body_raw(body, projection != NULL ? projection : "{\"ProjectionType\":\"ALL\"}");
}

static void append_indexes(struct buffer *body, const struct target_table *table,
                           const json_t *whole, bool local)
{
    bool any = false;
    for (uint32_t at = 0; at < table->index_count; at++) {
        const struct target_index *index = &table->indexes[at];
        if (index->local != local) {
            continue;
        }
        if (!any) {
            dynamodb_body_name(body, local ? "LocalSecondaryIndexes" : "GlobalSecondaryIndexes");
        }
        dynamodb_body_raw(body, any ? ",{" : "[{");
        any = true;
        dynamodb_body_text(body, "IndexName", index->name);
        append_key_schema(body, &index->columns);
        append_projection(body, table, index);
        if (!local && table->billing == NULL) {
            dynamodb_whole_append(whole, index->name, body);
        } else if (!local) {
            append_throughput(body, table);
        }
        dynamodb_body_raw(body, "}");
    }
    dynamodb_body_raw(body, any ? "]" : "");
}

static void append_tag(struct buffer *body, const char *key, const char *value)
{
    dynamodb_body_raw(body, buffer_last(body) == '[' ? "{" : ",{");
    dynamodb_body_text(body, "Key", key);
    dynamodb_body_text(body, "Value", value);
    dynamodb_body_raw(body, "}");
}

static bool plan_has_tag(const struct target_table *table, const char *key)
{
    bool has = false;
    for (uint32_t at = 0; at < table->tag_count; at++) {
        has = has || strcmp(table->tags[at].name, key) == 0;
    }
    return has;
}

/* The plan's, then the source's, then the run's mark where there is room for it. */
static void append_tags(struct buffer *body, const struct target_table *table, const json_t *whole,
                        const char *run_id)
{
    const json_t *theirs = json_object_get(whole, "tags");
    size_t count = table->tag_count;
    dynamodb_body_name(body, "Tags");
    dynamodb_body_raw(body, "[");
    for (uint32_t at = 0; at < table->tag_count; at++) {
        append_tag(body, table->tags[at].name, table->tags[at].value);
    }
    for (size_t at = 0; at < json_array_size(theirs); at++) {
        const json_t *tag = json_array_get(theirs, at);
        const char *key = json_string_value(json_object_get(tag, "Key"));
        if (key != NULL && !plan_has_tag(table, key)) {
            append_tag(body, key, json_string_value(json_object_get(tag, "Value")));
            count++;
        }
    }
    if (count < DYNAMODB_TAGS_MAX) {
        append_tag(body, DYNAMODB_RUN_TAG, run_id);
    }
    dynamodb_body_raw(body, "]");
}

static void append_definition(struct buffer *body, const struct target_table *table,
                              const struct dynamodb_known *known, const json_t *whole,
                              const char *run_id)
{
    uint64_t read = 0;
    uint64_t write = 0;
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", table->name);
    dynamodb_body_name(body, "AttributeDefinitions");
    dynamodb_body_raw(body, "[");
    for (uint32_t at = 0; at < known->key_count; at++) {
        const char letter[] = {known->keys[at].letter, '\0'};
        dynamodb_body_raw(body, at > 0 ? ",{" : "{");
        dynamodb_body_text(body, "AttributeName", known->keys[at].name);
        dynamodb_body_text(body, "AttributeType", letter);
        dynamodb_body_raw(body, "}");
    }
    dynamodb_body_raw(body, "]");
    append_key_schema(body, &table->key);
    append_indexes(body, table, whole, false);
    append_indexes(body, table, whole, true);
    if (table->billing == NULL) {
        dynamodb_whole_append(whole, NULL, body);
    } else {
        dynamodb_body_text(body, "BillingMode",
                           is_provisioned(table, &read, &write) ? "PROVISIONED"
                                                                : "PAY_PER_REQUEST");
        append_throughput(body, table);
    }
    append_tags(body, table, whole, run_id);
    dynamodb_body_raw(body, "}");
}

/* ---------------------------------------------------------------- waiting */

/* The table or index that is not ACTIVE yet; NULL: none. */
static const char *not_active(const struct dynamodb_description *description, const char **status)
{
    if (strcmp(description->status, "ACTIVE") != 0) {
        *status = description->status;
        return description->name;
    }
    for (uint32_t at = 0; at < description->index_count; at++) {
        if (strcmp(description->indexes[at].status, "ACTIVE") != 0) {
            *status = description->indexes[at].status;
            return description->indexes[at].name;
        }
    }
    return NULL;
}

enum status dynamodb_wait_active(struct dynamodb_network *network, const char *table,
                                 struct error *error)
{
    int64_t begun = clock_monotonic_ms();
    int64_t said = begun;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (int64_t delay = WAIT_FIRST_MS; status == STATUS_OK;) {
        struct dynamodb_description description;
        const char *what = table;
        const char *state = "not to be seen yet";
        arena_reset(arena);
        status = dynamodb_describe(network, table, arena, &description, error);
        if (status == STATUS_OK && (what = not_active(&description, &state)) == NULL) {
            break;
        }
        /* a new table may not be seen at once */
        status = status == STATUS_END ? STATUS_OK : status;
        int64_t now = clock_monotonic_ms();
        if (status == STATUS_OK && now - begun > WAIT_DEADLINE_MS) {
            status =
                error_set(error, ERROR_TARGET_SCHEMA, table, "%s is %s after %" PRId64 " minutes",
                          what, state, (now - begun) / 60000);
            error_hint(error, "look at it in the console; `transhume resume` continues from here");
        } else if (now - said > WAIT_SAY_MS) {
            said = now;
            log_write(LOG_INFO, "table %s: %s is %s, for %" PRId64 " s", table, what, state,
                      (now - begun) / 1000);
        }
        if (status == STATUS_OK) {
            clock_sleep_ms(delay);
            delay = delay * 2 < WAIT_MAX_MS ? delay * 2 : WAIT_MAX_MS;
        }
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- whose table is it */

/* Does the table carry this run's tag? `known`: the endpoint can tell. */
static enum status has_tag(struct dynamodb_network *network, const char *arn, bool *tagged,
                           bool *known, struct error *error)
{
    json_t *tags = json_array();
    *tagged = false;
    *known = false;
    enum status status = dynamodb_tags_read(network, arn, tags, error);
    for (size_t at = 0; status == STATUS_OK && at < json_array_size(tags); at++) {
        const json_t *tag = json_array_get(tags, at);
        const char *key = json_string_value(json_object_get(tag, "Key"));
        const char *value = json_string_value(json_object_get(tag, "Value"));
        bool ours = key != NULL && strcmp(key, DYNAMODB_RUN_TAG) == 0;
        *known = *known || ours; /* no such tag at all: the endpoint may have dropped it */
        *tagged =
            *tagged || (ours && value != NULL && strcmp(value, network->keyed.room.run_id) == 0);
    }
    json_decref(tags);
    return status;
}

/* ---------------------------------------------------------------- making one */

static enum status foreign(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_NOT_EMPTY, table,
              "somebody else made this table just now, and the plan wants it made by this run");
    return error_hint(error,
                      "look at what is in it; `existing:` says what to do with tables that are "
                      "there");
}

static enum status send_create(struct dynamodb_network *network, const struct target_table *table,
                               const struct buffer *body, bool *in_use, bool *unknown,
                               struct error *error)
{
    enum status status = STATUS_AGAIN;
    for (uint32_t tries = 0; status == STATUS_AGAIN; tries++) {
        struct service_reply *response = NULL;
        status =
            dynamodb_network_write(network, "CreateTable", table->name, body, &response, error);
        if (status != STATUS_OK) {
            return status;
        }
        *unknown = *unknown || response->unknown_outcome;
        *in_use = response->fault == DYNAMODB_FAULT_IN_USE;
        if (response->fault == DYNAMODB_FAULT_LIMIT && tries < CREATE_TRIES_MAX) {
            /* too many tables are being made at once */
            clock_sleep_ms(service_backoff_ms(tries, response->error.retry_after_ms));
            status = STATUS_AGAIN;
        } else if (response->fault != DYNAMODB_FAULT_NONE && !*in_use) {
            error_copy(error, &response->error);
            error_recode(error, ERROR_TARGET_SCHEMA);
            status = STATUS_FAILED;
        }
        service_reply_destroy(response);
    }
    return status;
}

static void say_left(const struct target_table *table, const json_t *whole)
{
    struct buffer left = {0};
    dynamodb_whole_append_left(whole, &left);
    if (left.length > 0) {
        log_write(LOG_WARNING, "table %s: not carried: %s", table->name, buffer_string(&left));
    }
    buffer_free(&left);
}

static enum status create_table(struct database *self, const struct target_table *table,
                                const struct keyed_there *there, bool again, struct arena *arena,
                                const char **id, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    const struct dynamodb_known *known = dynamodb_network_keys(network, table, NULL, 0, NULL);
    struct dynamodb_description description;
    struct buffer body = {0};
    json_t *whole = NULL;
    bool in_use = false;
    bool unknown = again;
    (void)there;
    (void)id;
    if (dynamodb_whole_read(table, &whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    say_left(table, whole);
    if (failpoint_hit("dynamodb.before_table", error) != STATUS_OK) {
        json_decref(whole);
        return STATUS_FAILED;
    }
    append_definition(&body, table, known, whole, network->keyed.room.run_id);
    enum status status = send_create(network, table, &body, &in_use, &unknown, error);
    buffer_free(&body);
    json_decref(whole);
    if (status == STATUS_OK && in_use) {
        bool tagged = false;
        bool can_tell = false;
        status = dynamodb_describe(network, table->name, arena, &description, error);
        status = status == STATUS_OK ? has_tag(network, description.arn, &tagged, &can_tell, error)
                                     : STATUS_FAILED;
        if (status == STATUS_OK && !tagged && (can_tell || !unknown)) {
            status = foreign(table->name, error);
        }
    }
    return status == STATUS_OK ? failpoint_hit("dynamodb.after_table", error) : status;
}

/* ---------------------------------------------------------------- time to live */

static void append_ttl(struct buffer *body, const struct target_table *table, const char *attribute)
{
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", table->name);
    dynamodb_body_raw(body, ",\"TimeToLiveSpecification\":{\"Enabled\":true");
    dynamodb_body_text(body, "AttributeName", attribute);
    dynamodb_body_raw(body, "}}");
}

static enum status enable_ttl(struct dynamodb_network *network, const struct target_table *table,
                              const char *attribute, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    append_ttl(&body, table, attribute);
    enum status status =
        dynamodb_network_write(network, "UpdateTimeToLive", table->name, &body, &response, error);
    buffer_free(&body);
    if (status != STATUS_OK) {
        return status;
    }
    if (response->fault == DYNAMODB_FAULT_UNKNOWN) {
        log_write(LOG_WARNING, "table %s: this endpoint knows no time to live: %s does not expire",
                  table->name, attribute);
    } else if (response->fault == DYNAMODB_FAULT_INVALID &&
               strstr(response->error.message, "already enabled") != NULL) {
        log_write(LOG_DEBUG, "table %s: its time to live is enabled already", table->name);
    } else if (response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        error_recode(error, ERROR_TARGET_SCHEMA);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    return status;
}

/* The plan's, else what the source's table has. */
static enum status make_expire(struct dynamodb_network *network, const struct target_table *table,
                               struct error *error)
{
    json_t *whole = NULL;
    enum status status = dynamodb_whole_read(table, &whole, error);
    const char *attribute = table->ttl != NULL ? table->ttl : dynamodb_whole_ttl(whole);
    if (status == STATUS_OK && attribute != NULL) {
        status = enable_ttl(network, table, attribute, error);
    }
    json_decref(whole);
    return status;
}

/* ---------------------------------------------------------------- prepare */

static enum status table_look(struct database *self, const struct target_table *table,
                              struct arena *arena, struct keyed_there *there, struct error *error)
{
    struct dynamodb_description *description =
        arena_allocate_zeroed(arena, 1, sizeof(*description));
    enum status status =
        dynamodb_describe(dynamodb_network_of(self), table->name, arena, description, error);
    *there = (struct keyed_there){.exists = status == STATUS_OK,
                                  .id = status == STATUS_OK ? description->id : NULL,
                                  .facts = description};
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status finish_making(struct database *self, const struct target_table *table,
                                 struct arena *arena, const char **id, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct dynamodb_description description;
    if (dynamodb_wait_active(network, table->name, error) != STATUS_OK ||
        failpoint_hit("dynamodb.table_active", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = dynamodb_describe(network, table->name, arena, &description, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name, "the new table is gone");
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    dynamodb_network_keys(network, table, NULL, 0, &description);
    *id = description.id;
    return make_expire(network, table, error);
}

static enum status use_table(struct database *self, const struct target_table *table,
                             const struct keyed_there *there, struct arena *arena,
                             struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    (void)arena;
    if (dynamodb_wait_active(network, table->name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    dynamodb_network_keys(network, table, NULL, 0, there->facts);
    return STATUS_OK;
}

/* When it is made again its tag says whose it is; it is removed if it is empty. */
static enum status is_ours(struct database *self, const struct target_table *table,
                           const struct keyed_there *there, bool going, bool *ours,
                           struct error *error)
{
    bool exists = false;
    bool filled = true;
    (void)there;
    if (!going) {
        *ours = true;
        return STATUS_OK;
    }
    enum status status = dynamodb_wait_active(dynamodb_network_of(self), table->name, error);
    if (status == STATUS_OK) {
        status = dynamodb_network_inspect(self, table, 1, &exists, &filled, error);
    }
    *ours = exists && !filled;
    return status;
}

const struct keyed_tables dynamodb_tables = {.look = table_look,
                                             .make = create_table,
                                             .finish = finish_making,
                                             .use = use_table,
                                             .is_ours = is_ours,
                                             .drop = dynamodb_drop_table,
                                             .clear = dynamodb_network_empty};

/* ---------------------------------------------------------------- showing it */

static void show_request(struct script *script, const char *action, const char *what,
                         const struct target_table *table, struct buffer *body)
{
    struct buffer text = {0};
    buffer_format(&text, "%s %s", action, buffer_string(body));
    buffer_free(body);
    script_add(script, SCRIPT_BEFORE_LOAD, what, table->name, &text);
}

static enum status show_table(struct dynamodb_network *network, const struct target_table *table,
                              struct script *script, struct error *error)
{
    const struct dynamodb_known *known = dynamodb_network_keys(network, table, NULL, 0, NULL);
    struct buffer body = {0};
    json_t *whole = NULL;
    if (dynamodb_whole_read(table, &whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_definition(&body, table, known, whole, shown_run_id);
    show_request(script, "CreateTable", "table", table, &body);
    const char *attribute = table->ttl != NULL ? table->ttl : dynamodb_whole_ttl(whole);
    if (attribute != NULL) {
        append_ttl(&body, table, attribute);
        show_request(script, "UpdateTimeToLive", "time to live", table, &body);
    }
    json_decref(whole);
    return STATUS_OK;
}

enum status dynamodb_network_script(struct database *database, const struct script_request *request,
                                    struct script *script, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(database);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        status = request->missing[at] ? show_table(network, &request->tables[at], script, error)
                                      : STATUS_OK;
    }
    return status;
}

enum status dynamodb_network_column_type(struct database *database,
                                         const struct target_table *table,
                                         const struct schema_column *column, struct buffer *out,
                                         struct error *error)
{
    const struct dynamodb_known *known =
        dynamodb_network_keys(dynamodb_network_of(database), table, NULL, 0, NULL);
    (void)error;
    for (uint32_t at = 0; at < known->key_count; at++) {
        if (strcmp(known->keys[at].name, column->name) == 0) {
            buffer_append_byte(out, known->keys[at].letter);
            return STATUS_OK;
        }
    }
    return STATUS_END;
}
