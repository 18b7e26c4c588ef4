/*
 * Push-down: both databases sum hashes of their rows into buckets, by the keys' hashes, and only
 * the rows of buckets that differ are read. What a digest can't tell is never taken for equal: a
 * wrong suspicion costs a reading of its bucket, and no more.
 */
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "plan/mapping.h"
#include "verify/steps.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKET_ROWS = 512, BUCKETS_MIN = 16, BUCKETS_USUAL = 256, BUCKETS_MAX = 1024 };

/* ---------------------------------------------------------------- types */

/* One value as readers of two forms give it, whose texts are equal. */
static bool make_samples(const enum digest_form forms[2], struct cell cells[2])
{
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    static const char uuid_text[] = "123e4567-e89b-12d3-a456-426614174000";
    for (int i = 0; i < 2; i++) {
        switch (forms[i]) {
        case DIGEST_NUMBER:
            cells[i] = cell_int64(1);
            break;
        case DIGEST_TRUTH:
            cells[i] = cell_bool(true);
            break;
        case DIGEST_MOMENT:
        case DIGEST_INSTANT:
            cells[i] = (struct cell){.kind = VALUE_TIMESTAMP,
                                     .flags = forms[i] == DIGEST_INSTANT ? CELL_ZONED : 0,
                                     .i64 = INT64_C(1709210096500000)};
            break;
        case DIGEST_UUID:
            cells[i] = (struct cell){.kind = VALUE_UUID, .bytes = uuid};
            break;
        case DIGEST_TEXT:
            cells[i] = cell_text(uuid_text, strlen(uuid_text));
            break;
        default:
            return false;
        }
    }
    return true;
}

static bool is_pair(const enum digest_form forms[2], enum digest_form a, enum digest_form b)
{
    return (forms[0] == a && forms[1] == b) || (forms[0] == b && forms[1] == a);
}

/* Does the target take values of two forms for one if their texts are equal? */
static bool are_one(const struct verify *verify, const struct form_field *field,
                    const enum digest_form forms[2])
{
    struct database *target = verify->session->target;
    const struct column_functions *columns = connector_columns(target->connector);
    struct cell cells[2];
    struct buffer bytes[2] = {{0}, {0}};
    struct error ignored = {0};
    bool same = is_pair(forms, DIGEST_NUMBER, DIGEST_TRUTH) ||
                (is_pair(forms, DIGEST_MOMENT, DIGEST_INSTANT) &&
                 verify->session->time_zone == NULL) || /* else not in winter and in summer */
                is_pair(forms, DIGEST_UUID, DIGEST_TEXT);
    struct arena *arena = same && make_samples(forms, cells) ? arena_create(0) : NULL;
    same = arena != NULL && field->in_column;
    for (int i = 0; i < 2 && same; i++) {
        struct cell normal;
        same = columns->normal_form(target, field->column_class, &cells[i], arena, &normal,
                                    &ignored) == STATUS_OK &&
               canonical_append(&normal, &bytes[i], &ignored) == STATUS_OK;
    }
    same = same && bytes[0].length == bytes[1].length &&
           memcmp(bytes[0].data, bytes[1].data, bytes[0].length) == 0;
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
    arena_destroy(arena);
    return same;
}

/* *integers: of both sides they are. */
static const char *check_types(const struct verify *verify, const struct verify_table *table,
                               const struct form_field *field, const struct read_request *source,
                               const char *names[2], bool *integers)
{
    const struct run_session *session = verify->session;
    struct digest_type types[2] = {
        session->source->connector->source->digest_type(session->source, source, names[0]),
        session->mirror->connector->source->digest_type(session->mirror, &table->request,
                                                        names[1])};
    const enum digest_form forms[2] = {types[0].form, types[1].form};
    for (int i = 0; i < 2; i++) {
        if (forms[i] == DIGEST_NONE) {
            return arena_format(verify->arena, "no text is known in the %s to compare %s by",
                                i == 0 ? "source" : "target", names[i]);
        }
    }
    *integers = types[0].integer && types[1].integer;
    bool numbers = forms[0] == DIGEST_NUMBER && forms[1] == DIGEST_NUMBER;
    if (numbers && types[0].scale != types[1].scale) {
        return arena_format(verify->arena,
                            "the digits of %s behind the point are not as many on both sides",
                            names[1]);
    }
    return forms[0] == forms[1] || are_one(verify, field, forms)
               ? NULL
               : arena_format(verify->arena, "%s is of two types", names[1]);
}

