/* Roots by key: whatever kind the key is of, asking for rows by it brings what reading them all
 * does. */
#include "base/buffer.h"
#include "source_side.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

enum { VALUES_MAX = 12, ROWS_MAX = 2 * VALUES_MAX, MISSES_MAX = 16 };

static const struct value_interval interval = {14, -3, 1500000000};
static const struct value_interval month = {1, 0, 0};
static const uint8_t uuids[2][16] = {{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56,
                                      0x42, 0x66, 0x14, 0x17, 0x40, 0x00},
                                     {0xff}};

#define TEXT(literal)                                                        \
    {                                                                        \
        .kind = VALUE_TEXT, .length = sizeof(literal) - 1, .text = (literal) \
    }
#define BYTES(literal)                                                                          \
    {                                                                                           \
        .kind = VALUE_BYTES, .length = sizeof(literal) - 1, .bytes = (const uint8_t *)(literal) \
    }
#define SMALL_DECIMAL(places, digits)                                                \
    {                                                                                \
        .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (places), .i64 = (digits) \
    }

/* Kinds that a key may be of, and values that are hard to write as a literal. */
static const struct key_kind {
    const char *name;
    struct value_type type;
    const char *refused_by; /* the database that has no such key; NULL: all have */
    struct cell values[VALUES_MAX];
} kinds[] = {
    {"truth",
     {.kind = VALUE_BOOL},
     "dynamodb",
     {{.kind = VALUE_BOOL}, {.kind = VALUE_BOOL, .i64 = 1}}},
    {"whole",
     {.kind = VALUE_INT64},
     NULL,
     {{.kind = VALUE_INT64},
      {.kind = VALUE_INT64, .i64 = -1},
      {.kind = VALUE_INT64, .i64 = 9007199254740993},
      {.kind = VALUE_INT64, .i64 = INT64_MAX},
      {.kind = VALUE_INT64, .i64 = INT64_MIN}}},
    {"unsigned",
     {.kind = VALUE_UINT64},
     NULL,
     {{.kind = VALUE_UINT64},
      {.kind = VALUE_UINT64, .u64 = INT64_MAX},
      {.kind = VALUE_UINT64, .u64 = (uint64_t)1 << 63},
      {.kind = VALUE_UINT64, .u64 = UINT64_MAX}}},
    {"float32",
     {.kind = VALUE_FLOAT32},
     NULL,
     {{.kind = VALUE_FLOAT32, .f64 = 0.1f},
      {.kind = VALUE_FLOAT32, .f64 = -1.5f},
      {.kind = VALUE_FLOAT32, .f64 = 16777216},
      {.kind = VALUE_FLOAT32, .f64 = 1.1754945e-38f},
      {.kind = VALUE_FLOAT32, .f64 = FLT_MAX},
      {.kind = VALUE_FLOAT32, .f64 = INFINITY}}},
    {"float64",
     {.kind = VALUE_FLOAT64},
     NULL,
     {{.kind = VALUE_FLOAT64, .f64 = 0.1},
      {.kind = VALUE_FLOAT64, .f64 = 1.0 / 3},
      {.kind = VALUE_FLOAT64, .f64 = 5},
      {.kind = VALUE_FLOAT64, .f64 = 9007199254740994},
      {.kind = VALUE_FLOAT64, .f64 = -1e300},
      {.kind = VALUE_FLOAT64, .f64 = DBL_MIN},
      {.kind = VALUE_FLOAT64, .f64 = INFINITY},
      {.kind = VALUE_FLOAT64, .f64 = -INFINITY},
      {.kind = VALUE_FLOAT64, .f64 = NAN}}},
    {"decimal",
     {.kind = VALUE_DECIMAL, .precision = 38, .scale = 10},
     NULL,
     {SMALL_DECIMAL(2, 198),
      SMALL_DECIMAL(0, 5),
      SMALL_DECIMAL(10, -1),
      SMALL_DECIMAL(0, 0),
      {.kind = VALUE_DECIMAL, .length = 39, .text = "1234567890123456789012345678.0123456789"},
      {.kind = VALUE_DECIMAL, .length = 39, .text = "1234567890123456789012345678.0123456788"}}},
    {"text",
     {.kind = VALUE_TEXT, .precision = 40},
     NULL,
     {TEXT(""), TEXT("plain"), TEXT("Plain"), TEXT("quotes ' \" ` \\ and\nlines\ttabs"),
      TEXT("caf\xc3\xa9 \xf0\x9f\x90\x91"), TEXT("cafe \xf0\x9f\x90\x91"), TEXT("12"), TEXT("1.20"),
      TEXT("12 "), TEXT("\\x41"), TEXT("%_")}},
    {"bytes",
     {.kind = VALUE_BYTES, .precision = 40},
     NULL,
     {BYTES(""), BYTES("\0"), BYTES("\0\0"), BYTES("a\\'\xff\x80"), BYTES("A"), BYTES("a"),
      BYTES("a "), BYTES("\\x41")}},
    {"date",
     {.kind = VALUE_DATE},
     NULL,
     {{.kind = VALUE_DATE, .i64 = 19782},
      {.kind = VALUE_DATE, .i64 = -719162},
      {.kind = VALUE_DATE, .i64 = -719163},
      {.kind = VALUE_DATE, .i64 = -719600},
      {.kind = VALUE_DATE, .i64 = -800000},
      {.kind = VALUE_DATE, .i64 = 3000000},
      {.kind = VALUE_DATE, .flags = CELL_SPECIAL, .i64 = CELL_INFINITY},
      {.kind = VALUE_DATE, .flags = CELL_SPECIAL, .i64 = CELL_ZERO_DATE}}},
    {"time",
     {.kind = VALUE_TIME},
     NULL,
     {{.kind = VALUE_TIME},
      {.kind = VALUE_TIME, .i64 = 1000},
      {.kind = VALUE_TIME, .i64 = 86399999999000},
      {.kind = VALUE_TIME, .i64 = 86400000000000},
      {.kind = VALUE_TIME, .i64 = 43200000000000}}},
    {"timestamp",
     {.kind = VALUE_TIMESTAMP},
     NULL,
     {{.kind = VALUE_TIMESTAMP, .i64 = 1700000000123456},
      {.kind = VALUE_TIMESTAMP, .i64 = 1700000000000000},
      {.kind = VALUE_TIMESTAMP, .i64 = 1700000000120000},
      {.kind = VALUE_TIMESTAMP, .i64 = -30610224000000000},
      {.kind = VALUE_TIMESTAMP, .i64 = -69120000000000000},
      {.kind = VALUE_TIMESTAMP, .i64 = -62150000000000000},
      {.kind = VALUE_TIMESTAMP, .i64 = 259200000000000001},
      {.kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL, .i64 = CELL_MINUS_INFINITY}}},
    {"zoned",
     {.kind = VALUE_TIMESTAMP, .zoned = true},
     NULL,
     {{.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1700000000123456},
      {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1698539400000000},
      {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1698543000000000}}},
    {"interval",
     {.kind = VALUE_INTERVAL},
     "cassandra",
     {{.kind = VALUE_INTERVAL, .interval = &interval},
      {.kind = VALUE_INTERVAL, .interval = &month}}},
    {"uuid",
     {.kind = VALUE_UUID},
     NULL,
     {{.kind = VALUE_UUID, .bytes = uuids[0]}, {.kind = VALUE_UUID, .bytes = uuids[1]}}},
};
enum { KINDS = sizeof kinds / sizeof *kinds, TABLES = 2 * KINDS };

