/*
 * A window on feeds and on applying for tests and measurements in Python; it prints lines of JSON.
 *
 *   feed_probe create URI NAME TABLE…        makes the feed, then copies the tables at its moment:
 *                                            {"position":HEX,"snapshot":TEXT}, {"table":…,"row":…}
 * … feed_probe next URI NAME POSITION [MS]   an object for each change set, until it is where the
 *                                            source was, and none came for MS
 *   feed_probe relay URI NAME POSITION TARGET [MS] TABLE…   applies them, and confirms
 *   feed_probe drop URI NAME
 *
 * What the target has already is not applied again, whatever POSITION says. Environment:
 * FEED_PROBE_SPILL, a folder; FEED_PROBE_SETS, how many sets are applied at once;
 * FEED_PROBE_CONFIRM=no.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/common/registry.h"
#include "model/convert.h"
#include "model/json_writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SETS_MAX = 4096, PENDING_MAX = 8000 };

struct probe {
    struct arena *arena;
    struct database *database;
    const char *name;
    struct error error;
};

static int failed(const struct error *error)
{
    struct buffer line = {0};
    buffer_append_string(&line, "{\"error\":");
    json_append_string(&line, error_describe(error->code)->name,
                       strlen(error_describe(error->code)->name));
    buffer_format(&line, ",\"class\":%d,\"message\":", error->class);
    json_append_string(&line, error->message, strlen(error->message));
    buffer_append_string(&line, ",\"hint\":");
    json_append_string(&line, error->hint, strlen(error->hint));
    buffer_append_string(&line, "}\n");
    fwrite(line.data, 1, line.length, stdout);
    buffer_free(&line);
    return 1;
}

static struct database *open_database(struct probe *probe, const char *text, enum open_mode mode)
{
    struct uri *uri;
    const struct connector *connector;
    struct database *database;
    if (registry_resolve(text, probe->arena, &uri, &connector, &probe->error) != STATUS_OK) {
        return NULL;
    }
    const struct open_options options = {.mode = mode,
                                         .uri = uri,
                                         .spill_folder = getenv("FEED_PROBE_SPILL"),
                                         .memory_bytes = 8 << 20,
                                         .timeout_ms = 30000};
    return connector->open(&options, &database, &probe->error) == STATUS_OK ? database : NULL;
}

/* ---------------------------------------------------------------- positions and cells */

static void append_hex(struct buffer *line, struct position position)
{
    buffer_append_byte(line, '"');
    buffer_append_hex(line, position.bytes, position.length);
    buffer_append_byte(line, '"');
}

