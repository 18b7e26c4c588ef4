/* Texts on their way into typed columns, as lists, times, lengths of time, epochs and numbers: what
 * is converted is of the kind that was wanted, or the error says why not. The first byte chooses
 * the type. */
#include "support.h"

#include "model/array_text.h"
#include "model/convert.h"

enum { TEXT_BYTES_MAX = 8192 };

static const struct value_type whole = {.kind = VALUE_INT64};
static const struct value_type digits = {.kind = VALUE_DECIMAL, .precision = 10, .scale = 2};
static const struct value_type moment = {.kind = VALUE_TIMESTAMP, .fraction = 4};
static const struct value_type texts = {.kind = VALUE_TEXT};
static const struct value_type lists = {.kind = VALUE_LIST, .element = &whole};

static const struct value_type types[] = {
    {.kind = VALUE_LIST},
    {.kind = VALUE_LIST, .element = &whole},
    {.kind = VALUE_LIST, .element = &digits},
    {.kind = VALUE_LIST, .element = &moment},
    {.kind = VALUE_LIST, .element = &lists},
    {.kind = VALUE_TEXT, .element = &texts},
    {.kind = VALUE_JSON, .element = &moment},
    {.kind = VALUE_JSON},
    {.kind = VALUE_MAP},
    {.kind = VALUE_DATE},
    {.kind = VALUE_TIME, .length = true},
    {.kind = VALUE_TIMESTAMP, .fraction = 1},
    {.kind = VALUE_TIMESTAMP, .zoned = true, .epoch = EPOCH_MILLISECONDS},
    {.kind = VALUE_TIMESTAMP, .epoch = EPOCH_SECONDS},
    {.kind = VALUE_DATE, .epoch = EPOCH_NANOSECONDS},
    {.kind = VALUE_INTERVAL},
    {.kind = VALUE_INTERVAL, .epoch = EPOCH_MICROSECONDS},
    {.kind = VALUE_DECIMAL, .precision = 12, .scale = 4},
    {.kind = VALUE_INT64, .epoch = EPOCH_MILLISECONDS},
    {.kind = VALUE_UINT64},
    {.kind = VALUE_FLOAT32},
    {.kind = VALUE_UUID},
    {.kind = VALUE_BOOL},
    {.kind = VALUE_TEXT, .precision = 5, .layout = TEXT_CLOCK},
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

static void convert(const struct cell *from, const struct value_type *to, bool allow_loss,
                    struct arena *arena)
{
    struct cell result = {0};
    struct error error = {0};
    if (convert_value(from, to, allow_loss, arena, &result, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    FUZZ_REQUIRE(result.kind == to->kind || result.kind == VALUE_NULL);
}

/* A list that was read is written so that it reads as the same. */
static void read_array(const char *text, size_t length, struct arena *arena)
{
    struct cell first = {0};
    struct cell second = {0};
    struct error error = {0};
    struct buffer out = {0};
    if (array_text_read(text, length, &texts, arena, &first, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    if (array_text_append(&first, &texts, &out, &error) == STATUS_OK) {
        FUZZ_REQUIRE(array_text_read(out.data, out.length, &texts, arena, &second, &error) ==
                     STATUS_OK);
        FUZZ_REQUIRE(value_equal(&first, &second));
    }
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > TEXT_BYTES_MAX) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    const char *text = arena_copy(arena, data + 1, size - 1);
    const struct value_type *to = &types[data[0] / 2 % TYPE_COUNT];
    bool allow_loss = (data[0] & 1) != 0;
    struct cell from = cell_text(text, size - 1);
    if (text_is_utf8(text, size - 1)) {
        convert(&from, to, allow_loss, arena);
        from.kind = VALUE_JSON;
        convert(&from, to, allow_loss, arena);
        read_array(text, size - 1, arena);
    }
    from.kind = VALUE_BYTES;
    convert(&from, to, allow_loss, arena);
    arena_destroy(arena);
    return 0;
}