/* One table: "id" of the kind, "value" a text; of every second one both are the key. */
struct by_key {
    struct fixture fixture;
    struct source_side side;
    const struct key_kind *kind;
    bool composite;
    char names[TABLES][64];
    struct cell rows[ROWS_MAX][2]; /* as the span gives them */
    uint32_t row_count;
    struct arena *arena; /* of `rows` */
};

static uint32_t value_count(const struct key_kind *kind)
{
    uint32_t count = 0;
    while (count < VALUES_MAX && kind->values[count].kind != VALUE_MISSING) {
        count++;
    }
    return count;
}

/* ---- writing */

static void describe_table(struct by_key *test, uint32_t number)
{
    static const char *const key_names[] = {"id", "value"};
    static const uint32_t key_fields[] = {0, 1};
    struct fixture *fixture = &test->fixture;
    test->kind = &kinds[number / 2];
    test->composite = number % 2 == 1;
    snprintf(test->names[number], sizeof test->names[number], "%s%s", test->kind->name,
             test->composite ? "_and_text" : "");
    fixture->columns[0] =
        (struct schema_column){.name = "id", .type = test->kind->type, .not_null = true};
    fixture->columns[1] = (struct schema_column){
        .name = "value", .type = {.kind = VALUE_TEXT, .precision = 20}, .not_null = true};
    fixture->fields[0].type = fixture->columns[0].type;
    fixture->fields[1].type = fixture->columns[1].type;
    fixture->table.name = test->names[number];
    fixture->table.created = false;
    fixture->table.key.names = key_names;
    fixture->table.key.count = test->composite ? 2 : 1;
    fixture->shape.key_fields = key_fields;
    fixture->shape.key_field_count = fixture->table.key.count;
}