static struct position read_hex(struct arena *arena, const char *text)
{
    size_t length = strlen(text) / 2;
    uint8_t *bytes = arena_allocate_zeroed(arena, length + 1, 1);
    for (size_t i = 0; i < length; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return (struct position){bytes, (uint32_t)length};
}

/* The kind stands before what has no form of its own in JSON. */
static void append_cell(struct buffer *line, const struct cell *cell)
{
    struct error ignored;
    if (cell->kind == VALUE_MISSING) {
        buffer_append_string(line, "{\"missing\":true}");
    } else if (cell->kind == VALUE_ESCAPE) {
        buffer_append_string(line, "{\"escape\":\"");
        buffer_append_hex(line, cell->bytes, cell->length);
        buffer_append_string(line, "\"}");
    } else {
        buffer_format(line, "[\"%s\",", value_kind_name((enum value_kind)cell->kind));
        if (convert_append_json(cell, line, &ignored) != STATUS_OK) {
            buffer_append_string(line, "null");
        }
        buffer_append_byte(line, ']');
    }
}

static void append_record(struct buffer *line, const struct shape *shape, const struct cell *cells)
{
    if (cells == NULL) {
        buffer_append_string(line, "null");
        return;
    }
    buffer_append_byte(line, '{');
    for (uint32_t i = 0; i < shape->field_count; i++) {
        buffer_append_string(line, i > 0 ? "," : "");
        json_append_string(line, shape->fields[i].name, shape->fields[i].name_length);
        buffer_append_byte(line, ':');
        append_cell(line, &cells[i]);
    }
    buffer_append_byte(line, '}');
}

static void put_line(struct buffer *line)
{
    buffer_append_byte(line, '\n');
    fwrite(line->data, 1, line->length, stdout);
    fflush(stdout);
    buffer_free(line);
}

/* ---------------------------------------------------------------- create */

static enum status print_table(struct probe *probe, struct reader *reader,
                               const struct schema_table *table)
{
    const struct source_functions *source = probe->database->connector->source;
    struct read_column *columns =
        arena_allocate_zeroed(probe->arena, table->column_count + 1, sizeof *columns);
    struct shape_field *fields =
        arena_allocate_zeroed(probe->arena, table->column_count + 1, sizeof *fields);
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i] = (struct read_column){-1, table->columns[i].name, false};
        fields[i] =
            (struct shape_field){table->columns[i].name, (uint32_t)strlen(table->columns[i].name),
                                 table->columns[i].type};
    }
    const struct shape shape = {
        .name = table->name, .fields = fields, .field_count = table->column_count};
    const struct read_request request = {.name = table->name,
                                         .table = table->name,
                                         .columns = columns,
                                         .column_count = table->column_count};
    struct span *spans;
    uint32_t count;
    enum status status = source->split(probe->database, &request, UINT64_MAX, probe->arena, &spans,
                                       &count, &probe->error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        struct cursor *cursor;
        struct batch *batch;
        status = source->cursor_open(reader, &request, &spans[i], &cursor, &probe->error);
        while (status == STATUS_OK && (status = source->cursor_next(cursor, 1000, 1 << 20, &batch,
                                                                    &probe->error)) == STATUS_OK) {
            for (uint32_t row = 0; row < batch->row_count; row++) {
                struct buffer line = {0};
                buffer_append_string(&line, "{\"table\":");
                json_append_string(&line, table->name, strlen(table->name));
                buffer_append_string(&line, ",\"row\":");
                append_record(&line, &shape, batch_row(batch, row));
                buffer_append_byte(&line, '}');
                put_line(&line);
            }
            batch_destroy(batch);
        }
        source->cursor_close(cursor);
        status = status == STATUS_END ? STATUS_OK : status;
    }
    return status;
}

static const struct schema_table *find_table(const struct schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (strcmp(schema->tables[i].name, name) == 0) {
            return &schema->tables[i];
        }
    }
    return NULL;
}

static enum status create(struct probe *probe, const char *const *tables, uint32_t table_count)
{
    const struct connector *connector = probe->database->connector;
    struct feed_start start;
    struct schema *schema;
    struct reader *reader;
    const char *token;
    struct followed_table *followed =
        arena_allocate_zeroed(probe->arena, table_count + (size_t)1, sizeof *followed);
    for (uint32_t i = 0; i < table_count; i++) {
        followed[i].name = tables[i];
    }
    enum status status = connector->feed->create(probe->database, probe->name, followed,
                                                 table_count, probe->arena, &start, &probe->error);
    if (status != STATUS_OK) {
        return status;
    }
    struct buffer line = {0};
    buffer_append_string(&line, "{\"position\":");
    append_hex(&line, start.position);
    buffer_format(&line, ",\"snapshot\":\"%s\"}", start.snapshot != NULL ? start.snapshot : "");
    put_line(&line);
    if (getenv("FEED_PROBE_PAUSE") != NULL) {
        (void)!system(getenv("FEED_PROBE_PAUSE"));
    }
    probe->database->moment = start.snapshot;
    status = connector->catalog->describe(probe->database, &schema, &probe->error);
    status = status == STATUS_OK ? connector->source->snapshot(probe->database, 1, probe->arena,
                                                               &token, &probe->error)
                                 : status;
    status = status == STATUS_OK
                 ? connector->source->reader_open(probe->database, &reader, &probe->error)
                 : status;
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        const struct schema_table *table = find_table(schema, tables[i]);
        status = table != NULL
                     ? print_table(probe, reader, table)
                     : error_set(&probe->error, ERROR_PLAN_INVALID, tables[i], "no table");
    }
    connector->source->reader_close(reader);
    return status;
}

/* ---------------------------------------------------------------- until when */

enum { WAIT_MS = 50 };

/* Until the feed is where the source was, and brought no change for a while. */
struct ending {
    struct position head;
    bool reached;
    int64_t idle_ms;
    int64_t quiet_ms; /* monotonic: when it will have been quiet for long enough */
};

