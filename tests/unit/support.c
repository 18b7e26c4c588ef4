/* Randomness and helpers for unit tests. */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "model/decimal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The sanitizers ask for these: impossible sizes are to give NULL, as without them. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

struct random random_start(void)
{
    uint64_t seed = (uint64_t)clock_utc_us();
    const char *given = getenv("TRANSHUME_SEED");
    if (given != NULL && text_to_uint64(given, strlen(given), &seed) != STATUS_OK) {
        seed = 1;
    }
    printf("seed %llu (TRANSHUME_SEED=%llu repeats it)\n", (unsigned long long)seed,
           (unsigned long long)seed);
    return (struct random){seed};
}

uint64_t random_bits(struct random *random)
{
    uint64_t mixed = random->state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return mixed ^ mixed >> 31;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_bits(random) % limit;
}

int64_t random_between(struct random *random, int64_t least, int64_t most)
{
    return (int64_t)((uint64_t)least + random_below(random, (uint64_t)most - (uint64_t)least + 1));
}

long test_rounds(long count)
{
    return getenv("TRANSHUME_SOAK") != NULL ? 20 * count : count;
}

static size_t put_code(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

size_t random_text(struct random *random, char *out, size_t capacity)
{
    static const uint32_t limits[] = {0x80, 0x80, 0x80, 0x80, 0x20, 0x800, 0xD800, 0x110000};
    size_t wanted = random_below(random, capacity);
    int is_plain = random_below(random, 3) == 0;
    size_t length = 0;
    while (length + 4 <= wanted) {
        uint32_t limit = is_plain ? 0x80 : limits[random_below(random, 8)];
        uint32_t code = (uint32_t)random_below(random, limit);
        if (is_plain && code < 0x20) {
            code += 0x20;
        } else if (code >= 0xD800 && code <= 0xDFFF) {
            code = (unsigned char)"\"\\\n"[code % 3];
        }
        length += put_code(code, out + length);
    }
    return length;
}

/* Few different values and the edges of the range, so that equal ones meet. */
static int64_t random_int64(struct random *random)
{
    static const int64_t edges[] = {0,         1,         -1,        INT64_MAX,
                                    INT64_MIN, INT32_MAX, INT32_MIN, INT64_C(1) << 53};
    switch (random_below(random, 4)) {
    case 0:
        return edges[random_below(random, 8)];
    case 1:
        return random_between(random, -5, 5);
    default:
        return (int64_t)random_bits(random) >> random_below(random, 64);
    }
}

static double random_double(struct random *random)
{
    static const double edges[] = {0.0, -0.0, 1.0, 0.1, NAN, INFINITY, -INFINITY, 5e-324, 1e308};
    uint64_t bits = random_bits(random);
    double value;
    switch (random_below(random, 4)) {
    case 0:
        return edges[random_below(random, 9)];
    case 1:
        return (double)random_between(random, -100000, 100000) / 100;
    default:
        memcpy(&value, &bits, sizeof(value));
        return value;
    }
}

static struct cell random_decimal(struct random *random, struct arena *arena)
{
    char text[64];
    size_t length = 0;
    size_t whole =
        random_below(random, 4) == 0 ? random_below(random, 30) : random_below(random, 8);
    size_t scale =
        random_below(random, 4) == 0 ? random_below(random, 25) : random_below(random, 4);
    if (random_below(random, 20) == 0) {
        length =
            (size_t)snprintf(text, sizeof(text), "%s", random_below(random, 2) ? "NaN" : "-Inf");
    } else {
        if (random_below(random, 2)) {
            text[length++] = '-';
        }
        for (size_t i = 0; i <= whole; i++) {
            text[length++] = (char)('0' + random_below(random, 10));
        }
        if (scale > 0) {
            text[length++] = '.';
        }
        for (size_t i = 0; i < scale; i++) {
            text[length++] = (char)('0' + random_below(random, 10));
        }
    }
    struct cell cell;
    assert_int_equal(decimal_parse(text, length, arena, &cell), STATUS_OK);
    return cell;
}

static struct cell random_bytes(struct random *random, enum value_kind kind, struct arena *arena)
{
    char text[80];
    size_t length = random_text(random, text, sizeof(text));
    if (kind != VALUE_TEXT && random_below(random, 2)) {
        for (size_t i = 0; i < length; i++) {
            text[i] = (char)random_bits(random);
        }
    }
    struct cell cell = cell_text(arena_copy(arena, text, length), length);
    cell.kind = (uint8_t)kind;
    if (kind == VALUE_ESCAPE) {
        cell.aux = (uint16_t)(1 + random_below(random, 5));
        cell.flags = random_below(random, 2) ? CELL_ESCAPED_TEXT : 0;
    }
    return cell;
}

static struct cell random_time(struct random *random, enum value_kind kind)
{
    struct cell cell = {.kind = (uint8_t)kind};
    if (kind == VALUE_TIME) {
        cell.i64 = random_between(random, 0, INT64_C(86400000000000));
        if (random_below(random, 2)) {
            cell.flags = CELL_ZONED;
            cell.length = (uint32_t)(int32_t)random_between(random, -86399, 86399);
        }
        return cell;
    }
    if (random_below(random, 10) == 0) {
        cell.flags = CELL_SPECIAL;
        cell.i64 = random_between(random, -1, 1);
        return cell;
    }
    if (kind == VALUE_DATE) {
        cell.i64 = random_between(random, -1000000, 5000000);
    } else {
        cell.i64 =
            random_between(random, -INT64_C(100000000000000000), INT64_C(400000000000000000));
        cell.aux = random_below(random, 2) ? (uint16_t)random_below(random, 1000) : 0;
        cell.flags = random_below(random, 2) ? CELL_ZONED : 0;
    }
    return cell;
}

static struct cell random_interval(struct random *random, struct arena *arena)
{
    struct value_interval *interval = arena_allocate(arena, sizeof(*interval));
    assert_non_null(interval);
    interval->months = (int32_t)random_bits(random) >> random_below(random, 32);
    interval->days = (int32_t)random_bits(random) >> random_below(random, 32);
    interval->nanoseconds = random_int64(random);
    return (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

static struct cell random_items(struct random *random, enum value_kind kind, struct arena *arena,
                                int depth)
{
    size_t count = random_below(random, 5);
    struct cell *items = arena_allocate_zeroed(arena, 2 * count, sizeof(*items));
    assert_non_null(items);
    for (size_t i = 0; i < 2 * count; i++) {
        int is_key = kind == VALUE_MAP && i % 2 == 0;
        items[i] = is_key && random_below(random, 2) ? random_value_of(random, VALUE_TEXT, arena, 0)
                                                     : random_value(random, arena, depth - 1);
    }
    return cell_items(kind, items,
                      kind == VALUE_MAP ? count : count + random_below(random, count + 1));
}

struct cell random_value_of(struct random *random, enum value_kind kind, struct arena *arena,
                            int depth)
{
    static const char *const texts[] = {"{\"a\": [1, 2.50, null]}", "17", "\"x\"", "[]"};
    switch (kind) {
    case VALUE_BOOL:
        return cell_bool((int)random_below(random, 2));
    case VALUE_INT64:
        return cell_int64(random_int64(random));
    case VALUE_UINT64:
        return cell_uint64((uint64_t)random_int64(random));
    case VALUE_FLOAT32: {
        struct cell cell = cell_float64((double)(float)random_double(random));
        cell.kind = VALUE_FLOAT32;
        return cell;
    }
    case VALUE_FLOAT64:
        return cell_float64(random_double(random));
    case VALUE_DECIMAL:
        return random_decimal(random, arena);
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_ESCAPE:
        return random_bytes(random, kind, arena);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        return random_time(random, kind);
    case VALUE_INTERVAL:
        return random_interval(random, arena);
    case VALUE_UUID: {
        uint64_t bits[2] = {random_below(random, 3), random_bits(random)};
        const char *copy = arena_copy(arena, bits, 16);
        return (struct cell){.kind = VALUE_UUID, .length = 16, .text = copy};
    }
    case VALUE_JSON: {
        struct cell cell = cell_text(texts[random_below(random, 4)], 0);
        cell.length = (uint32_t)strlen(cell.text);
        cell.kind = VALUE_JSON;
        return cell;
    }
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return random_items(random, kind, arena, depth);
    case VALUE_MISSING:
        return cell_missing();
    default:
        return cell_null();
    }
}

struct cell random_value(struct random *random, struct arena *arena, int depth)
{
    for (;;) {
        enum value_kind kind = (enum value_kind)random_below(random, VALUE_KIND_COUNT);
        int is_nested = kind == VALUE_LIST || kind == VALUE_SET || kind == VALUE_MAP;
        if (kind != VALUE_LARGE && (depth > 0 || !is_nested)) {
            return random_value_of(random, kind, arena, depth);
        }
    }
}

void assert_buffer(struct buffer *buffer, const char *expected)
{
    assert_string_equal(buffer_string(buffer), expected);
    assert_int_equal(buffer->length, strlen(expected));
    buffer_clear(buffer);
}

/* All folders of this process are in one, which its end removes. */
static struct {
    char path[200];
    pid_t owner; /* not its children, which fork */
} all_folders;

static void remove_all_folders(void)
{
    struct error error = {0};
    if (getpid() == all_folders.owner && file_remove_tree(all_folders.path, &error) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", error.object, error.message);
    }
}

const char *test_folder(void)
{
    static char path[256];
    const char *temporary = getenv("TMPDIR");
    if (all_folders.owner == 0) {
        snprintf(all_folders.path, sizeof(all_folders.path), "%s/transhume-unit-XXXXXX",
                 temporary != NULL ? temporary : "/tmp");
        assert_non_null(mkdtemp(all_folders.path));
        /* some tests let another user into their own folder */
        assert_int_equal(chmod(all_folders.path, 0711), 0);
        all_folders.owner = getpid();
        atexit(remove_all_folders);
    }
    snprintf(path, sizeof(path), "%s/XXXXXX", all_folders.path);
    assert_non_null(mkdtemp(path));
    return path;
}

void skip_without_long_double(void)
{
    volatile long double one = 1;
    volatile long double next = one + 0x1p-60L;
    if (next == one) {
        print_message("long doubles are no wider than doubles here\n");
        skip();
    }
}