/* A table that the database can't have is told by its check, and no other one. */
static bool is_refused(struct by_key *test)
{
    struct error error = {0};
    struct buffer lines = {0};
    struct fixture *fixture = &test->fixture;
    const struct shape *shapes[] = {&fixture->shape};
    const struct key_kind *kind = test->kind;
    const struct check_request request = {
        .table = &fixture->table, .shapes = shapes, .shape_count = 1};
    check_ok(
        fixture->target->connector->target->check_table(fixture->target, &request, &lines, &error),
        &error, "check_table");
    bool refused = lines.length > 0;
    if (refused !=
        (kind->refused_by != NULL && strcmp(kind->refused_by, fixture->entry->name) == 0)) {
        fail_msg("%s: %s", fixture->table.name, buffer_string(&lines));
    }
    buffer_free(&lines);
    return refused;
}

static struct batch *one_record(struct by_key *test, const struct cell *key, const char *value)
{
    struct batch *batch = batch_create(&test->fixture.shape, 2, 1);
    struct cell *row = batch_append(batch);
    row[0] = *key;
    row[1] = cell_text(value, strlen(value));
    return batch;
}

static void write_table(struct by_key *test, uint32_t number)
{
    struct fixture *fixture = &test->fixture;
    struct error error = {0};
    const struct target_functions *functions = fixture->target->connector->target;
    uint64_t written = 0;
    describe_table(test, number);
    if (is_refused(test)) {
        return;
    }
    check_ok(functions->prepare(
                 fixture->target,
                 &(struct prepare_request){.tables = &fixture->table, .table_count = 1}, &error),
             &error, "prepare");
    check_ok(functions->writer_open(fixture->target, &fixture->table, 1, fixture->epoch,
                                    &fixture->writer, &error),
             &error, "writer_open");
    check_ok(functions->chunk_begin(fixture->writer, number + 1, 1, &error), &error, "chunk_begin");
    for (uint32_t i = 0; i < value_count(test->kind); i++) {
        const struct cell *key = &test->kind->values[i];
        written += fixture_write(fixture, number + 1, one_record(test, key, "low")).written;
        if (test->composite) {
            written += fixture_write(fixture, number + 1, one_record(test, key, "high")).written;
        }
    }
    fixture_commit(fixture, number + 1, "{}");
    functions->writer_close(fixture->writer);
    fixture->writer = NULL;
    if (written < 2) {
        fail_msg("%s: %d records written", fixture->table.name, (int)written);
    }
}

static void write_tables(struct by_key *test)
{
    static struct ledger_chunk chunks[TABLES];
    struct error error = {0};
    struct ledger_holder holder = {0};
    for (uint32_t i = 0; i < TABLES; i++) {
        chunks[i] = (struct ledger_chunk){.number = i + 1, .span = {.printable = "all"}};
    }
    fixture_create_run(&test->fixture, chunks, TABLES);
    check_ok(ledger_lead(test->fixture.ledger, test->fixture.run_id, 0, NULL, &holder, &error),
             &error, "claim");
    test->fixture.epoch = 1;
    for (uint32_t i = 0; i < TABLES; i++) {
        write_table(test, i);
    }
}

/* ---- reading */

static void keep_row(struct by_key *test, struct arena *arena, const struct cell *cells,
                     struct cell row[2])
{
    static const struct cell missing;
    for (int i = 0; i < 2; i++) {
        const struct cell *cell = &cells[i];
        if (test->side.request.column_count == 0) {
            cell = value_field(cells, source_both_columns[i].name);
        }
        assert_int_equal(value_copy(cell != NULL ? cell : &missing, arena, &row[i]), STATUS_OK);
    }
}

