/* Hash sums of records, with and without a target's own way to hash its normal forms. */
#include "engine/formats/record_hash.h"
#include "support_arena.h"
#include <string.h>

enum { WIDTH = 6, ROWS = 5, MINUS = 7 };

static struct error error;

/* Makes TEXT of what it keeps: truths are numbers, and "bad" is refused. */
static enum status normal_form(struct database *self, const struct cell *cell,
                               struct arena *scratch, struct cell *normal, struct error *failure)
{
    (void)self;
    (void)scratch;
    *normal = cell->kind == VALUE_BOOL ? cell_int64(cell->i64) : *cell;
    if (cell->kind == VALUE_TEXT && cell->length == 3 && memcmp(cell->text, "bad", 3) == 0) {
        return error_set(failure, ERROR_REJECT_TEXT, NULL, "bad");
    }
    return STATUS_OK;
}

/* A column that keeps whole numbers with the other sign. */
static enum status normal_form_in_column(struct database *self, uint32_t column_class,
                                         const struct cell *cell, struct arena *scratch,
                                         struct cell *normal, struct error *failure)
{
    assert_int_equal(column_class, MINUS);
    enum status status = normal_form(self, cell, scratch, normal, failure);
    if (status == STATUS_OK && cell->kind == VALUE_INT64) {
        normal->i64 = -cell->i64;
    }
    return status;
}

static int calls;

static enum status hash_normal(struct database *self, const uint64_t *seeds,
                               const struct cell *cells, uint32_t count,
                               struct field_hasher *hasher, uint32_t *hashed, struct error *failure)
{
    calls++;
    for (*hashed = 0; *hashed < count && cells[*hashed].kind != VALUE_LARGE; ++*hashed) {
        struct cell normal;
        enum status status = normal_form(self, &cells[*hashed], hasher->arena, &normal, failure);
        if (status != STATUS_OK) {
            return status;
        }
        assert_int_equal(field_hash_add_cell(hasher, seeds[*hashed], &normal, failure), STATUS_OK);
    }
    return STATUS_OK;
}

static enum status read_large(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                              struct error *failure)
{
    (void)failure;
    assert_true(offset + size <= self->length);
    memset(bytes, 'x', size);
    return STATUS_OK;
}

static const struct shape_field fields[WIDTH] = {
    {.name = "a", .name_length = 1}, {.name = "b", .name_length = 1},
    {.name = "c", .name_length = 1}, {.name = "d", .name_length = 1},
    {.name = "e", .name_length = 1}, {.name = "f", .name_length = 1}};
static const struct shape shape = {.name = "t", .fields = fields, .field_count = WIDTH};

/* Rows with a refused, a large, a missing and a NULL value in the middle; the last cell of each is
 * of the source key, and no field's. */
static void make_cells(struct cell cells[ROWS][WIDTH + 1], struct large_value *large)
{
    for (int row = 0; row < ROWS; row++) {
        for (int i = 0; i < WIDTH; i++) {
            cells[row][i] = i % 2 == 0 ? cell_int64(100 * row + i) : cell_bool(1);
        }
        cells[row][WIDTH] = cell_int64(1000 + row);
    }
    cells[1][2] = cell_text("bad", 3);
    cells[1][3] = cell_text("bad", 3);
    cells[2][1] = (struct cell){.kind = VALUE_LARGE, .large = large};
    cells[3][0] = cell_missing();
    cells[3][WIDTH - 1] = cell_null();
    cells[4][WIDTH - 1] = (struct cell){.kind = VALUE_LARGE, .large = large};
}

static struct canonical_hash sum_of(const struct target_functions *functions,
                                    const struct stored_form *form, struct cell *cells,
                                    uint32_t width)
{
    static const struct column_functions columns = {.normal_form = normal_form_in_column};
    const struct connector connector = {.target = functions, .columns = &columns};
    struct database database = {.connector = &connector};
    struct record_hasher hasher;
    struct canonical_hash sum = {0};
    struct canonical_hash single = {0};
    const struct batch batch = {
        .arena = arena, .shape = &shape, .cells = cells, .width = width, .row_count = ROWS};
    record_hasher_init(&hasher, &database, form);
    assert_int_equal(record_hash_batch(&hasher, &batch, &sum, &error), STATUS_OK);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct canonical_hash hash;
        assert_int_equal(record_hash(&hasher, &batch, row, &hash, &error), STATUS_OK);
        canonical_sum_add(&single, &hash);
    }
    assert_memory_equal(&sum, &single, sizeof(sum));
    record_hasher_free(&hasher);
    return sum;
}