static enum status begin_ending(struct probe *probe, int64_t idle_ms, struct ending *ending)
{
    *ending = (struct ending){.idle_ms = idle_ms, .quiet_ms = clock_monotonic_ms() + idle_ms};
    return probe->database->connector->feed->head(probe->database, probe->arena, &ending->head,
                                                  &probe->error);
}

static void note_set(struct probe *probe, struct ending *ending, const struct change_set *set)
{
    ending->reached =
        ending->reached ||
        (set->last_piece && probe->database->connector->feed->covers(set->end, ending->head));
    if (set->change_count > 0) {
        ending->quiet_ms = clock_monotonic_ms() + ending->idle_ms;
    }
}

static bool has_ended(const struct ending *ending)
{
    return ending->reached && clock_monotonic_ms() >= ending->quiet_ms;
}

/* ---------------------------------------------------------------- next */

static void append_change(struct buffer *line, const struct change_set *set,
                          const struct record_change *change)
{
    static const char *const operations[] = {"insert", "update", "delete", "truncate"};
    const struct change_table *table = &set->tables[change->table];
    buffer_append_string(line, "{\"table\":");
    json_append_string(line, table->name, strlen(table->name));
    buffer_format(line, ",\"operation\":\"%s\",\"key\":[", operations[change->operation]);
    for (uint32_t i = 0; i < change->key_count; i++) {
        buffer_append_string(line, i > 0 ? "," : "");
        append_cell(line, &change->key[i]);
    }
    buffer_append_string(line, "],\"before\":");
    append_record(line, table->shape, change->before);
    buffer_append_string(line, ",\"after\":");
    append_record(line, table->shape, change->after);
    buffer_append_byte(line, '}');
}

static void print_set(const struct change_set *set)
{
    struct buffer line = {0};
    buffer_append_string(&line, "{\"begin\":");
    append_hex(&line, set->begin);
    buffer_append_string(&line, ",\"end\":");
    append_hex(&line, set->end);
    buffer_format(&line, ",\"first\":%s,\"last\":%s,\"time_us\":%lld,\"changes\":[",
                  set->first_piece ? "true" : "false", set->last_piece ? "true" : "false",
                  (long long)set->commit_time_us);
    for (uint32_t i = 0; i < set->change_count; i++) {
        buffer_append_string(&line, i > 0 ? "," : "");
        append_change(&line, set, &set->changes[i]);
    }
    buffer_append_string(&line, "]}");
    put_line(&line);
}

static bool confirms(void)
{
    const char *said = getenv("FEED_PROBE_CONFIRM");
    return said == NULL || strcmp(said, "no") != 0;
}

static void print_health(struct probe *probe, struct feed *feed)
{
    struct feed_health health;
    if (probe->database->connector->feed->health(feed, &health, &probe->error) == STATUS_OK) {
        printf("{\"bytes_kept\":%lld,\"bytes_left\":%lld,\"lag_us\":%lld}\n",
               (long long)health.bytes_kept, (long long)health.bytes_left,
               (long long)health.lag_us);
    }
}

static enum status next(struct probe *probe, struct position position, int64_t idle_ms)
{
    const struct feed_functions *functions = probe->database->connector->feed;
    struct feed *feed;
    struct change_set *set;
    enum status status =
        functions->open(probe->database, probe->name, position, &feed, &probe->error);
    if (status != STATUS_OK) {
        return status;
    }
    printf("{\"opened\":true}\n");
    fflush(stdout);
    struct ending ending;
    status = begin_ending(probe, idle_ms, &ending);
    while (status == STATUS_OK && !has_ended(&ending)) {
        status = functions->next(feed, WAIT_MS, &set, &probe->error);
        if (status == STATUS_OK) {
            print_set(set);
            note_set(probe, &ending, set);
            status = set->last_piece && confirms()
                         ? functions->confirm(feed, set->end, &probe->error)
                         : STATUS_OK;
            arena_destroy(set->arena);
        }
        status = status == STATUS_AGAIN ? STATUS_OK : status;
    }
    if (status == STATUS_OK) {
        print_health(probe, feed);
    }
    functions->close(feed);
    return status;
}

/* ---------------------------------------------------------------- relay */