/* ---------------------------------------------------------------- tables */

/* Are the entity's records columns of rows of one table, as they are? */
static bool is_plain(const struct plan_entity *entity, const struct plan_stream *stream)
{
    const struct mapping *mapping = entity->mapping;
    return !stream->masks_rows && stream->request.table != NULL &&
           stream->request.join_count == 0 && stream->request.column_count > 0 &&
           stream->joined == NULL && stream->child_count == 0 && entity->shape->field_count > 0 &&
           !entity->is_pages && mapping != NULL && mapping->all_direct &&
           mapping->match_count == 0 && mapping->same_count == 0 &&
           mapping->field_count == entity->shape->field_count;
}

/* The reason that keeps a table from it, whatever its columns are; NULL: nothing. */
static const char *check_table(const struct verify *verify, const struct verify_table *table)
{
    const struct run_session *session = verify->session;
    if (table->actual == NULL) {
        return "the target has no such table";
    }
    if (session->source->connector->source->digest == NULL) {
        return "the source can't sum hashes of its rows";
    }
    if (session->mirror->connector->source->digest == NULL) {
        return "the target can't sum hashes of its rows";
    }
    if (!table->owned) {
        return "the target's table held records before";
    }
    if (table->plan->entity_count != 1) {
        return "several entities go into its table";
    }
    const struct verify_entity *entity = &verify->entities[table->plan->entities[0]];
    if (entity->rejected_known > 0) {
        return "the run rejected some of its records";
    }
    const struct plan_stream *stream = &session->plan->streams[entity->plan->stream];
    if (stream->entity_count != 1) {
        return "the same rows go into other entities, too";
    }
    return table->joined || !is_plain(entity->plan, stream)
               ? "the plan makes more of it than columns of one table as they are"
               : NULL;
}

/* The columns of both sides in one order, that of their fields' names; NULL: all of them are fit.
 */
static const char *pair_columns(const struct verify *verify, const struct verify_table *table,
                                struct digest_column *columns[2], bool *by_integer)
{
    const struct verify_entity *entity = &verify->entities[table->plan->entities[0]];
    const struct plan_stream *stream = &verify->session->plan->streams[entity->plan->stream];
    const struct form_field *fields[2] = {entity->form.fields, table->form.fields};
    uint32_t keys = 0;
    *by_integer = table->form.key.count == 1;
    if (entity->form.field_count != table->form.field_count) {
        return "the target's table has other columns";
    }
    for (uint32_t i = 0; i < table->form.field_count; i++) {
        const struct mapping_field *made = &entity->plan->mapping->fields[fields[0][i].cell];
        const char *name = fields[1][i].name;
        if (strcmp(fields[0][i].name, name) != 0 || strcmp(made->name, name) != 0) {
            return "the target's table has other columns";
        }
        const char *names[2] = {stream->request.columns[made->value.index].name,
                                table->request.columns[fields[1][i].cell].name};
        bool key = column_list_holds(table->form.key, name);
        bool integers = false;
        const char *why =
            check_types(verify, table, &fields[1][i], &stream->request, names, &integers);
        if (why != NULL) {
            return why;
        }
        keys += key;
        *by_integer = *by_integer && (!key || integers);
        columns[0][i] = (struct digest_column){.name = names[0], .key = key};
        columns[1][i] = (struct digest_column){.name = names[1], .key = key};
    }
    return keys == table->form.key.count ? NULL : "its key is not among its columns";
}

/* Few enough that their sums are little beside the rows, and a bad one is little of the table. */
static uint32_t choose_bucket_count(const struct verify *verify, const struct verify_table *table)
{
    const struct plan_entity *entity = verify->entities[table->plan->entities[0]].plan;
    int64_t source = verify->session->facts[entity->stream].row_count;
    int64_t rows = table->actual->row_count > source ? table->actual->row_count : source;
    uint32_t count = BUCKETS_MIN;
    if (rows < 0) {
        return BUCKETS_USUAL;
    }
    while (count < BUCKETS_MAX && (int64_t)count * BUCKET_ROWS < rows) {
        count *= 2;
    }
    return count;
}