static void both_ways_give_one_sum(void **state)
{
    (void)state;
    static const struct target_functions slow = {.normal_form = normal_form};
    static const struct target_functions fast = {.normal_form = normal_form,
                                                 .hash_normal = hash_normal};
    struct large_value large = {.kind = VALUE_TEXT, .length = 70000, .read = read_large};
    struct cell cells[ROWS][WIDTH + 1];
    struct canonical_hash plain = {0};
    for (unsigned converted = 0; converted < 1u << WIDTH; converted++) {
        uint32_t classes[WIDTH];
        const struct stored_form form = {.classes = classes};
        for (int i = 0; i < WIDTH; i++) {
            classes[i] = (converted >> i & 1) != 0 ? MINUS : STORED_AS_SENT;
        }
        make_cells(cells, &large);
        struct canonical_hash expected = sum_of(&slow, &form, &cells[0][0], WIDTH + 1);
        calls = 0;
        struct canonical_hash sum = sum_of(&fast, &form, &cells[0][0], WIDTH + 1);
        assert_memory_equal(&sum, &expected, sizeof(sum));
        assert_int_equal(calls > 0, converted != (1u << WIDTH) - 1);
        if (converted == 0) {
            plain = expected;
        }
        /* only even columns hold whole numbers */
        assert_int_equal(memcmp(&expected, &plain, sizeof(plain)) == 0, (converted & 0x15) == 0);
    }
    make_cells(cells, &large);
    struct canonical_hash without = sum_of(&fast, NULL, &cells[0][0], WIDTH + 1);
    assert_memory_equal(&without, &plain, sizeof(plain));
    cells[0][WIDTH] = cell_int64(-1); /* of the source key: it says nothing */
    without = sum_of(&fast, NULL, &cells[0][0], WIDTH + 1);
    assert_memory_equal(&without, &plain, sizeof(plain));
    cells[0][WIDTH - 1] = cell_int64(-1);
    without = sum_of(&fast, NULL, &cells[0][0], WIDTH + 1);
    assert_memory_not_equal(&without, &plain, sizeof(plain));
}

static struct canonical_hash hash_of_map(struct record_hasher *hasher, struct cell *pairs,
                                         uint32_t count)
{
    struct canonical_hash hash = {0};
    struct cell document = {.kind = VALUE_MAP, .length = count, .items = pairs};
    const struct batch batch = {.arena = arena, .cells = &document, .width = 1, .row_count = 1};
    assert_int_equal(record_hash(hasher, &batch, 0, &hash, &error), STATUS_OK);
    return hash;
}

/* {"a":1,"b":{"c":true,"d":2},"e":null} and others that are it, or nearly. */
static void fields_of_documents_have_no_order(void **state)
{
    (void)state;
    static const struct target_functions functions = {.normal_form = normal_form};
    static const struct connector connector = {.target = &functions};
    for (int tells_missing = 0; tells_missing < 2; tells_missing++) {
        struct database database = {.connector = &connector,
                                    .capabilities = tells_missing ? CAPABILITY_MISSING : 0};
        struct record_hasher hasher;
        record_hasher_init(&hasher, &database, NULL);
        struct cell inner[] = {cell_text("c", 1), cell_bool(1), cell_text("d", 1), cell_int64(2)};
        struct cell turned[] = {inner[2], inner[3], inner[0], inner[1]};
        struct cell map = {.kind = VALUE_MAP, .length = 2, .items = inner};
        struct cell other = {.kind = VALUE_MAP, .length = 2, .items = turned};
        struct cell first[] = {cell_text("a", 1), cell_int64(1), cell_text("b", 1), map,
                               cell_text("e", 1), cell_null()};
        struct cell last[] = {first[4], first[5], first[2], first[3], first[0], first[1]};
        struct cell within[] = {first[0], first[1], first[2], other, first[4], first[5]};
        struct cell named[] = {cell_text("b", 1), first[1], cell_text("a", 1),
                               first[3],          first[4], first[5]};
        struct canonical_hash hash = hash_of_map(&hasher, first, 3);
        struct canonical_hash same = hash_of_map(&hasher, last, 3);
        struct canonical_hash inside = hash_of_map(&hasher, within, 3);
        struct canonical_hash swapped = hash_of_map(&hasher, named, 3);
        struct canonical_hash without = hash_of_map(&hasher, first, 2);
        assert_memory_equal(&hash, &same, sizeof(hash));
        assert_memory_not_equal(&hash, &inside, sizeof(hash));
        assert_memory_not_equal(&hash, &swapped, sizeof(hash));
        assert_int_equal(memcmp(&hash, &without, sizeof(hash)) == 0, !tells_missing);
        record_hasher_free(&hasher);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_give_one_sum),
                                       cmocka_unit_test(fields_of_documents_have_no_order)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
