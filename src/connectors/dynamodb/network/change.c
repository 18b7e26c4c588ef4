/*
 * Declared changes of an account's tables: each operation is a call of the API, as alter.c runs
 * them. What adds is made at the start and can be taken back, what drops comes with `complete`; an
 * index is waited for until it is ACTIVE. Items have no schema of the table's: operations on
 * attributes are refused, and say what copies with a transformation.
 */
#include "connectors/dynamodb/network/target.h"

#include "base/clock.h"
#include "base/text.h"
#include "connectors/common/change_builder.h"
#include "connectors/common/history_store.h"
#include "connectors/dynamodb/network/body.h"
#include <string.h>

enum { ACTIVE_POLL_MS = 250 };

struct compiler {
    struct change_builder builder;
    struct alter_session *session;
    struct arena *arena;
};

typedef enum status compile_operation(struct compiler *compiler, const struct change_value *value,
                                      struct error *error);

/* ---------------------------------------------------------------- steps as texts */

/* {"operation": …, "input": …}, and what is asked of the answer; takes `input` and `asks`. */
static const char *step_text(struct compiler *compiler, const char *operation, json_t *input,
                             const char *how, json_t *asks)
{
    struct buffer text = {0};
    json_t *step = json_pack("{s:s, s:o}", "operation", operation, "input", input);
    if (how != NULL) {
        json_object_set_new(step, how, asks);
    }
    (void)json_tree_append(step, JSON_COMPACT, &text);
    json_decref(step);
    const char *copy = arena_copy_string(compiler->arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

static const char *described(struct compiler *compiler, const char *table, const char *how,
                             json_t *asks)
{
    return step_text(compiler, "DescribeTable", json_pack("{s:s}", "TableName", table), how, asks);
}

static struct change_step *network_change_add(struct compiler *compiler, enum change_phase phase,
                                              const char *title, const char *text, const char *undo,
                                              const char *stands)
{
    struct change_step *step = change_builder_step(&compiler->builder, phase, title);
    step->language = ALTER_DYNAMODB;
    step->lock = ALTER_LOCK_NONE;
    step->text = text;
    step->undo = undo;
    step->stands = stands;
    return step;
}

static void await_active(struct compiler *compiler, const char *table)
{
    struct change_step *step = network_change_add(
        compiler, CHANGE_PROVE,
        arena_format(compiler->arena, "wait until %s and its indexes are active", table), table,
        NULL, NULL);
    step->kind = CHANGE_BATCHES;
}

static enum status change_fail(struct compiler *compiler, enum error_code code,
                               const struct change_value *at, struct error *error, const char *why,
                               const char *instead)
{
    change_builder_fail(&compiler->builder, code, at, error, "%s", why);
    return instead != NULL ? error_hint(error, "%s", instead) : STATUS_FAILED;
}

/* ---------------------------------------------------------------- what is there */

/* STATUS_END: there is no such table. The caller decrefs. */
static enum status change_describe(struct compiler *compiler, const char *operation,
                                   const char *member, const char *table, json_t **described,
                                   struct error *error)
{
    const char *answer;
    *described = NULL;
    if (compiler->session->database->connector->alter->ask(
            compiler->session,
            step_text(compiler, operation, json_pack("{s:s}", "TableName", table), NULL, NULL),
            compiler->arena, &answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_t *root = json_tree_load(answer, strlen(answer), 0, NULL);
    *described = json_incref(json_object_get(root, member));
    json_decref(root);
    return *described != NULL ? STATUS_OK
                              : error_set(error, ERROR_NETWORK_ANSWER, table,
                                          "%s's answer can't be understood", operation);
}

static enum status find_table(struct compiler *compiler, const struct change_value *at,
                              const char *name, json_t **table, struct error *error)
{
    struct dynamodb_description there = {0};
    enum status status = dynamodb_describe(dynamodb_network_of(compiler->session->database), name,
                                           compiler->arena, &there, error);
    *table = NULL;
    if (status == STATUS_END) {
        return change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                   "there is no table '%s'", name);
    }
    return status == STATUS_OK
               ? change_describe(compiler, "DescribeTable", "Table", name, table, error)
               : status;
}

static const char *member(const json_t *object, const char *outer, const char *name)
{
    return json_string_value(json_object_get(json_object_get(object, outer), name));
}

static bool is_provisioned(const json_t *table)
{
    const char *mode = member(table, "BillingModeSummary", "BillingMode");
    return mode == NULL
               ? json_integer_value(json_object_get(json_object_get(table, "ProvisionedThroughput"),
                                                    "WriteCapacityUnits")) > 0
               : strcmp(mode, "PROVISIONED") == 0;
}

/* ---------------------------------------------------------------- tables */

static json_t *key_of(const struct change_value *columns, const char *field, json_t *definitions)
{
    json_t *key = json_array();
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        const char *name = change_text(column, field);
        const char *type = change_text(column, "type");
        if (name == NULL || (strcmp(field, "name") == 0 && !change_is_true(column, "pk"))) {
            continue;
        }
        json_array_append_new(key, json_pack("{s:s, s:s}", "AttributeName", name, "KeyType",
                                             json_array_size(key) == 0 ? "HASH" : "RANGE"));
        json_array_append_new(definitions, json_pack("{s:s, s:s}", "AttributeName", name,
                                                     "AttributeType", type != NULL ? type : "S"));
    }
    return key;
}

static json_t *throughput(int64_t reads, int64_t writes)
{
    return json_pack("{s:I, s:I}", "ReadCapacityUnits", (json_int_t)reads, "WriteCapacityUnits",
                     (json_int_t)writes);
}

static int64_t number_of(const struct change_value *options, const char *name, int64_t otherwise)
{
    const char *text = change_text(options, name);
    int64_t number;
    return text != NULL && text_to_int64(text, strlen(text), &number) == STATUS_OK ? number
                                                                                   : otherwise;
}

static enum status create_table(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    const struct change_value *options = change_get(value, "options");
    const char *name = change_text(value, "name");
    struct dynamodb_description there = {0};
    enum status status = dynamodb_describe(dynamodb_network_of(compiler->session->database), name,
                                           compiler->arena, &there, error);
    if (status != STATUS_END) {
        return status == STATUS_OK
                   ? change_fail(compiler, ERROR_CHANGE_INVALID, change_get(value, "name"), error,
                                 "there is such a table already", NULL)
                   : status;
    }
    json_t *definitions = json_array();
    json_t *key = key_of(columns, "name", definitions);
    size_t count = json_array_size(key);
    json_t *input = json_pack("{s:s, s:o, s:o}", "TableName", name, "AttributeDefinitions",
                              definitions, "KeySchema", key);
    if (count == 0 || count > 2 || count != columns->count) {
        json_decref(input);
        return change_fail(
            compiler, ERROR_CHANGE_INVALID, columns, error,
            "one or two columns are the key, and no other is declared",
            "The first is the partition key, the second the sort key; both `pk: true`.");
    }
    const char *mode = change_text(options, "billing_mode");
    bool provisioned = mode != NULL && strcmp(mode, "PROVISIONED") == 0;
    json_object_set_new(input, "BillingMode",
                        json_string(provisioned ? "PROVISIONED" : "PAY_PER_REQUEST"));
    if (provisioned) {
        json_object_set_new(input, "ProvisionedThroughput",
                            throughput(number_of(options, "read_capacity", 5),
                                       number_of(options, "write_capacity", 5)));
    }
    network_change_add(
        compiler, CHANGE_EXPAND, arena_format(compiler->arena, "create table %s", name),
        step_text(compiler, "CreateTable", input, NULL, NULL),
        step_text(compiler, "DeleteTable", json_pack("{s:s}", "TableName", name), NULL, NULL),
        described(compiler, name, "has", json_pack("[s, s, s]", "Table", "TableName", name)));
    await_active(compiler, name);
    change_builder_way(&compiler->builder, "made at the start", NULL);
    return STATUS_OK;
}

static enum status drop_table(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    const char *name = change_text(value, "name");
    json_t *table;
    if (find_table(compiler, change_get(value, "name"), name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool protects = json_is_true(json_object_get(table, "DeletionProtectionEnabled"));
    json_decref(table);
    if (protects) {
        return change_fail(
            compiler, ERROR_CHANGE_REFUSED, change_get(value, "name"), error,
            "the table is protected from deletion",
            "A change of its own, set_table with deletion_protection: false, comes first.");
    }
    network_change_add(
        compiler, CHANGE_CONTRACT, arena_format(compiler->arena, "drop table %s", name),
        step_text(compiler, "DeleteTable", json_pack("{s:s}", "TableName", name), NULL, NULL), NULL,
        described(compiler, name, "lacks", json_pack("[s, s, s]", "Table", "TableName", name)));
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- indexes */

static json_t *projection(const struct change_value *value)
{
    const struct change_value *include = change_get(value, "include");
    if (include == NULL) {
        return json_pack("{s:s}", "ProjectionType", "ALL");
    }
    if (include->count == 0) {
        return json_pack("{s:s}", "ProjectionType", "KEYS_ONLY");
    }
    json_t *names = json_array();
    for (uint32_t i = 0; i < include->count; i++) {
        json_array_append_new(names, json_string(include->items[i].text));
    }
    return json_pack("{s:s, s:o}", "ProjectionType", "INCLUDE", "NonKeyAttributes", names);
}

static const char *index_deletion(struct compiler *compiler, const char *table, const char *index)
{
    return step_text(compiler, "UpdateTable",
                     json_pack("{s:s, s:[{s:{s:s}}]}", "TableName", table,
                               "GlobalSecondaryIndexUpdates", "Delete", "IndexName", index),
                     NULL, NULL);
}

static json_t *index_path(const char *index)
{
    return json_pack("[s, s, s, s, s]", "Table", "GlobalSecondaryIndexes", "*", "IndexName", index);
}

static enum status create_index(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *table_name = change_text(value, "table");
    const char *name = change_text(value, "name");
    json_t *table;
    if (find_table(compiler, change_get(value, "table"), table_name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_t *definitions = json_array();
    json_t *create =
        json_pack("{s:s, s:o, s:o}", "IndexName", name, "KeySchema",
                  key_of(columns, "column", definitions), "Projection", projection(value));
    if (is_provisioned(table)) {
        const json_t *units = json_object_get(table, "ProvisionedThroughput");
        json_object_set_new(
            create, "ProvisionedThroughput",
            throughput(json_integer_value(json_object_get(units, "ReadCapacityUnits")),
                       json_integer_value(json_object_get(units, "WriteCapacityUnits"))));
    }
    json_decref(table);
    json_t *input =
        json_pack("{s:s, s:o, s:[{s:o}]}", "TableName", table_name, "AttributeDefinitions",
                  definitions, "GlobalSecondaryIndexUpdates", "Create", create);
    size_t count = json_array_size(definitions);
    if (count == 0 || count > 2 || count != columns->count || change_is_true(value, "unique") ||
        change_get(value, "predicate") != NULL) {
        json_decref(input);
        return change_fail(
            compiler, ERROR_CHANGE_REFUSED, columns, error,
            "a global index has one or two attributes, is never unique, and holds all "
            "items that have them",
            NULL);
    }
    network_change_add(compiler, CHANGE_EXPAND,
                       arena_format(compiler->arena, "create index %s", name),
                       step_text(compiler, "UpdateTable", input, NULL, NULL),
                       index_deletion(compiler, table_name, name),
                       described(compiler, table_name, "has", index_path(name)));
    await_active(compiler, table_name);
    change_builder_way(&compiler->builder, "filled beside reads and writes",
                       "an index being made takes capacity of its own, and can't be deleted until "
                       "it is active");
    return STATUS_OK;
}

static enum status drop_index(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    const char *table_name = change_text(value, "table");
    const char *name = change_text(value, "name");
    json_t *table;
    if (table_name == NULL) {
        return change_fail(compiler, ERROR_CHANGE_INVALID, NULL, error,
                           "names of indexes are their table's own: `table` is missing", NULL);
    }
    if (find_table(compiler, change_get(value, "table"), table_name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_decref(table);
    network_change_add(compiler, CHANGE_CONTRACT,
                       arena_format(compiler->arena, "drop index %s", name),
                       index_deletion(compiler, table_name, name), NULL,
                       described(compiler, table_name, "lacks", index_path(name)));
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- options */

/* UpdateTable with one member (which is taken), its way back, and how it is seen. */
static void set_member(struct compiler *compiler, const char *table, const char *what, json_t *now,
                       json_t *before, json_t *path)
{
    json_object_set_new(now, "TableName", json_string(table));
    json_object_set_new(before, "TableName", json_string(table));
    network_change_add(compiler, CHANGE_EXPAND,
                       arena_format(compiler->arena, "set %s of %s", what, table),
                       step_text(compiler, "UpdateTable", now, NULL, NULL),
                       step_text(compiler, "UpdateTable", before, NULL, NULL),
                       described(compiler, table, "has", path));
}

static json_t *billing(bool provisioned, int64_t reads, int64_t writes)
{
    return provisioned ? json_pack("{s:s, s:o}", "BillingMode", "PROVISIONED",
                                   "ProvisionedThroughput", throughput(reads, writes))
                       : json_pack("{s:s}", "BillingMode", "PAY_PER_REQUEST");
}

static enum status set_capacity(struct compiler *compiler, const char *name,
                                const struct change_value *options, const json_t *table,
                                struct error *error)
{
    const json_t *units = json_object_get(table, "ProvisionedThroughput");
    int64_t reads = json_integer_value(json_object_get(units, "ReadCapacityUnits"));
    int64_t writes = json_integer_value(json_object_get(units, "WriteCapacityUnits"));
    const char *mode = change_text(options, "billing_mode");
    bool was = is_provisioned(table);
    bool is = mode != NULL ? strcmp(mode, "PROVISIONED") == 0 : was;
    int64_t new_reads = number_of(options, "read_capacity", reads);
    int64_t new_writes = number_of(options, "write_capacity", writes);
    if (is && (new_reads <= 0 || new_writes <= 0)) {
        return change_fail(compiler, ERROR_CHANGE_INVALID, options, error,
                           "read_capacity and write_capacity are numbers above 0", NULL);
    }
    if (is == was && (!is || (new_reads == reads && new_writes == writes))) {
        return STATUS_OK;
    }
    set_member(compiler, name, "capacity", billing(is, new_reads, new_writes),
               billing(was, reads, writes),
               is ? json_pack("[s, s, s, I]", "Table", "ProvisionedThroughput",
                              new_writes != writes ? "WriteCapacityUnits" : "ReadCapacityUnits",
                              (json_int_t)(new_writes != writes ? new_writes : new_reads))
                  : json_pack("[s, s, s, s]", "Table", "BillingModeSummary", "BillingMode",
                              "PAY_PER_REQUEST"));
    return STATUS_OK;
}

static json_t *stream_of(const char *kind)
{
    return kind != NULL ? json_pack("{s:{s:b, s:s}}", "StreamSpecification", "StreamEnabled", 1,
                                    "StreamViewType", kind)
                        : json_pack("{s:{s:b}}", "StreamSpecification", "StreamEnabled", 0);
}

static enum status set_stream(struct compiler *compiler, const char *name,
                              const struct change_value *options, const json_t *table,
                              struct error *error)
{
    const char *text = change_text(options, "stream");
    const char *kind = text == NULL || strcmp(text, "none") == 0 ? NULL : text;
    const char *was = member(table, "StreamSpecification", "StreamViewType");
    if (text == NULL || (kind == NULL && was == NULL) ||
        (kind != NULL && was != NULL && strcmp(kind, was) == 0)) {
        return STATUS_OK;
    }
    if (kind != NULL && was != NULL) {
        return change_fail(
            compiler, ERROR_CHANGE_REFUSED, options, error,
            "the table has a stream of another kind, whose readers would lose their place",
            "Set `stream: none` in a change of its own, once they are done.");
    }
    set_member(
        compiler, name, "stream", stream_of(kind), stream_of(was),
        json_pack("[s, s, s, b]", "Table", "StreamSpecification", "StreamEnabled", kind != NULL));
    return STATUS_OK;
}

static enum status set_protection(struct compiler *compiler, const char *name,
                                  const struct change_value *options, const json_t *table,
                                  struct error *error)
{
    (void)error;
    const char *class = change_text(options, "table_class");
    const char *was_class = member(table, "TableClassSummary", "TableClass");
    bool was = json_is_true(json_object_get(table, "DeletionProtectionEnabled"));
    was_class = was_class != NULL ? was_class : "STANDARD";
    if (change_text(options, "deletion_protection") != NULL &&
        change_is_true(options, "deletion_protection") != was) {
        set_member(compiler, name, "deletion protection",
                   json_pack("{s:b}", "DeletionProtectionEnabled", !was),
                   json_pack("{s:b}", "DeletionProtectionEnabled", was),
                   json_pack("[s, s, b]", "Table", "DeletionProtectionEnabled", !was));
    }
    if (class != NULL && strcmp(class, was_class) != 0) {
        set_member(compiler, name, "table class", json_pack("{s:s}", "TableClass", class),
                   json_pack("{s:s}", "TableClass", was_class),
                   json_pack("[s, s, s, s]", "Table", "TableClassSummary", "TableClass", class));
    }
    return STATUS_OK;
}

static const char *expiry(struct compiler *compiler, const char *table, const char *attribute,
                          bool enabled)
{
    return step_text(compiler, "UpdateTimeToLive",
                     json_pack("{s:s, s:{s:b, s:s}}", "TableName", table, "TimeToLiveSpecification",
                               "Enabled", enabled, "AttributeName", attribute),
                     NULL, NULL);
}

/* The attribute that items expire by, in the arena; NULL: they don't. */
static enum status find_expiry(struct compiler *compiler, const char *table, const char **attribute,
                               struct error *error)
{
    json_t *told;
    *attribute = NULL;
    if (change_describe(compiler, "DescribeTimeToLive", "TimeToLiveDescription", table, &told,
                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *state = json_string_value(json_object_get(told, "TimeToLiveStatus"));
    const char *name = json_string_value(json_object_get(told, "AttributeName"));
    if (state != NULL && name != NULL && strncmp(state, "ENABL", strlen("ENABL")) == 0) {
        *attribute = arena_copy_string(compiler->arena, name);
    }
    json_decref(told);
    return STATUS_OK;
}

static enum status set_expiry(struct compiler *compiler, const char *name,
                              const struct change_value *options, const json_t *table,
                              struct error *error)
{
    const char *text = change_text(options, "ttl");
    const char *was;
    (void)table;
    if (text == NULL) {
        return STATUS_OK;
    }
    if (find_expiry(compiler, name, &was, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is = strcmp(text, "none") != 0;
    if (is && was != NULL && strcmp(was, text) != 0) {
        return change_fail(
            compiler, ERROR_CHANGE_REFUSED, options, error, "items expire by another attribute",
            "Set `ttl: none` in a change of its own; DynamoDB wants an hour between both.");
    }
    if (is == (was != NULL)) {
        return STATUS_OK;
    }
    const char *named = is ? text : was;
    network_change_add(compiler, CHANGE_EXPAND,
                       arena_format(compiler->arena, "set time to live of %s", name),
                       expiry(compiler, name, named, is), expiry(compiler, name, named, !is),
                       step_text(compiler, "DescribeTimeToLive",
                                 json_pack("{s:s}", "TableName", name), is ? "has" : "lacks",
                                 json_pack("[s, s, [s, s]]", "TimeToLiveDescription",
                                           "TimeToLiveStatus", "ENABLED", "ENABLING")));
    return STATUS_OK;
}

static enum status set_table(struct compiler *compiler, const struct change_value *value,
                             struct error *error)
{
    typedef enum status set_options(struct compiler *, const char *, const struct change_value *,
                                    const json_t *, struct error *);
    static set_options *const setters[] = {set_capacity, set_stream, set_protection, set_expiry};
    static const char *const known[] = {
        "billing_mode", "read_capacity", "write_capacity",     "stream",
        "table_class",  "ttl",           "deletion_protection"};
    const struct change_value *options = change_get(value, "options");
    const char *name = change_text(value, "table");
    json_t *table;
    if (options == NULL || options->kind != CHANGE_MAP) {
        return change_fail(compiler, ERROR_CHANGE_INVALID, options, error,
                           "options are a map, name: value", NULL);
    }
    for (uint32_t i = 0; i < options->count; i++) {
        bool found = false;
        for (size_t j = 0; j < sizeof(known) / sizeof(*known); j++) {
            found = found || strcmp(known[j], options->keys[i]) == 0;
        }
        if (!found) {
            return change_fail(compiler, ERROR_CHANGE_INVALID, &options->items[i], error,
                               "there is no such option",
                               "Known are billing_mode, read_capacity, write_capacity, stream, "
                               "table_class, ttl, deletion_protection.");
        }
    }
    if (find_table(compiler, change_get(value, "table"), name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof(setters) / sizeof(*setters); i++) {
        status = setters[i](compiler, name, options, table, error);
    }
    json_decref(table);
    change_builder_way(&compiler->builder, "in place; what stands now is put back by `abort`",
                       NULL);
    return status;
}

/* ---------------------------------------------------------------- all operations */

static enum status run_text(struct compiler *compiler, const struct change_value *value,
                            struct error *error)
{
    (void)error;
    bool late = change_is_true(value, "on_complete");
    const char *down = change_text(value, "down");
    network_change_add(compiler, late ? CHANGE_CONTRACT : CHANGE_EXPAND, "make a call",
                       change_text(value, "up"), down != NULL && down[0] != '\0' ? down : NULL,
                       NULL);
    change_builder_way(&compiler->builder, late ? "as it is, by `complete`" : "as it is",
                       "whether it may be made again after a crash is not known");
    return STATUS_OK;
}

static const struct {
    const char *kind;
    compile_operation *compile;
} operations[] = {{"create_table", create_table}, {"drop_table", drop_table},
                  {"create_index", create_index}, {"drop_index", drop_index},
                  {"set_table", set_table},       {"sql", run_text}};

static enum status compile_one(struct compiler *compiler, struct error *error)
{
    const struct change_operation *operation =
        &compiler->builder.change->operations[compiler->builder.number];
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].kind, operation->kind) == 0) {
            return operations[i].compile(compiler, &operation->value, error);
        }
    }
    return change_fail(compiler, ERROR_CHANGE_REFUSED, NULL, error,
                       "tables of DynamoDB have no schema for it",
                       "A plan of `transhume migrate` copies into another table and transforms.");
}

static enum status change_compile(struct alter_session *session, const struct change *change,
                                  struct arena *arena, struct change_plan *plan,
                                  struct error *error)
{
    struct compiler compiler = {
        .builder = {.arena = arena, .change = change}, .session = session, .arena = arena};
    for (uint32_t i = 0; i < change->count; i++) {
        compiler.builder.number = i;
        if (compile_one(&compiler, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    change_builder_end(&compiler.builder, plan);
    return STATUS_OK;
}

/* Waits: `text` is a table that was made, or got an index. */
static enum status change_batch(struct alter_session *session, const struct change_step *step,
                                const char *position, uint64_t rows, struct arena *arena,
                                struct change_batch *batch, struct error *error)
{
    struct dynamodb_description there = {0};
    (void)rows;
    enum status status =
        dynamodb_describe(dynamodb_network_of(session->database), step->text, arena, &there, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    bool active = status == STATUS_OK && dynamodb_description_is_active(&there);
    *batch = (struct change_batch){.position = active ? NULL : "waits"};
    if (!active && position != NULL) {
        clock_sleep_ms(ACTIVE_POLL_MS);
    }
    return STATUS_OK;
}

const struct change_functions dynamodb_network_change = {.compile = change_compile,
                                                         .batch = change_batch};
