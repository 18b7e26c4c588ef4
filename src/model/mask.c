#include "model/mask.h"

#include "base/buffer.h"
#include "base/text.h"
#include "model/convert.h"
#include <string.h>
#include <utf8proc.h>

enum { HASH_DIGITS = 32, HASH_DIGITS_MIN = 12, HASH_BYTES = 16, KEEP_DEFAULT = 4 };

static const char *const fakes[] = {"name",  "first_name", "last_name", "email",
                                    "phone", "street",     "city",      "company"};
enum { FAKE_COUNT = sizeof fakes / sizeof fakes[0] };

/* ---------------------------------------------------------------- what a plan says */

static enum status parse_fake(const char *word, struct mask *mask, struct error *error)
{
    for (int i = 0; i < FAKE_COUNT; i++) {
        if (strcmp(word, fakes[i]) == 0) {
            mask->kind = MASK_FAKE;
            mask->fake = (enum mask_fake)i;
            return STATUS_OK;
        }
    }
    error_set(error, ERROR_PLAN_INVALID, NULL, "'fake %s' is no mask", word);
    return error_hint(error, "fake name, first_name, last_name, email, phone, street, city or "
                             "company");
}

static enum status parse_partial(const char *word, struct mask *mask, struct error *error)
{
    int64_t keep = KEEP_DEFAULT;
    bool is_number = *word == '\0' || text_to_int64(word, strlen(word), &keep) == STATUS_OK;
    mask->kind = MASK_PARTIAL;
    mask->keep = is_number && keep >= 0 && keep <= UINT16_MAX ? (uint32_t)keep : 0;
    return is_number && keep >= 0 && keep <= UINT16_MAX
               ? STATUS_OK
               : error_set(error, ERROR_PLAN_INVALID, NULL,
                           "'partial %s' does not say how many characters stay", word);
}

enum status mask_parse(const char *text, struct arena *arena, struct mask *mask,
                       struct error *error)
{
    const char *space = strchr(text, ' ');
    size_t length = space != NULL ? (size_t)(space - text) : strlen(text);
    const char *more = space != NULL ? space + 1 : "";
    const struct text word = {text, length};
    *mask = (struct mask){.kind = MASK_HASH};
    if (length == 4 && memcmp(word.data, "hash", 4) == 0 && *more == '\0') {
        return STATUS_OK;
    }
    if (length == 6 && memcmp(word.data, "redact", 6) == 0) {
        mask->kind = MASK_REDACT;
        mask->said = space != NULL ? arena_copy_string(arena, more) : NULL;
        return STATUS_OK;
    }
    if (length == 7 && memcmp(word.data, "partial", 7) == 0) {
        return parse_partial(more, mask, error);
    }
    if (length == 4 && memcmp(word.data, "fake", 4) == 0) {
        return parse_fake(more, mask, error);
    }
    if (length == 7 && memcmp(word.data, "shuffle", 7) == 0 && *more == '\0') {
        mask->kind = MASK_SHUFFLE;
        return STATUS_OK;
    }
    error_set(error, ERROR_PLAN_INVALID, NULL, "'%s' is no mask", text);
    return error_hint(error, "hash, redact [VALUE], partial [N], fake WHAT or shuffle");
}

bool mask_needs_key(const struct mask *mask)
{
    return mask->kind == MASK_HASH || mask->kind == MASK_FAKE || mask->kind == MASK_SHUFFLE;
}

void mask_set_key(struct mask *mask, const char *text)
{
    static const struct siphash_key none = {{0, 0}};
    siphash_128(&none, text, strlen(text), mask->key.words);
}

/* ---------------------------------------------------------------- kinds */

static bool hashes(enum value_kind kind)
{
    return kind == VALUE_TEXT || kind == VALUE_BYTES || kind == VALUE_UUID || kind == VALUE_INT64 ||
           kind == VALUE_UINT64;
}

static const char *fit_redact(struct mask *mask, enum value_kind kind, struct arena *arena)
{
    const char *said = mask->said != NULL ? mask->said : "***";
    struct cell text = cell_text(arena_copy_string(arena, said), strlen(said));
    struct value_type to = {.kind = kind};
    struct error reason = {0};
    if (kind == VALUE_TEXT) {
        mask->constant = text;
        return NULL;
    }
    if (mask->said == NULL) {
        return "say what stands in its place: redact VALUE";
    }
    return convert_value(&text, &to, false, arena, &mask->constant, &reason) == STATUS_OK
               ? NULL
               : arena_format(arena, "'%s' is no value of its kind", mask->said);
}

