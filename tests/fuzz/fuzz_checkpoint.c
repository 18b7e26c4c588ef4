/* What a validation kept when it was broken off. The input is what stands between the frame's head
 * and its hash, which are made right here; one that begins with '!' is the file, byte for byte.
 * What is read of it is written and read again as it was, its sums can be added to and shown, and
 * what it names is JSON. */
#include "support.h"

#include "verify/checkpoint.h"
#include <jansson.h>
#include <string.h>

enum { TABLES = 4, STREAMS = 3, ENTITIES = 2, BUCKETS = 16, RANGED = 1, PUSHED = 2, JOINED = 3 };
enum { FRAME_BYTES = 28, HASH_BYTES = 16 };

static const uint32_t column_counts[TABLES] = {2, 1, 1, 0};

/* A validation of four tables, each of another mode. */
struct scene {
    struct arena *arena;
    struct plan plan;
    struct plan_stream streams[STREAMS];
    struct plan_table plan_tables[TABLES];
    struct run_session session;
    struct verify_table tables[TABLES];
    struct verify_entity entities[ENTITIES];
    struct verify_pushed pushed;
    struct verify verify;
    struct checkpoint_head head;
    struct task_list tasks;
};

static void begin(struct scene *scene)
{
    struct verify *verify = &scene->verify;
    memset(scene, 0, sizeof *scene);
    scene->arena = arena_create(0);
    scene->plan = (struct plan){.streams = scene->streams, .stream_count = STREAMS};
    scene->session.plan = &scene->plan;
    scene->session.options.limits.jobs = 1;
    *verify = (struct verify){.session = &scene->session,
                              .arena = scene->arena,
                              .tables = scene->tables,
                              .table_count = TABLES,
                              .entities = scene->entities,
                              .entity_count = ENTITIES};
    for (uint32_t at = 0; at < TABLES; at++) {
        scene->tables[at] = (struct verify_table){.plan = &scene->plan_tables[at],
                                                  .number = at,
                                                  .columns = {.count = column_counts[at]},
                                                  .range_stream = UINT32_MAX,
                                                  .bucket_mask = BUCKETS - 1};
    }
    scene->tables[RANGED].range_stream = RANGED;
    scene->tables[PUSHED].pushed = &scene->pushed;
    scene->tables[JOINED].joined = true;
    FUZZ_REQUIRE(steps_take_bucket_count(verify, &scene->tables[PUSHED], BUCKETS));
}

static void end(struct scene *scene)
{
    for (uint32_t at = 0; at < TABLES; at++) {
        buffer_free(&scene->tables[at].named);
    }
    steps_free_columns(&scene->verify);
    free(scene->tasks.tasks);
    arena_destroy(scene->arena);
}

/* False: refused, with a reason. */
static bool read_all(struct scene *scene, struct buffer *file)
{
    struct verify *verify = &scene->verify;
    struct error error = {0};
    const char *at;
    const char *last;
    const char *why = checkpoint_read_head(buffer_string(file), file->length, scene->arena,
                                           &scene->head, &at, &last);
    why = why != NULL ? why : checkpoint_read_counts(verify, &at, last);
    if (why != NULL) {
        FUZZ_REQUIRE(why[0] != '\0');
        return false;
    }
    verify_make_buckets(verify);
    steps_make_columns(verify);
    if (checkpoint_read_sums(verify, at, last, &scene->tasks, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return false;
    }
    return scene->tasks.count == scene->head.task_count;
}

static void write_all(const struct scene *scene, struct buffer *out)
{
    struct checkpoint checkpoint = {.verify = (struct verify *)&scene->verify,
                                    .tasks = scene->tasks.tasks,
                                    .task_count = scene->tasks.count};
    struct buffer sums = {0};
    checkpoint_append_sums(&checkpoint, &sums);
    checkpoint_append(&scene->verify, &scene->head, &sums, out);
    buffer_free(&sums);
}

static void require_named(struct verify_table *table)
{
    struct text rest = {buffer_string(&table->named), table->named.length};
    while (rest.length > 0) {
        struct text line = fuzz_line(&rest);
        struct buffer whole = {0};
        json_error_t fault;
        buffer_append_string(&whole, "{\"kind\":\"unreadable\"");
        buffer_append(&whole, line.data, line.length);
        buffer_append_byte(&whole, '}');
        json_t *json =
            json_loadb(buffer_string(&whole), whole.length, JSON_REJECT_DUPLICATES, &fault);
        FUZZ_REQUIRE(json_is_object(json));
        FUZZ_REQUIRE(json_is_object(json_object_get(json, "key")));
        json_decref(json);
        buffer_free(&whole);
    }
}

static void require_tasks(const struct scene *scene)
{
    for (uint32_t at = 0; at < scene->tasks.count; at++) {
        const struct verify_task *task = &scene->tasks.tasks[at];
        FUZZ_REQUIRE(task->index < (task->side == SIDE_SOURCE ? STREAMS : TABLES));
        FUZZ_REQUIRE(task->span != NULL && task->span->printable != NULL);
    }
}

static void use_sums(struct scene *scene)
{
    struct verify *verify = &scene->verify;
    const struct cell one = cell_int64(1);
    struct cell sum;
    struct error error = {0};
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t at = 0; at < verify->first_column[TABLES]; at++) {
            struct verify_column_sum *column = &verify->columns[side][at];
            FUZZ_REQUIRE(decimal_sum_result(&column->decimal, scene->arena, &sum) == STATUS_OK);
            FUZZ_REQUIRE(value_kind_is_number((enum value_kind)sum.kind));
            FUZZ_REQUIRE(decimal_sum_add(&column->decimal, &one) == STATUS_OK);
            FUZZ_REQUIRE(verify_take_number_off(column, "-0.5", 4, &error) == STATUS_OK);
            FUZZ_REQUIRE(decimal_sum_result(&column->decimal, scene->arena, &sum) == STATUS_OK);
        }
    }
}

static void make_file(struct text input, struct buffer *file)
{
    struct scene empty;
    if (input.length > 0 && input.data[0] == '!') {
        buffer_append(file, input.data + 1, input.length - 1);
        return;
    }
    begin(&empty);
    empty.head = (struct checkpoint_head){.version = "", .compared = "", .tokens = {"", ""}};
    steps_make_columns(&empty.verify);
    write_all(&empty, file);
    end(&empty);
    file->length = FRAME_BYTES;
    buffer_append(file, input.data, input.length);
    struct canonical_hash hash = canonical_hash_bytes(buffer_string(file), file->length);
    buffer_append(file, &hash.low, HASH_BYTES / 2);
    buffer_append(file, &hash.high, HASH_BYTES / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scene scene;
    static struct scene again;
    struct buffer file = {0};
    struct buffer copies[2] = {0};
    make_file((struct text){(const char *)data, size}, &file);
    begin(&scene);
    if (read_all(&scene, &file)) {
        write_all(&scene, &copies[0]);
        begin(&again);
        FUZZ_REQUIRE(read_all(&again, &copies[0]));
        write_all(&again, &copies[1]);
        FUZZ_REQUIRE(copies[0].length == copies[1].length);
        FUZZ_REQUIRE(memcmp(copies[0].data, copies[1].data, copies[0].length) == 0);
        for (uint32_t at = 0; at < TABLES; at++) {
            require_named(&scene.tables[at]);
        }
        require_tasks(&scene);
        use_sums(&scene);
        end(&again);
    }
    end(&scene);
    buffer_free(&file);
    buffer_free(&copies[0]);
    buffer_free(&copies[1]);
    return 0;
}