static void push_down(struct verify *verify, struct verify_table *table)
{
    const struct run_session *session = verify->session;
    uint32_t fields = table->form.field_count;
    struct verify_pushed *pushed = arena_allocate_zeroed(verify->arena, 1, sizeof *pushed);
    struct digest_column *columns[2];
    bool by_integer;
    for (int i = 0; i < 2; i++) {
        columns[i] = arena_allocate_zeroed(verify->arena, (size_t)fields + 1, sizeof **columns);
    }
    table->read_because = pair_columns(verify, table, columns, &by_integer);
    if (table->read_because != NULL) {
        return;
    }
    const struct plan_entity *entity = verify->entities[table->plan->entities[0]].plan;
    pushed->stream = session->plan->streams[entity->stream];
    pushed->request[SIDE_SOURCE] = pushed->stream.request;
    pushed->request[SIDE_TARGET] = table->request;
    for (int i = 0; i < 2; i++) {
        pushed->digest[i] = (struct digest){.columns = columns[i],
                                            .column_count = fields,
                                            .bucket_count = choose_bucket_count(verify, table),
                                            .by_integer = by_integer};
        pushed->request[i].digest = &pushed->digest[i];
    }
    table->pushed = pushed;
    table->range_stream = UINT32_MAX; /* servers sum into buckets */
    (void)steps_take_bucket_count(verify, table, pushed->digest[0].bucket_count);
}

bool steps_take_bucket_count(struct verify *verify, struct verify_table *table, uint32_t count)
{
    struct verify_pushed *pushed = table->pushed;
    if (count < BUCKETS_MIN || count > DIGEST_BUCKETS_MAX || (count & (count - 1)) != 0) {
        return false;
    }
    table->bucket_mask = count - 1;
    if (pushed == NULL) {
        return true;
    }
    pushed->digest[0].bucket_count = pushed->digest[1].bucket_count = count;
    pushed->doubtful = arena_allocate_zeroed(verify->arena, count, sizeof *pushed->doubtful);
    return true;
}

enum status steps_push_down(struct verify *verify, struct error *error)
{
    /* Counts what the run rejected of each entity: where it did, the sources' sums would differ. */
    struct pass pass = {.verify = verify, .act = ACT_COUNT, .counts = true};
    enum status status = known_rejects_feed(&pass, error);
    for (uint32_t i = 0; i < verify->table_count && status == STATUS_OK; i++) {
        struct verify_table *table = &verify->tables[i];
        table->read_because = check_table(verify, table);
        if (table->read_because == NULL) {
            push_down(verify, table);
        }
    }
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        verify->entities[i].rejected_known = 0; /* to be counted by the reading */
    }
    return status;
}

/* ---------------------------------------------------------------- readings */

enum status steps_sum_pushed(struct task_sums *sums, struct verify_table *table,
                             enum verify_side side, struct reader *reader, const struct span *span,
                             uint64_t *bytes, struct error *error)
{
    const struct run_session *session = sums->verify->session;
    const struct database *database = side == SIDE_SOURCE ? session->source : session->mirror;
    struct verify_pushed *pushed = table->pushed;
    uint32_t count = pushed->digest[side].bucket_count;
    struct digest_sum *made = memory_allocate_zeroed(count, sizeof *made);
    *bytes = 0;
    enum status status = database->connector->source->digest(reader, &pushed->request[side], span,
                                                             made, bytes, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        bool subtract = side == SIDE_TARGET;
        struct canonical_hash hash = {.low = subtract ? 0 - made[i].low : made[i].low,
                                      .high = subtract ? 0 - made[i].high : made[i].high};
        sums->rows += made[i].rows;
        task_sums_add(sums, table, i, &hash);
        if (made[i].doubtful > 0) {
            atomic_store(&pushed->doubtful[i], true); /* at worst, it is read for nothing */
        }
    }
    free(made);
    if (status == STATUS_FAILED && error->hint[0] == '\0') {
        error_hint(error, "without --push-down the rows are read");
    }
    return status;
}

void steps_narrow_pushed(struct verify *verify, struct verify_table *table)
{
    struct verify_pushed *pushed = table->pushed;
    uint32_t count = 0;
    uint32_t *buckets = arena_allocate_zeroed(
        verify->arena, (size_t)pushed->digest[0].bucket_count + 1, sizeof *buckets);
    for (uint32_t i = 0; i <= table->bucket_mask; i++) {
        if (!verify_bucket_is_even(table, i)) {
            buckets[count++] = i;
        }
    }
    for (int i = 0; i < 2; i++) {
        pushed->request[i].buckets = buckets;
        pushed->request[i].bucket_count = count;
    }
    pushed->stream.request = pushed->request[SIDE_SOURCE];
}