static uint32_t read_rows(struct by_key *test, const struct read_request *request,
                          struct arena *arena, struct cell rows[ROWS_MAX][2])
{
    struct error error = {0};
    struct cursor *cursor;
    struct batch *batch;
    enum status status;
    uint32_t count = 0;
    const struct source_functions *source = test->side.connector->source;
    check_ok(source->cursor_open(test->side.reader, request, NULL, &cursor, &error), &error,
             request->table);
    while ((status = source->cursor_next(cursor, 5, SIZE_MAX, &batch, &error)) == STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count; row++) {
            assert_true(count < ROWS_MAX);
            keep_row(test, arena, batch_row(batch, row), rows[count++]);
        }
        batch_destroy(batch);
    }
    if (status != STATUS_END) {
        check_ok(status, &error, request->table);
    }
    source->cursor_close(cursor);
    return count;
}

static bool same_row(const struct cell *one, const struct cell *other)
{
    return value_equal(&one[0], &other[0]) && value_equal(&one[1], &other[1]);
}

static uint32_t times_there(const struct cell *row, struct cell rows[ROWS_MAX][2], uint32_t count)
{
    uint32_t times = 0;
    for (uint32_t i = 0; i < count; i++) {
        times += same_row(row, rows[i]);
    }
    return times;
}

/* Asks for the rows whose bits are set, twice each, with `extra` keys of nothing before them. */
static void ask(struct by_key *test, uint32_t wanted, const struct cell *extra,
                uint32_t extra_count)
{
    struct arena *arena = arena_create(0);
    struct cell got[ROWS_MAX][2];
    struct cell keys[(2 * ROWS_MAX + MISSES_MAX) * 2];
    uint32_t width = test->composite ? 2 : 1;
    uint32_t count = extra_count;
    uint32_t expected = 0;
    struct read_request request = test->side.request;
    memcpy(keys, extra, (size_t)extra_count * width * sizeof *keys);
    for (uint32_t i = 0; i < 2 * test->row_count; i++) {
        uint32_t row = i % test->row_count;
        if (wanted >> row & 1) {
            memcpy(&keys[(size_t)count++ * width], test->rows[row], width * sizeof *keys);
            expected += i < test->row_count;
        }
    }
    request.keys = keys;
    request.key_count = count;
    request.ordered = (test->side.connector->capabilities & CAPABILITY_JOINS) != 0;
    uint32_t got_count = read_rows(test, &request, arena, got);
    for (uint32_t i = 0; i < test->row_count; i++) {
        uint32_t times = times_there(test->rows[i], got, got_count);
        if (times != (wanted >> i & 1)) {
            struct buffer shown = {0};
            value_print(&test->rows[i][0], 120, &shown);
            fail_msg("%s: %s came %d times, asked for by %x", request.table, buffer_string(&shown),
                     (int)times, (unsigned)wanted);
        }
    }
    assert_int_equal(got_count, expected);
    arena_destroy(arena);
}

/* Keys under which nothing is, though a part of each may be there. */
static uint32_t make_misses(const struct by_key *test, struct cell *misses)
{
    if (!test->composite) {
        misses[0] = cell_null();
        return 1;
    }
    for (uint32_t i = 0; i < MISSES_MAX; i++) {
        misses[2 * (size_t)i] = test->rows[i % test->row_count][0];
        misses[2 * (size_t)i + 1] = i == 0 ? cell_null() : cell_text("middle", 6);
    }
    return MISSES_MAX;
}

static void check_table(struct by_key *test, uint32_t number)
{
    struct cell misses[2 * MISSES_MAX];
    describe_table(test, number);
    if (is_refused(test)) {
        return;
    }
    test->arena = arena_create(0);
    test->side.request.name = test->fixture.table.name;
    test->side.request.table = test->fixture.table.name;
    test->side.request.root_key = test->fixture.table.key;
    test->row_count = read_rows(test, &test->side.request, test->arena, test->rows);
    assert_true(test->row_count >= 2);
    uint32_t all = (uint32_t)(((uint64_t)1 << test->row_count) - 1);
    uint32_t miss_count = make_misses(test, misses);
    ask(test, 0, misses, 0);
    ask(test, 0, misses, miss_count);
    ask(test, all, misses, miss_count);
    ask(test, all & 0x55555555, misses, miss_count);
    for (uint32_t i = 0; i < test->row_count; i++) {
        ask(test, (uint32_t)1 << i, misses, miss_count);
    }
    arena_destroy(test->arena);
}