const char *mask_fit(struct mask *mask, enum value_kind kind, struct arena *arena)
{
    switch (mask->kind) {
    case MASK_HASH:
        if (!hashes(kind)) {
            return "hash is for texts, bytes, UUIDs and whole numbers; use redact VALUE";
        }
        if (kind == VALUE_BYTES && mask->characters_max > 0 && mask->characters_max < HASH_BYTES) {
            return "the column is too short for a hash, which takes 16 bytes";
        }
        return kind == VALUE_TEXT && mask->characters_max > 0 &&
                       mask->characters_max < HASH_DIGITS_MIN
                   ? "the column is too short for a hash, which takes 12 characters at least"
                   : NULL;
    case MASK_REDACT:
        return fit_redact(mask, kind, arena);
    case MASK_SHUFFLE:
        return NULL;
    default:
        return kind == VALUE_TEXT ? NULL : "partial and fake are for texts; use redact VALUE";
    }
}

/* ---------------------------------------------------------------- whole numbers */

/*
 * Numbers are permuted within ranges, [1, 2^7), [2^7, 2^15), [2^15, 2^31), [2^31, 2^63), and the
 * rest, of which the last one ends with what the column holds, so that each has another one and
 * still fits: by a Feistel network over twice `half` bits, gone through until the range is met
 * again ("cycle walking": Black and Rogaway, "Ciphers with Arbitrary Finite Domains").
 */
static uint64_t permute_once(const struct siphash_key *key, int half, uint64_t value)
{
    enum { ROUNDS = 6 };
    uint64_t bits = half == 32 ? UINT32_MAX : (UINT64_C(1) << half) - 1;
    uint64_t left = value >> half & bits;
    uint64_t right = value & bits;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t hash[2];
        const uint64_t input[2] = {right, round | (uint64_t)half << 8};
        siphash_128(key, input, sizeof input, hash);
        uint64_t next = left ^ (hash[0] & bits);
        left = right;
        right = next;
    }
    return left << half | right;
}

static uint64_t permute(const struct mask *mask, uint64_t value)
{
    static const struct {
        uint64_t from;
        uint64_t last;
        int half;
    } ranges[] = {{1, (UINT64_C(1) << 7) - 1, 4},
                  {UINT64_C(1) << 7, (UINT64_C(1) << 15) - 1, 8},
                  {UINT64_C(1) << 15, (UINT64_C(1) << 31) - 1, 16},
                  {UINT64_C(1) << 31, (UINT64_C(1) << 63) - 1, 32},
                  {UINT64_C(1) << 63, UINT64_MAX, 32}};
    if (value == 0) {
        return 0; /* there are columns that count where 0 is written */
    }
    size_t at = 0;
    while (value > ranges[at].last) {
        at++;
    }
    uint64_t last = ranges[at].last < mask->highest ? ranges[at].last : mask->highest;
    uint64_t made = value;
    do {
        made = permute_once(&mask->key, ranges[at].half, made);
    } while (made < ranges[at].from || made > last);
    return made;
}

/* False: it is none that the column is said to hold. */
static bool hash_number(const struct mask *mask, struct cell *cell)
{
    bool negative = cell->kind == VALUE_INT64 && cell->i64 < 0;
    uint64_t size = negative ? UINT64_C(0) - cell->u64 : cell->u64;
    if (size > mask->highest) {
        return false;
    }
    uint64_t made = permute(mask, size);
    cell->u64 = negative ? UINT64_C(0) - made : made;
    return true;
}

/* ---------------------------------------------------------------- texts and bytes */

static void hash_bytes(const struct mask *mask, struct arena *arena, struct cell *cell)
{
    uint64_t hash[2];
    siphash_128(&mask->key, cell->bytes, cell->length, hash);
    if (cell->kind == VALUE_UUID) { /* version 8, of the variant of RFC 9562 */
        uint8_t *bytes = (uint8_t *)arena_copy(arena, hash, sizeof hash);
        bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x80);
        bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
        cell->bytes = bytes;
        return;
    }
    if (cell->kind == VALUE_BYTES) {
        *cell = cell_bytes(arena_copy(arena, hash, sizeof hash), sizeof hash);
        return;
    }
    char hex[HASH_DIGITS + 1];
    text_from_hash(hash[0], hash[1], hex);
    size_t length = mask->characters_max > 0 && mask->characters_max < HASH_DIGITS
                        ? mask->characters_max
                        : HASH_DIGITS;
    *cell = cell_text(arena_copy(arena, hex, length), length);
}