struct relay {
    struct probe *probe;
    struct database *target;
    struct feed *feed;
    struct apply *apply;
    const struct target_table *tables;
    uint32_t table_count;
    struct change_set *sets[SETS_MAX];
    uint32_t set_count;
    uint32_t sets_max;
    uint64_t changes;
    uint64_t all_sets;
    uint64_t refusals;
    struct buffer position;
};

/* Tables of the set become those of the request; what is of none goes. */
static void renumber(struct relay *relay, struct change_set *set)
{
    struct change_table *tables =
        arena_allocate_zeroed(set->arena, relay->table_count + 1, sizeof *tables);
    struct record_change *changes =
        arena_allocate_zeroed(set->arena, set->change_count + 1, sizeof *changes);
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->change_count; i++) {
        const struct change_table *table = &set->tables[set->changes[i].table];
        for (uint32_t t = 0; t < relay->table_count; t++) {
            if (strcmp(relay->tables[t].name, table->name) == 0) {
                changes[count] = set->changes[i];
                changes[count++].table = t;
                tables[t] = *table;
            }
        }
    }
    set->tables = tables;
    set->table_count = relay->table_count;
    set->changes = changes;
    set->change_count = count;
}

static enum status flush(struct relay *relay)
{
    struct apply_result result;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    if (relay->set_count > 0) {
        const struct change_set *last = relay->sets[relay->set_count - 1];
        status = relay->target->connector->apply->apply_sets(
            relay->apply, (const struct change_set *const *)relay->sets, relay->set_count, arena,
            &result, &relay->probe->error);
        for (uint32_t i = 0; status == STATUS_OK && i < result.refusal_count; i++) {
            relay->refusals++;
            fprintf(stderr, "refused: %s\n", result.refusals[i].reason);
        }
        if (status == STATUS_OK && last->last_piece) {
            buffer_clear(&relay->position);
            buffer_append(&relay->position, last->end.bytes, last->end.length);
            if (confirms()) {
                status = relay->probe->database->connector->feed->confirm(relay->feed, last->end,
                                                                          &relay->probe->error);
            }
        }
    }
    for (uint32_t i = 0; i < relay->set_count; i++) {
        arena_destroy(relay->sets[i]->arena);
    }
    relay->set_count = 0;
    arena_destroy(arena);
    return status;
}

static enum status pump(struct relay *relay, int64_t idle_ms)
{
    struct probe *probe = relay->probe;
    struct ending ending;
    uint32_t pending = 0;
    enum status status = begin_ending(probe, idle_ms, &ending);
    while (status == STATUS_OK && (relay->set_count > 0 || !has_ended(&ending))) {
        struct change_set *set;
        status = probe->database->connector->feed->next(
            relay->feed, relay->set_count > 0 ? 0 : WAIT_MS, &set, &probe->error);
        bool dry = status == STATUS_AGAIN;
        if (status == STATUS_OK) {
            note_set(probe, &ending, set);
            renumber(relay, set);
            relay->sets[relay->set_count++] = set;
            relay->all_sets += set->last_piece;
            relay->changes += set->change_count;
            pending += set->change_count;
        }
        status = dry ? STATUS_OK : status;
        if (status == STATUS_OK &&
            (dry || relay->set_count == relay->sets_max || pending > PENDING_MAX)) {
            pending = 0;
            status = flush(relay);
        }
    }
    return status;
}

/* The target's tables as the catalogue has them. */
static const struct target_table *describe_target(struct relay *relay, const char *const *names,
                                                  uint32_t count)
{
    struct probe *probe = relay->probe;
    struct target_table *tables = arena_allocate_zeroed(probe->arena, count + 1, sizeof *tables);
    struct schema *schema;
    if (relay->target->connector->catalog->describe(relay->target, &schema, &probe->error) !=
        STATUS_OK) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct schema_table *table = find_table(schema, names[i]);
        if (table == NULL) {
            error_set(&probe->error, ERROR_PLAN_INVALID, names[i], "no such table in the target");
            return NULL;
        }
        tables[i] = (struct target_table){.name = table->name,
                                          .columns = table->columns,
                                          .column_count = table->column_count,
                                          .key = table->primary_key};
    }
    return tables;
}