void contract_test_roots_by_key(const struct contract_entry *entry)
{
    static struct by_key test;
    test = (struct by_key){0};
    fixture_open(&test.fixture, entry);
    if ((test.fixture.target->capabilities & CAPABILITY_READS_BY_KEY) == 0) {
        fixture_close(&test.fixture);
        return;
    }
    write_tables(&test);
    source_open(&test.fixture, &test.side);
    for (uint32_t i = 0; i < TABLES; i++) {
        check_table(&test, i);
    }
    source_close(&test.side);
    fixture_close(&test.fixture);
}

/* ---- many at once, and of a query */

static void read_ids(struct source_side *side, const struct read_request *request,
                     struct fixture *fixture, uint32_t expected, bool (*fits)(int64_t id))
{
    struct error error = {0};
    struct cursor *cursor;
    struct batch *batch;
    enum status status;
    int64_t sum = 0;
    uint32_t count = 0;
    const struct source_functions *source = fixture->target->connector->source;
    check_ok(source->cursor_open(side->reader, request, NULL, &cursor, &error), &error,
             "cursor_open");
    while ((status = source->cursor_next(cursor, 70, 1 << 20, &batch, &error)) == STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count; row++) {
            const struct cell *cells = batch_row(batch, row);
            const struct cell *id = request->column_count > 0 ? cells : value_field(cells, "id");
            assert_true(fits(id->i64));
            sum += id->i64;
            count++;
        }
        batch_destroy(batch);
    }
    if (status != STATUS_END) {
        check_ok(status, &error, "cursor_next");
    }
    source->cursor_close(cursor);
    assert_int_equal(count, expected);
    for (int64_t id = 0; id < READ_KEYS_MAX; id++) {
        sum -= fits(id) ? id : 0;
    }
    assert_int_equal(sum, 0);
}

static bool is_there(int64_t id)
{
    return id >= 100 && id < 400;
}

static bool is_of_query(int64_t id)
{
    return id < 3;
}

static bool is_zero(int64_t id)
{
    return id == 0;
}

void contract_test_many_roots(const struct contract_entry *entry)
{
    static const char *const names[] = {"id"};
    static struct cell keys[READ_KEYS_MAX];
    struct fixture fixture;
    struct source_side side;
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    if ((fixture.target->capabilities & CAPABILITY_READS_BY_KEY) == 0) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    fixture_chunk(&fixture, 1, 100, 300, &value);
    source_open(&fixture, &side);
    for (int64_t i = 0; i < READ_KEYS_MAX; i++) {
        keys[i] = cell_int64(READ_KEYS_MAX - 1 - i);
    }
    side.request.root_key = (struct column_list){names, 1};
    side.request.keys = keys;
    side.request.key_count = READ_KEYS_MAX;
    read_ids(&side, &side.request, &fixture, 300, is_there);
    source_close(&side);
    fixture_close(&fixture);
}

/* Of all that a query brings, and of nothing else. */
void contract_test_query_by_key(const struct contract_entry *entry)
{
    static const char *const names[] = {"id"};
    static struct cell keys[READ_KEYS_MAX];
    struct fixture fixture;
    struct source_side side;
    struct cell value = cell_text("v", 1);
    fixture_open(&fixture, entry);
    if ((fixture.target->capabilities & CAPABILITY_READS_BY_KEY) == 0 || entry->query == NULL) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    fixture_chunk(&fixture, 1, 0, 9, &value);
    source_open(&fixture, &side);
    side.request.table = NULL;
    side.request.query = source_query(&fixture, side.arena);
    side.request.root_key = (struct column_list){names, 1};
    for (int64_t i = 0; i < READ_KEYS_MAX; i++) {
        keys[i] = cell_int64(i);
    }
    side.request.keys = keys;
    side.request.key_count = READ_KEYS_MAX;
    read_ids(&side, &side.request, &fixture, 3, is_of_query);
    keys[1] = cell_int64(-1);
    keys[2] = cell_int64(5);
    side.request.key_count = 3;
    read_ids(&side, &side.request, &fixture, 1, is_zero);
    source_close(&side);
    fixture_close(&fixture);
}