/* Signs and blanks between letters and digits. */
static bool is_shown(utf8proc_int32_t point)
{
    utf8proc_category_t category = utf8proc_category(point);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_ZP;
}

static void mask_partly(const struct mask *mask, struct arena *arena, struct cell *cell)
{
    const utf8proc_uint8_t *text = (const utf8proc_uint8_t *)cell->text;
    struct buffer out = {0};
    uint32_t characters = 0;
    utf8proc_int32_t point = 0;
    utf8proc_ssize_t size = 0;
    for (size_t at = 0; at < cell->length; at += (size_t)size, characters++) {
        size = utf8proc_iterate(text + at, (utf8proc_ssize_t)(cell->length - at), &point);
        size = size > 0 ? size : 1;
    }
    /* A text that is no longer than what is kept is all masked. */
    uint32_t hidden = characters > mask->keep ? characters - mask->keep : characters;
    for (size_t at = 0, number = 0; at < cell->length; at += (size_t)size, number++) {
        size = utf8proc_iterate(text + at, (utf8proc_ssize_t)(cell->length - at), &point);
        size = size > 0 ? size : 1;
        if (number >= hidden || is_shown(point)) {
            buffer_append(&out, text + at, (size_t)size);
        } else {
            buffer_append_byte(&out, '*');
        }
    }
    *cell = cell_text(arena_copy(arena, buffer_string(&out), out.length), out.length);
    buffer_free(&out);
}

/* At most so many characters. */
static size_t clip_characters(const char *text, size_t length, uint32_t characters_max)
{
    size_t at = 0;
    for (uint32_t count = 0; at < length && count < characters_max; count++) {
        do {
            at++;
        } while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80);
    }
    return at;
}

static void make_up(const struct mask *mask, struct arena *arena, struct cell *cell)
{
    uint64_t hash[2];
    struct buffer out = {0};
    siphash_128(&mask->key, cell->text, cell->length, hash);
    mask_fake_append(mask->fake, hash, cell->text, cell->length, &out);
    size_t length = mask->characters_max > 0
                        ? clip_characters(buffer_string(&out), out.length, mask->characters_max)
                        : out.length;
    *cell = cell_text(arena_copy(arena, buffer_string(&out), length), length);
    buffer_free(&out);
}

/* ---------------------------------------------------------------- cells */

void mask_omit(const struct mask *mask, struct arena *arena, struct cell *cell)
{
    static const char *const names[] = {"hash", "redact", "partial", "fake", "shuffle"};
    const char *why = arena_format(arena, "a %s can't be masked by %s",
                                   value_kind_name((enum value_kind)cell->kind), names[mask->kind]);
    *cell = (struct cell){.kind = VALUE_ESCAPE,
                          .flags = CELL_ESCAPED_TEXT,
                          .aux = ESCAPE_OMITTED,
                          .length = (uint32_t)strlen(why),
                          .bytes = (const uint8_t *)why};
}

void mask_cell(const struct mask *mask, struct arena *arena, struct cell *cell)
{
    enum value_kind kind = (enum value_kind)cell->kind;
    if (kind == VALUE_MISSING || kind == VALUE_NULL) {
        return;
    }
    if (mask->kind == MASK_REDACT) {
        *cell = mask->constant;
    } else if (mask->kind == MASK_HASH && (kind == VALUE_INT64 || kind == VALUE_UINT64)) {
        if (!hash_number(mask, cell)) {
            mask_omit(mask, arena, cell);
        }
    } else if (mask->kind == MASK_HASH && hashes(kind)) {
        hash_bytes(mask, arena, cell);
    } else if (mask->kind == MASK_PARTIAL && kind == VALUE_TEXT) {
        mask_partly(mask, arena, cell);
    } else if (mask->kind == MASK_FAKE && kind == VALUE_TEXT) {
        make_up(mask, arena, cell);
    } else {
        mask_omit(mask, arena, cell);
    }
}