static enum status relay_all(struct relay *relay, const char *position, int64_t idle_ms)
{
    struct probe *probe = relay->probe;
    const struct apply_functions *apply = relay->target->connector->apply;
    const struct apply_request request = {
        .feed = probe->name, .tables = relay->tables, .table_count = relay->table_count};
    struct position at = {0};
    enum status status = apply->open(relay->target, &request, &relay->apply, &probe->error);
    status = status == STATUS_OK ? apply->position(relay->apply, probe->arena, &at, &probe->error)
                                 : status;
    if (status == STATUS_END) {
        at = read_hex(probe->arena, position);
        status = STATUS_OK;
    }
    status = status == STATUS_OK
                 ? probe->database->connector->feed->open(probe->database, probe->name, at,
                                                          &relay->feed, &probe->error)
                 : status;
    if (status == STATUS_OK) {
        int64_t begin = clock_monotonic_ms();
        status = pump(relay, idle_ms);
        int64_t took = clock_monotonic_ms() - begin - idle_ms;
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        if (status == STATUS_OK) {
            struct buffer line = {0};
            buffer_format(&line,
                          "{\"sets\":%llu,\"changes\":%llu,\"refusals\":%llu,\"ms\":%lld,"
                          "\"peak_kib\":%ld,\"cpu_ms\":%ld,\"position\":",
                          (unsigned long long)relay->all_sets, (unsigned long long)relay->changes,
                          (unsigned long long)relay->refusals, (long long)took, usage.ru_maxrss,
                          (long)(usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 +
                                 usage.ru_stime.tv_sec * 1000 + usage.ru_stime.tv_usec / 1000));
            append_hex(&line, (struct position){(const uint8_t *)relay->position.data,
                                                (uint32_t)relay->position.length});
            buffer_append_byte(&line, '}');
            put_line(&line);
        }
        probe->database->connector->feed->close(relay->feed);
    }
    apply->close(relay->apply);
    return status;
}

static enum status relay(struct probe *probe, const char *position, const char *target,
                         int64_t idle_ms, const char *const *tables, uint32_t table_count)
{
    static struct relay relay;
    const char *sets = getenv("FEED_PROBE_SETS");
    relay = (struct relay){.probe = probe, .table_count = table_count, .sets_max = SETS_MAX};
    if (sets != NULL) {
        relay.sets_max = (uint32_t)strtoul(sets, NULL, 10);
    }
    relay.target = open_database(probe, target, OPEN_TARGET);
    if (relay.target == NULL) {
        return STATUS_FAILED;
    }
    relay.target->triggers_off = getenv("FEED_PROBE_TRIGGERS") == NULL;
    relay.tables = describe_target(&relay, tables, table_count);
    enum status status =
        relay.tables != NULL ? relay_all(&relay, position, idle_ms) : STATUS_FAILED;
    relay.target->connector->close(relay.target);
    return status;
}

int main(int count, char **arguments)
{
    struct probe probe = {.arena = arena_create(0), .name = count > 3 ? arguments[3] : ""};
    if (count < 4 || failpoint_setup(&probe.error) != STATUS_OK ||
        registry_load_modules(&probe.error) != STATUS_OK) {
        return 2;
    }
    const char *const *rest = (const char *const *)arguments + 4;
    uint32_t rest_count = (uint32_t)count - 4;
    probe.database = open_database(&probe, arguments[2], OPEN_SOURCE);
    if (probe.database == NULL) {
        return failed(&probe.error);
    }
    enum status status = STATUS_FAILED;
    if (strcmp(arguments[1], "create") == 0) {
        status = create(&probe, rest, rest_count);
    } else if (strcmp(arguments[1], "drop") == 0) {
        status = probe.database->connector->feed->drop(probe.database, probe.name, &probe.error);
    } else if (strcmp(arguments[1], "next") == 0 && rest_count > 0) {
        status = next(&probe, read_hex(probe.arena, rest[0]),
                      rest_count > 1 ? strtol(rest[1], NULL, 10) : 500);
    } else if (strcmp(arguments[1], "relay") == 0 && rest_count > 3) {
        status =
            relay(&probe, rest[0], rest[1], strtol(rest[2], NULL, 10), rest + 3, rest_count - 3);
    }
    probe.database->connector->close(probe.database);
    if (status != STATUS_OK) {
        failed(&probe.error);
    }
    arena_destroy(probe.arena);
    return status == STATUS_OK ? 0 : 1;
}
